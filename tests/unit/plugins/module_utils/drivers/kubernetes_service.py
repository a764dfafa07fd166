# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service whose manifests tests ask for, and how they are looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_manifests import (
    manifests_for,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

from tests.unit.plugins.module_utils.drivers.kubernetes_rules import check_schema

WORK_DIR = WorkDir(Path("/w"))
PASSWORD = "${secret.web.password}"
CONFIG = [
    {"dest": "/w/config/web/web.conf", "content": "workers 2"},
    {"dest": "/w/config/web/sites/a.conf", "content": f"password {PASSWORD}", "mode": "0600"},
    {"dest": "/w/config/web/hook.sh", "content": "#!/bin/sh", "mode": "0755"},
]
HTTP = {"type": "http", "url": "http://web.provisioning.svc:8080/health?deep=1"}


def service(docker: dict[str, Any] | None = None, kubernetes: dict[str, Any] | None = None, **settings: Any):
    blocks = {"docker": {"image": "web:1", **(docker or {})}, "kubernetes": kubernetes or {}}
    document = {"name": "web", "deployment": {"mode": "kubernetes", **blocks}, **settings}
    return build(ServiceDefinition, document)


def generate(definition: ServiceDefinition, **options: Any) -> list[dict[str, Any]]:
    return manifests_for(definition, project="shop", work_dir=WORK_DIR, **{"env": {}, **options})


def made(docker: dict[str, Any] | None = None, kubernetes: dict[str, Any] | None = None, **settings: Any):
    manifests = generate(service(docker, kubernetes, **settings))
    check_schema(manifests)
    return manifests


def kinds(manifests: list[dict[str, Any]]) -> list[str]:
    return [manifest["kind"] for manifest in manifests]


def one(manifests: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    (found,) = [m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"])]
    return found


def pod_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [m["spec"]["template"] for m in manifests if "template" in m.get("spec", {})]
    return found


def container_of(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return pod_of(manifests)["spec"]["containers"][0]


def faults(definition: ServiceDefinition) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        generate(definition)
    return [str(problem) for problem in caught.value.problems]
