# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status_table
short_description: Show the status of services as aligned lines
version_added: 1.0.0
description: Turns what P(provisioning.platform.service_info#module) returns into lines for people.
author: Provisioning Platform contributors (@provisioning)
options:
  _input:
    description: C(services) of P(provisioning.platform.service_info#module).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what is installed
  ansible.builtin.debug:
    msg: "{{ found.services | provisioning.platform.status_table }}"
"""

RETURN = r"""
_value:
  description: One line a service, below a line of headings.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

COLUMNS = ("name", "mode", "status", "health", "address", "detail")


def status_table(services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the services as aligned lines."""
    rows = [["SERVICE", *(column.upper() for column in COLUMNS[1:])]]
    rows += [[str(service.get(column) or "-") for column in COLUMNS] for service in services]
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


class FilterModule:
    """Makes the filter known to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"status_table": status_table}
