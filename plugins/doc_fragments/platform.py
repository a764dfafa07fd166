# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the options of ``_module.PLATFORM_ARGUMENTS`` and its like."""

    DOCUMENTATION = r"""
options:
  work_dir:
    description: Folder on the host that holds the installation.
    type: path
    default: ~/.provisioning
  services:
    description:
      - Definitions of all services of the host, resolved,
        as P(provisioning.platform.platform_config#module) returns them. A list, or its JSON text.
      - When not given, what is installed in O(work_dir) is meant.
    type: json
  project:
    description: Prefix of containers and networks, and label of everything that belongs to the installation.
    type: str
    default: provisioning
  engine:
    description: Container engine for services in the mode C(docker).
    type: str
    choices: [docker, podman, orbstack]
    default: docker
  engine_url:
    description: Socket or address of the container engine. It is looked for in the usual places when not given.
    type: str
  env_vars:
    description: Environment variables that every service gets.
    type: dict
    default: {}
  elsewhere:
    description: On a platform of many hosts, the hosts of the services that are not on this one, by service.
    type: dict
    default: {}
  rounds:
    description: In how many rounds the hosts of the platform start their services.
    type: int
    default: 1
  operations:
    description: What people and programs do with the platform, by name, each with the services that it C(requires).
    type: dict
    default: {}
  provisioning_path:
    description: The command that operations call.
    type: str
  installation_id:
    description: Id of the installation on whose behalf this is done; it is written to the audit log.
    type: str
    default: ''
requirements:
  - Linux with Python 3.11 or later on the host
  - docker (Python library) on the host, for services in the mode C(docker)
  - kubernetes (Python library) on the host, for services in the mode C(kubernetes)
author:
  - Provisioning Platform contributors (@provisioning)
"""

    RUN = r"""
options:
  fail_fast:
    description: Begin nothing more once a required service has failed. Otherwise the rest goes on.
    type: bool
    default: true
  skip:
    description:
      - Services that cannot run on this host, by name, each with a C(why) and a C(remedy),
        as P(provisioning.platform.preflight#module) returns them. What needs them is skipped with them.
    type: dict
    default: {}
"""

    EVENTS = r"""
options:
  events_path:
    description: File to which events are appended as they happen. The action plugin sets it to show progress live.
    type: path
  return_events:
    description: Whether to return the events with the result. The action plugin sets it for hosts elsewhere.
    type: bool
    default: false
"""
