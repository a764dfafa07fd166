# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role that can be on a cluster makes objects that are valid there and keep to the restricted standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_manifests import manifests_for
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

from tests.unit.plugins.module_utils.drivers.kubernetes_rules import broken_controls, check_schema, pods

ROLES = Path(__file__).parents[3] / "roles"


def on_a_cluster() -> list[str]:
    files = {path.parents[1].name.replace("_", "-"): path for path in sorted(ROLES.glob("*/meta/service.yml"))}
    blocks = {name: yaml.safe_load(path.read_text(encoding="utf-8"))["deployment"] for name, path in files.items()}
    return [name for name, deployment in blocks.items() if {"docker", "kubernetes"} & set(deployment)]


@pytest.fixture(params=on_a_cluster())
def manifests(request, cluster_services) -> list[dict[str, Any]]:
    service = cluster_services[request.param]
    assert service.mode == "kubernetes"
    if service.deployment.kubernetes.chart is not None:
        pytest.fail("a chart's objects are Helm's: test them with helm template")
    return manifests_for(service, project="x", work_dir=WorkDir(Path("/var/lib/provisioning")), env={"A": "b"})


def test_its_objects_are_valid(manifests):
    check_schema(manifests)


def test_its_pods_keep_to_the_restricted_standard(manifests):
    assert broken_controls(manifests) == []


def test_its_pods_are_probed_and_limited(manifests):
    for pod in pods(manifests):
        for container in pod["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
            assert "memory" in container["resources"]["limits"]


def test_no_secret_is_readable_outside_of_a_secret(manifests):
    for manifest in manifests:
        assert manifest["kind"] == "Secret" or "${secret." not in str(manifest)
