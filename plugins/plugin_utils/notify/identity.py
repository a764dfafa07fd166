# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a platform, the same in all its runs, wherever they are started from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_loopback

LONGEST_NAME = 200
_DIGITS = 12


def platform_name(*, project: str, domain: str, work_dir: str, controller: str, hosts: Collection[str] = ()) -> str:
    """Return ``PROJECT@PLACE:WORK_DIR``, where the place is the domain unless that is everybody's own machine.

    :param hosts: names of the hosts that the platform is on: the place, where the domain says nothing.
    :param controller: name of this machine: the place, where the hosts say nothing either.
    """
    far = sorted(host for host in hosts if not is_loopback(host))
    place = domain if not is_loopback(domain) else ",".join(far) or controller
    name = f"{project}@{place}:{work_dir}"
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:_DIGITS]
    return f"{name[: LONGEST_NAME - _DIGITS - 1]}-{digest}"
