# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on a cluster: one clear error each, with the remedy."""

from __future__ import annotations

import socket
import sys

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_connection import (
    Cluster,
    Connection,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.kubernetes import KubernetesDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret
from ansible_collections.provisioning.platform.plugins.module_utils._wait import last_words, wait_for_service

from tests.fixtures.kubernetes.clusters import kubeconfig
from tests.fixtures.kubernetes.emulator import Refusal
from tests.fixtures.kubernetes.server import Running
from tests.integration.kubernetes.test_lifecycle import config_map, workload


def fails(bench, service) -> str:
    """Start a service, wait for its health and return why it did not come."""
    bench.driver.start(service, bench.observe(service), bench.digest(service))
    result = wait_for_service(service, bench.driver)
    assert not result.healthy
    return result.reason


@pytest.mark.parametrize(
    ("image", "reason", "event"),
    [
        ("missing", "ImagePullBackOff in web of pod web-", "Failed to pull image"),
        ("misnamed", "InvalidImageName in web of pod web-", ""),
        ("misconfigured", "CreateContainerConfigError in web of pod web-", ""),
        ("huge", "Unschedulable pod web-", ""),
    ],
)
def test_pods_that_will_never_run_end_the_wait_at_once(bench, image, reason, event):
    room = {"memory": "9000g"} if image == "huge" else {}  # more than any node has
    service = bench.service(image=image, definition={"startup": {"timeout": 60}, "resources": room})
    why = fails(bench, service)
    assert reason in why
    assert event in why
    assert "60 s" not in why
    assert bench.observe(service).status == "failed"


def test_a_crash_is_told_with_its_last_words_and_what_the_cluster_warns_of(bench):
    service = bench.service(image="crash")
    why = fails(bench, service)
    assert "CrashLoopBackOff in web of pod web-" in why
    assert "it exited with code 3" in why
    assert "events: BackOff: Back-off restarting failed container" in why
    if bench.emulator is not None:  # a stand-in for a kubelet keeps no logs
        assert "cannot open /etc/app.conf / giving up" in last_words(service, bench.driver)


def test_an_init_container_that_fails_is_found_too(bench):
    own = workload(bench, "Deployment")
    init = {"name": "first", "image": bench.image("missing")}
    own["spec"]["template"]["spec"]["initContainers"] = [init]
    assert "ImagePullBackOff in first of pod own-" in fails(bench, bench.service(objects=[own]))


def test_pods_that_never_get_ready_are_told_when_the_time_is_up(bench):
    service = bench.service(image="slow", definition={"startup": {"timeout": 1}})
    assert fails(bench, service) == "not healthy within 1 s: 0 of 1 pods are available"


def test_a_bad_new_version_fails_and_the_old_one_still_runs(bench):
    bench.start(bench.service())
    old = bench.observe(bench.service()).instances
    why = fails(bench, bench.service(image="missing"))
    assert "ImagePullBackOff" in why
    assert set(old) < set(bench.observe(bench.service()).instances)


def test_pods_that_failed_are_replaced_by_the_next_start(bench, emulator):
    service = bench.service(image="crash")
    fails(bench, service)
    before = bench.observe(service).instances
    bench.driver.start(service, bench.observe(service), bench.digest(service))
    assert bench.deployment()["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
    assert before


def test_a_right_that_lacks_is_named_with_verb_kind_and_namespace(bench, emulator):
    service = bench.service()
    emulator.forbidden = {("patch", "deployments")}
    problem = bench.driver.check(service)[0]
    assert problem.why == f"installer may not patch deployments.apps in the namespace {bench.namespace}"
    assert "docs/kubernetes.md has a role" in problem.remedy
    emulator.forbidden = {("list", "deployments")}
    with pytest.raises(DriverError, match=r"installer may not list deployments.apps in the namespace"):
        bench.observe(service)


def test_kinds_that_we_may_not_see_and_do_not_use_are_no_problem(bench, emulator):
    emulator.forbidden = {("list", "daemonsets"), ("list", "jobs"), ("list", "ingresses"), ("list", "networkpolicies")}
    service = bench.service()
    bench.start(service)
    changed = bench.service(env={"A": "b"})
    bench.start(changed)
    bench.driver.remove(changed, bench.observe(changed))


def test_what_may_not_be_looked_for_is_not_left_behind_in_silence(bench, emulator):
    quota = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "own"}}
    quota["spec"] = {"limits": [{"type": "Container", "max": {"memory": "64Gi"}}]}
    service = bench.service(objects=[workload(bench, "Deployment"), quota])
    bench.start(service)
    seen = bench.observe(service)
    emulator.forbidden = {("list", "limitranges")}
    with pytest.raises(DriverError, match="may not list limitranges"):
        bench.driver.remove(service, seen)


def test_a_namespace_that_exists_needs_no_right_to_make_one(bench, emulator):
    bench.make_namespace()
    emulator.forbidden = {("get", "namespaces"), ("patch", "namespaces")}
    assert bench.start(bench.service()).status == "running"


def test_a_kind_that_the_cluster_lacks_is_named(bench):
    own = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "one"}, "spec": {}}
    problem = bench.driver.check(bench.service(objects=[own]))[0]
    assert problem.why == "the cluster has no kind Gadget in example.com/v1"
    assert "install what brings example.com first" in problem.remedy


def test_an_invalid_manifest_is_told_by_field_before_anything_is_touched(bench):
    own = workload(bench, "Deployment")
    del own["spec"]["template"]["spec"]["containers"][0]["image"]
    service = bench.service(objects=[own, config_map("own", a="1")])
    bench.make_namespace()
    problem = bench.driver.check(service)[0]
    assert problem.why == "Deployment own is invalid: spec.template.spec.containers[0].image: Required value"
    assert bench.observe(service).status == "absent"


def test_a_field_that_does_not_exist_is_named(bench):
    bench.make_namespace()
    own = workload(bench, "Deployment", replica=2)
    assert bench.driver.check(bench.service(objects=[own]))[0].why == "Deployment own has no field spec.replica"


def test_what_cannot_be_changed_in_place_says_how_it_can(bench):
    bench.start(bench.service(objects=[workload(bench, "Deployment")]))
    own = workload(bench, "Deployment")
    own["spec"]["selector"]["matchLabels"] = {"app": "own", "more": "yes"}
    own["spec"]["template"]["metadata"]["labels"]["more"] = "yes"
    service = bench.service(objects=[own])
    problem = bench.driver.check(service)[0]
    assert "Deployment own cannot be changed in place: spec.selector" in problem.why
    assert "kubernetes.update of web to recreate" in problem.remedy
    anew = bench.service(objects=[own], update="recreate")
    assert bench.driver.check(anew) == []
    bench.start(anew)


def test_fields_that_others_have_set_are_left_to_them_unless_we_are_told_otherwise(bench, running, tmp_path):
    bench.start(bench.service(replicas=2))
    bench.patch(bench.deployment(), {"spec": {"replicas": 5}}, manager="kubectl-scale")
    changed = bench.service(replicas=3)
    problem = bench.driver.check(changed)[0]
    assert problem.why == "Deployment web: spec.replicas is set by kubectl-scale"
    assert "force_conflicts" in problem.remedy
    with pytest.raises(DriverError, match=r"spec.replicas is set by kubectl-scale"):
        bench.driver.start(changed, bench.observe(changed), bench.digest(changed))
    assert bench.deployment()["spec"]["replicas"] == 5
    bench.start(bench.service(replicas=3, force_conflicts=True))
    assert bench.deployment()["spec"]["replicas"] == 3


def test_an_object_of_our_name_that_is_not_ours_is_not_touched(bench):
    bench.make_namespace()
    bench.create(config_map("own", theirs="1"))
    problem = bench.driver.check(bench.service(objects=[config_map("own", ours="1")]))[0]
    assert problem.why == f"ConfigMap own exists already in the namespace {bench.namespace} and was not made for it"
    assert bench.read("ConfigMap", "own")["data"] == {"theirs": "1"}


def test_a_busy_cluster_is_asked_again(bench, emulator):
    service = bench.service()
    emulator.trouble = [(429, "TooManyRequests"), (503, "ServiceUnavailable"), (500, "InternalError")]
    assert bench.observe(service).status == "absent"


def test_what_admission_says_is_told(bench, emulator):
    bench.make_namespace()
    said = 'pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
    emulator.refused["Deployment"] = Refusal(403, "Forbidden", said)
    problem = bench.driver.check(bench.service())[0]
    assert said in problem.why
    assert "label the namespace" in problem.remedy


def test_a_secret_is_not_told_when_the_api_repeats_it(bench, emulator):
    bench.context.secrets.write("web", {"token": Secret("s3cret-value")})
    service = bench.service(env={"TOKEN": "${secret.web.token}"}, definition={"secrets": {"token": {}}})
    emulator.refused["Secret"] = Refusal(400, "BadRequest", "cannot take s3cret-value")
    with pytest.raises(DriverError) as caught:
        bench.driver.start(service, bench.observe(service), bench.digest(service))
    assert "s3cret-value" not in str(caught.value)


# --- the cluster itself ----------------------------------------------------------------------------------------------


def problem_of(bench, monkeypatch, cluster: Cluster, **env: str) -> str:
    for name in ("KUBECONFIG", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DriverError) as caught:
        Connection(cluster).api()
    return str(caught.value)


def test_a_cluster_that_does_not_answer(bench, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    path = kubeconfig(f"http://127.0.0.1:{port}", tmp_path)
    said = problem_of(bench, monkeypatch, Cluster(kubeconfig=str(path)))
    assert said.startswith(
        f"kubernetes: the cluster http://127.0.0.1:{port} does not answer: the connection is refused."
    )
    assert "deployment.kubernetes" in said


def test_credentials_that_are_not_accepted(bench, emulator, running, monkeypatch, tmp_path):
    path = kubeconfig(running.url, tmp_path, token="bad")
    said = problem_of(bench, monkeypatch, Cluster(kubeconfig=str(path)))
    assert f"the cluster {running.url} does not accept the credentials. Log in again" in said


def test_a_host_without_the_client(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    said = problem_of(bench, monkeypatch, Cluster())
    assert said == (
        "kubernetes: the Python package kubernetes is not installed. Install it on the host: pip install kubernetes."
    )


def test_no_credentials_at_all(bench, monkeypatch, tmp_path):
    said = problem_of(bench, monkeypatch, Cluster(), HOME=str(tmp_path))
    assert said.startswith("kubernetes: there are no credentials for a cluster. Set deployment.kubernetes.kubeconfig")


def test_a_file_of_credentials_that_is_missing_or_damaged(bench, monkeypatch, tmp_path):
    said = problem_of(bench, monkeypatch, Cluster(kubeconfig=str(tmp_path / "none")))
    assert said.startswith(f"kubernetes: {tmp_path}/none does not exist.")
    (tmp_path / "bad").write_text("[1, 2]")
    said = problem_of(bench, monkeypatch, Cluster(), KUBECONFIG=str(tmp_path / "bad"))
    assert said.startswith(f"kubernetes: {tmp_path}/bad")


def test_a_context_that_does_not_exist(bench, monkeypatch, tmp_path):
    path = kubeconfig("http://127.0.0.1:1", tmp_path)
    said = problem_of(bench, monkeypatch, Cluster(kubeconfig=str(path), context="staging"))
    assert said.startswith(f"kubernetes: {path}: has no context staging.")


def test_a_cluster_that_is_too_old(bench, monkeypatch, tmp_path):
    with Running(version=(1, 24)) as old:
        said = problem_of(bench, monkeypatch, Cluster(kubeconfig=str(kubeconfig(old.url, tmp_path))))
    assert "has version v1.24.2. Kubernetes 1.25 or later is needed" in said


def test_an_unreachable_cluster_is_a_problem_of_its_services(bench, tmp_path):
    path = kubeconfig("http://127.0.0.1:9", tmp_path)
    service = bench.service(kubeconfig=str(path))
    assert "does not answer" in KubernetesDriver(bench.context).check(service)[0].why
