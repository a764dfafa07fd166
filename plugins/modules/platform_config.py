#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_config
short_description: Validate the configuration of a platform and resolve its services
version_added: 1.0.0
description:
  - Reads the configuration from Ansible's variables (C(deployment), C(work_dir), C(notifications), C(env_vars)
    and so on), merges it with the definitions of the registry, renders configuration files
    and resolves every reference but secrets.
  - Everything that is wrong is found here and told at once. Nothing is touched; it works on the controller.
options:
  only:
    description: Only these services and what they depend on. The whole profile when empty.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Nothing is ever changed.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: none
author:
  - Provisioning Platform contributors (@provisioning)
"""

EXAMPLES = r"""
- name: Resolve what the variables describe
  provisioning.platform.platform_config:
  register: platform

- name: Bring it up
  provisioning.platform.services:
    services: "{{ platform.services }}"
    work_dir: "{{ platform.work_dir }}"
"""

RETURN = r"""
services:
  description: Definitions in startup order, resolved, with secrets as placeholders, as the JSON text of a list.
  returned: success
  type: str
work_dir:
  description: The work dir on the host, absolute.
  returned: success
  type: str
project:
  description: Prefix of containers and networks.
  returned: success
  type: str
engine:
  description: The container engine.
  returned: success
  type: str
engine_url:
  description: Its socket or address, where one is configured.
  returned: success
  type: str
env_vars:
  description: Environment variables of every service.
  returned: success
  type: dict
elsewhere:
  description: Hosts of the platform's services that are not on this one, by service.
  returned: success
  type: dict
rounds:
  description: In how many rounds the hosts of the platform start their services.
  returned: success
  type: int
operations:
  description: What people and programs do with the platform, by name, each with the services that it requires.
  returned: success
  type: dict
  sample:
    server: {requires: [orchestrator], description: Create and manage servers.}
awaited:
  description: Services that others on other hosts need to be healthy.
  returned: success
  type: list
  elements: str
secrets_elsewhere:
  description: Services whose secrets are used here and made on another host, and that host.
  returned: success
  type: dict
installation_id:
  description: Id of the installation.
  returned: success
  type: str
provisioning_error:
  description: What is wrong, as data.
  returned: on failure
  type: dict
"""
