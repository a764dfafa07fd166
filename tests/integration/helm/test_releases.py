# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on the cluster that KUBECONFIG names: Helm waits and watches as no stand-in for an API does."""

from __future__ import annotations

import difflib
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers import _helm_commands as commands
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.helm import HelmReleases
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.helm import CHART

pytestmark = pytest.mark.skipif("KUBECONFIG" not in os.environ, reason="no cluster: KUBECONFIG is not set")

#: The stand-in kubelet of the emulator knows these names; on a cluster with nodes, set images that do the same.
READY = os.environ.get("PROVISIONING_TEST_IMAGE", "example.test/good:1")
NEVER_READY = os.environ.get("PROVISIONING_TEST_IMAGE_SLOW", "example.test/slow:1")


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"helm-{uuid.uuid4().hex[:8]}"
    yield name
    subprocess.run(["kubectl", "delete", "namespace", name, "--wait=false", "--ignore-not-found"], check=True)


@pytest.fixture
def web(service, namespace) -> Callable[..., ServiceDefinition]:
    def make(image: str = READY, timeout: float = 20, **values) -> ServiceDefinition:
        chart = {"chart": str(CHART), "values": {"image": image, "password": "${secret.web.password}", **values}}
        return service(chart, namespace=namespace, startup={"timeout": timeout, "stop_timeout": 5})

    return make


def start(releases: HelmReleases, definition: ServiceDefinition, digest: str = "d1"):
    return releases.start(definition, ABSENT, digest)


def observed(releases: HelmReleases, definition: ServiceDefinition):
    return releases.observe([definition])["web"]


def kubectl(*words: str) -> str:
    return subprocess.run(["kubectl", *words], capture_output=True, text=True, check=True).stdout


def test_a_release_is_installed_seen_brought_up_to_date_and_removed(releases, web, namespace):
    assert observed(releases, web()) == ABSENT
    assert releases.check(web()) == []
    first = start(releases, web())
    assert (first.status, first.digest, first.id) == ("running", "d1", "web")
    second = start(releases, web(replicas=2), "d2")
    assert (second.status, second.digest) == ("running", "d2")
    assert observed(releases, web()) == second
    assert kubectl("get", "deployment", "web", "-n", namespace, "-o", "jsonpath={.spec.replicas}") == "2"
    assert [item["kind"] for item in releases.objects(web())] == ["Secret", "Deployment"]
    releases.remove(web(), second)
    assert observed(releases, web()) == ABSENT
    releases.remove(web(), ABSENT)


def test_what_does_not_become_ready_is_taken_back(releases, web):
    start(releases, web())
    with pytest.raises(DriverError, match="web: helm upgrade: "):
        start(releases, web(NEVER_READY, timeout=3), "d2")
    now = observed(releases, web())
    assert (now.status, now.digest) == ("running", "d1")


def test_a_first_installation_that_fails_leaves_nothing(releases, web):
    with pytest.raises(DriverError):
        start(releases, web(NEVER_READY, timeout=3))
    assert observed(releases, web()) == ABSENT


def interrupted(releases: HelmReleases, context, definition: ServiceDefinition) -> None:
    """Kill helm in the middle of an upgrade."""
    mark = commands.Mark("shop", "web", "d9")
    words = commands.upgrade(definition, mark, releases.dialect("web"))
    process = subprocess.Popen(
        [context.work_dir.bin / "helm", *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"image": NEVER_READY}))
    process.stdin.close()
    deadline = time.monotonic() + 120
    while not any(revision.is_pending for revision in releases.history(definition)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("installed", [False, True])
def test_a_release_that_was_left_pending_is_repaired(context, web, installed):
    told = []
    notes = {"notify": lambda kind, **data: told.append(data["reason"])}
    context = type(context)(**{**vars(context), **notes})
    releases = HelmReleases(context, clock=lambda: time.time() + 60)
    if installed:
        start(releases, web())
    interrupted(releases, context, web(timeout=60))
    assert observed(releases, web()).status == "starting"
    assert releases.check(web()) == []
    now = start(releases, web(), "d2")
    assert (now.status, now.digest) == ("running", "d2")
    was, done = ("pending-upgrade", "rolled back to revision 1") if installed else ("pending-install", "uninstalled")
    assert told == [f"web was left {was} (revision {2 if installed else 1}): {done}"]


def test_somebody_elses_operation_is_given_time(releases, context, web):
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)

    now = time.time()
    releases = HelmReleases(context, sleep=sleep, clock=lambda: now + sum(waited))
    interrupted(releases, context, web(timeout=60))
    releases.repair(web())
    assert 20 < sum(waited) <= 31


def test_a_release_of_somebody_else_is_not_touched(releases, context, web, namespace):
    helm = context.work_dir.bin / "helm"
    values = ["--set", f"image={READY}"]
    command = [helm, "install", "web", CHART, "-n", namespace, "--create-namespace", *values]
    subprocess.run(command, check=True, capture_output=True)
    (fault,) = map(str, releases.check(web()))
    assert fault.startswith("web: the release web exists already and is not of project shop. Set kubernetes.chart.rel")
    for action in (lambda: start(releases, web()), lambda: releases.remove(web(), ABSENT)):
        with pytest.raises(DriverError, match="exists already"):
            action()
    assert observed(releases, web()).digest is None
    assert len(releases.history(web())) == 1


def test_a_diff_tells_what_would_change_and_no_secret(releases, context, web):
    before, everything = releases.preview(web())
    assert before == ""
    assert "kind: Deployment" in everything
    start(releases, web())
    before, after = releases.preview(web())
    assert before == after
    context.secrets.write("web", {"password": Secret("other2other2", version=2)})
    lines = list(difflib.unified_diff(*(text.splitlines() for text in releases.preview(web(replicas=3)))))
    changed = [line for line in lines if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))]
    assert "-  replicas: 1" in changed
    assert "+  replicas: 3" in changed
    assert sum("password: ***" in line for line in changed) == 2
    assert "hunter2" not in everything + "\n".join(lines)
    assert len(releases.history(web())) == 1


def test_no_permission_is_told_with_verb_and_resource(releases, web, service, namespace):
    contexts = kubectl("config", "get-contexts", "-o", "name").split()
    if "installer" not in contexts:
        pytest.skip("the cluster gives nobody without rights")
    (fault,) = map(str, releases.check(service(namespace=namespace, context="installer")))
    assert 'cannot list resource "secrets"' in fault
    assert fault.endswith("Give the account of the kubeconfig that right, or use another account.")
