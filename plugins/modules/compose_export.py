#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_export
short_description: Write a platform as one Compose file
version_added: 1.0.0
description:
  - Reads the configuration from Ansible's variables, as M(provisioning.platform.platform_config) does, and writes all
    services as one Compose file, with health checks, dependencies, limits and a network of their own.
  - What the containers mount (C(config/), C(data/)) and the values of secrets (C(.env), C(secrets/)) are written beside
    the file, readable by their owner only. There is no value of a secret in the file itself.
  - Services are exported from their C(docker) block, whatever their mode; one that has none is an error that names it.
    Services that run elsewhere are left out.
  - It works on the controller.
options:
  dest:
    description: The Compose file.
    type: path
    required: true
  health_image:
    description:
      - Image with a static C(/bin/busybox), which lends every container what its health check is made with.
      - C(docker.io/library/busybox:1.37-musl) when left out.
    type: str
attributes:
  check_mode:
    description: Nothing is written.
    support: full
  diff_mode:
    description: The differences of the files, without the values of secrets.
    support: full
author:
  - Provisioning Platform contributors (@provisioning)
"""

EXAMPLES = r"""
- name: Write what the variables describe as a Compose file
  provisioning.platform.compose_export:
    dest: "{{ playbook_dir }}/compose/docker-compose.yaml"
"""

RETURN = r"""
dest:
  description: The Compose file, absolute.
  returned: success
  type: str
services:
  description: Names of the services in it.
  returned: success
  type: list
  elements: str
files:
  description: The files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
provisioning_error:
  description: What is wrong, as data.
  returned: on failure
  type: dict
"""
