# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: filled
short_description: Fill in placeholders of environment variables
version_added: 1.0.0
description:
  - Replaces C(${NAME}) and C(${NAME:-default}) by environment variables of the controller, as an installation does in
    its configuration. So playbooks that are given the same configuration see the same values.
  - A text with a placeholder that has no value stays as it is.
author: Provisioning Platform contributors (@provisioning)
options:
  _input:
    description: A text of the configuration.
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Look at what is installed
  provisioning.platform.service_info:
    work_dir: "{{ work_dir | provisioning.platform.filled }}"
"""

RETURN = r"""
_value:
  description: The text with the values in it.
  type: raw
"""

import os
from collections.abc import Callable
from typing import Any

from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Substitution


def filled(value: Any) -> Any:
    """Return a value with its placeholders filled in, or as it is where one of them has no value."""
    substitution = Substitution(os.environ)
    found = substitution.apply(value, "")
    return value if substitution.problems else found


class FilterModule:
    """Makes the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"filled": filled}
