# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enterprise profile as its example has it, on a cluster: installed, installed again, and taken away."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.plugin_utils.profiles import PROFILES

from tests.fixtures.installations import ROOT, Installation, Ran, changed
from tests.fixtures.kubernetes.clusters import Bench, make_bench, running_cluster, until
from tests.fixtures.kubernetes.inside import answering_pods, volumes
from tests.fixtures.receiver import Receiver

ALL = set(PROFILES["enterprise"])
TWICE = {"orchestrator", "control-center", "api-gateway", "api-server", "mcp-server", "coredns", "grafana"}
OURS = "io.provisioning/project"
KEY = "r0uting-key"
IMAGE = "registry.example.test/provisioning-platform:1"

#: What services answer that the installation verifies, by the last part of their image's name and the path.
ANSWERS = {
    "alertmanager/api/v2/status": (200, '{"config":{"original":"receivers: []"}}'),
    "gitea/api/v1/version": (200, '{"version":"1"}'),
    "grafana/api/health": (200, '{"database": "ok"}'),
    "loki/loki/api/v1/labels": (200, '{"status":"success"}'),
    "openbao/v1/sys/seal-status": (200, '{"initialized":true}'),
    "openbao/v1/secret/data/verification": (403, '{"errors":["permission denied"]}'),
    "prometheus/api/v1/query": (200, '{"status":"success"}'),
    "prometheus/api/v1/rules": (200, '{"rules":["ServiceDown"]}'),
    "provisioning-platform/api/platform": (200, '{"source":"the orchestrator at http://orchestrator:8080"}'),
    "provisioning-platform/api/v1/services": (200, '[{"name":"orchestrator"}]'),
    "provisioning-platform/api/v1/status": (200, '{"source":"the orchestrator at http://orchestrator:8080"}'),
    "provisioning-platform/ready": (200, '{"tools":["list_services"]}'),
}


@dataclass(frozen=True)
class Installed:
    one: Installation
    bench: Bench
    receiver: Receiver
    ran: Ran

    def run(self, *arguments: str) -> Ran:
        return self.one.run(*arguments, prefix=["env", f"PAGERDUTY_ROUTING_KEY={KEY}", f"PROVISIONING_IMAGE={IMAGE}"])

    def listed(self, kind: str, version: str = "v1") -> list[dict[str, Any]]:
        """Return the objects of a kind in the namespace."""
        api = self.bench.api
        return list(api.list(api.kind(version, kind, service="test"), self.bench.namespace, labels={}, service="test"))

    def workloads(self) -> dict[str, dict[str, Any]]:
        found = [*self.listed("Deployment", "apps/v1"), *self.listed("StatefulSet", "apps/v1")]
        return {item["metadata"]["name"]: item for item in found}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("enterprise")
    with running_cluster() as running, Receiver() as receiver, ExitStack() as stack:
        bench = make_bench(folder, running)
        one = example(folder, bench, receiver)
        if bench.emulator is not None:
            bench.emulator.answers |= ANSWERS
        elif not bench.has_kubelets:
            answers = {name[name.index("/") :]: answer for name, answer in ANSWERS.items()}
            ports = [service["port"] for service in one.document["deployment"]["services"]]
            stack.enter_context(answering_pods(answers, ports))
            stack.enter_context(volumes(bench.api, 2 * len(ALL)))
            one.service("postgres")["verify"] = []  # a command inside, which nobody runs there
        blank = Installed(one, bench, receiver, Ran([], 0))
        try:
            yield Installed(one, bench, receiver, blank.run("--json"))
        finally:
            one.clean()
            bench.close()


def example(folder: Path, bench: Bench, receiver: Receiver) -> Installation:
    """Return an installation of the example, with nothing changed but where it goes and who is told."""
    document = yaml.safe_load((ROOT / "examples/enterprise.yml").read_text(encoding="utf-8"))
    project, work_dir = f"e2e-{random.randrange(16**6):06x}", folder / "work"
    document |= {"installation_id": project, "work_dir": str(work_dir)}
    document["deployment"] |= {
        "project": project,
        "kubernetes": {"namespace": bench.namespace, "kubeconfig": bench.kubeconfig},
    }
    notifications = document["notifications"]
    address = f"http://127.0.0.1:{receiver.port}"
    notifications["webhook_url"] = notifications["webhook_url"].replace("https://events.pagerduty.com", address)
    assert notifications["webhook_url"].startswith(address)
    return Installation(folder, document, {}, None, work_dir)


def test_all_fifteen_are_rolled_out_and_verified(installed: Installed) -> None:
    assert (installed.ran.returncode, installed.ran.stderr) == (0, "")
    ending = json.loads(installed.ran.stdout.splitlines()[-1])
    assert (ending["kind"], ending["data"]["degraded"]) == ("run.completed", False)
    statuses = {name: service["status"] for name, service in ending["data"]["services"].items()}
    assert statuses == dict.fromkeys(ALL, "healthy")
    workloads = installed.workloads()
    assert set(workloads) == ALL
    for name, item in workloads.items():
        wanted = 2 if name in TWICE else 1
        assert (item["spec"]["replicas"], item["status"]["readyReplicas"]) == (wanted, wanted), name


def test_what_runs_twice_is_spread_and_keeps_one_up(installed: Installed) -> None:
    budgets = {item["metadata"]["name"] for item in installed.listed("PodDisruptionBudget", "policy/v1")}
    assert budgets == TWICE
    for name, item in installed.workloads().items():
        spread = item["spec"]["template"]["spec"].get("topologySpreadConstraints") or []
        assert bool(spread) == (name in TWICE), name


def test_each_has_probes_limits_and_a_restricted_security_context_on_the_cluster(installed: Installed) -> None:
    for name, item in installed.workloads().items():
        pod = item["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        for container in pod["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
            assert container["resources"]["limits"]["memory"], name
            assert not container["securityContext"]["allowPrivilegeEscalation"], name
            assert container["securityContext"]["capabilities"]["drop"] == ["ALL"], name


def test_secrets_are_in_secrets_alone(installed: Installed) -> None:
    values = installed.one.secrets().values()
    assert values
    shown = json.dumps([installed.workloads(), installed.listed("ConfigMap"), installed.ran.stdout])
    assert [value for value in values if value in shown] == []


def test_who_is_on_call_is_told(installed: Installed) -> None:
    installed.receiver.await_deliveries(1)
    (told,) = installed.receiver.deliveries
    assert told.path == "/v2/enqueue"
    assert (told.json["routing_key"], told.json["event_action"]) == (KEY, "resolve")


def test_again_nothing_changes_and_an_uninstallation_leaves_nothing(installed: Installed) -> None:
    before = {name: item["metadata"]["generation"] for name, item in installed.workloads().items()}
    assert installed.run("plan").returncode == 0
    again = installed.run()
    assert (again.returncode, changed(again)) == (0, 0)
    assert {name: item["metadata"]["generation"] for name, item in installed.workloads().items()} == before
    assert installed.one.playbook("uninstall", purge=True).returncode == 0
    for kind in ("ConfigMap", "Secret", "Service", "PersistentVolumeClaim", "Pod"):
        # A cluster puts things of its own into every namespace.
        kept = [item["metadata"] for item in installed.listed(kind)]
        assert [metadata["name"] for metadata in kept if OURS in (metadata.get("labels") or {})] == [], kind
    assert installed.workloads() == {}
    until(lambda: installed.bench.read("Namespace", installed.bench.namespace), lambda found: found is None)
    assert not installed.one.work_dir.exists()
