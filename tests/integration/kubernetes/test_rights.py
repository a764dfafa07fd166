# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that ``examples/kubernetes/installer.yml`` grants are all that is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.kubernetes import KubernetesDriver
from ansible_collections.provisioning.platform.plugins.module_utils._model import CommandHealthCheck
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.kubernetes.clusters import Bench, kubeconfig, until
from tests.integration.kubernetes.test_lifecycle import claim, config_map, workload

EXAMPLE = Path(__file__).parents[3] / "examples" / "kubernetes" / "installer.yml"


def manifests(namespace: str) -> list[dict[str, Any]]:
    """The example, for another namespace."""
    text = EXAMPLE.read_text()
    documents = list(yaml.safe_load_all(text))
    for item in documents:
        metadata = item["metadata"]
        if metadata.get("namespace"):
            metadata["namespace"] = namespace
        elif item["kind"] == "Namespace":
            metadata |= {"name": namespace, "labels": {}}
        else:
            metadata["name"] = namespace
        for subject in item.get("subjects", []):
            subject["namespace"] = namespace
        for rule in item.get("rules", []):
            if "resourceNames" in rule:
                rule["resourceNames"] = [namespace]
        if item["kind"] == "ClusterRoleBinding":
            item["roleRef"]["name"] = namespace
    return documents


def as_installer(bench: Bench, folder: Path) -> KubernetesDriver:
    """A driver with the account of the example."""
    documents = manifests(bench.namespace)
    if bench.emulator is not None:
        bench.make_namespace()
        bench.emulator.granted = {
            (verb, group, resource)
            for item in documents
            for rule in item.get("rules", [])
            for verb in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        return bench.driver
    for item in documents:
        kind = bench.api.kind(item["apiVersion"], item["kind"], service="test")
        path = kind.path(item["metadata"].get("namespace"), item["metadata"]["name"])
        query = {"fieldManager": "test", "force": "true"}
        apply = "application/apply-patch+yaml"
        bench.api.request("PATCH", path, service="test", query=query, body=item, content_type=apply)
    account = f"/api/v1/namespaces/{bench.namespace}/serviceaccounts/provisioning-installer/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = bench.api.request("POST", account, service="test", body=asked)["status"]["token"]
    settings = bench.api.official().configuration
    path = kubeconfig(settings.host, folder, token)
    document = json.loads(path.read_text())
    document["clusters"][0]["cluster"]["certificate-authority"] = settings.ssl_ca_cert
    path.write_text(json.dumps(document))
    bench.kubeconfig = str(path)
    return bench.driver


@pytest.fixture
def installer(bench, tmp_path):
    bench.driver = as_installer(bench, tmp_path)
    yield bench
    if bench.emulator is None:
        for plural in ("clusterroles", "clusterrolebindings"):
            path = f"/apis/rbac.authorization.k8s.io/v1/{plural}/{bench.namespace}"
            bench.api.request("DELETE", path, service="test")


def test_a_service_with_all_that_is_generated_needs_no_more(installer):
    installer.context.secrets.write("web", {"token": Secret("s3cret-value")})
    verify = [{"type": "http", "url": "http://web:8080/"}] if installer.emulator else []
    definition = {"secrets": {"token": {}}, "verify": verify}
    service = installer.service(replicas=2, env={"TOKEN": "${secret.web.token}"}, definition=definition)
    assert installer.driver.check(service) == []
    installer.start(service)
    installer.start(service)  # a restart
    if installer.emulator is not None:
        assert list(installer.driver.logs(service))
        command = build(CommandHealthCheck, {"type": "command", "command": ["true"], "inside": True})
        assert installer.driver.execute(service, command)[0] == 0
        assert installer.driver.judge(service, service.verify[0]).healthy
    changed = installer.service(env={"A": "1"}, update="blue-green")
    installer.start(changed)
    assert [found.name for found in installer.driver.find([changed])] == ["web"]
    installer.driver.stop(changed, installer.observe(changed))
    installer.driver.remove(changed, installer.observe(changed))
    assert installer.driver.purge() == []


def test_manifests_of_the_usual_kinds_need_no_more(installer):
    kinds = ("StatefulSet", "DaemonSet", "CronJob")
    own = [{**workload(installer, kind), "metadata": {"name": kind.lower()}} for kind in kinds]
    service = installer.service(objects=[*own, config_map("one"), claim("data")])
    assert installer.driver.check(service) == []
    installer.start(service)
    installer.driver.remove(service, installer.observe(service))
    assert installer.driver.purge() == [f"{installer.namespace}/data"]


def test_failures_are_explained_with_these_rights(installer):
    service = installer.service(image="crash")
    installer.start(service, wait="failed")
    until(lambda: installer.observe(service).detail, lambda text: "events: BackOff" in text)
