# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a service on a cluster: start, change, restart, stop, remove."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._plan import decide
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.kubernetes.clusters import Bench, make_bench, until

LABEL = "io.provisioning/project"


def plan(bench: Bench, service, goal="started"):
    return decide(service.name, goal, bench.observe(service), bench.driver.render(service))


def pods(bench: Bench, service) -> list[str]:
    return list(bench.observe(service).instances)


def claim(name: str) -> dict:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def workload(bench: Bench, kind: str, image: str = "good", **spec) -> dict:
    """A user's own object that makes pods."""
    pod = {
        "containers": [{"name": "main", "image": bench.image(image), "args": ["netexec"]}],
        "terminationGracePeriodSeconds": 1,
    }
    template = {"metadata": {"labels": {"app": "own"}}, "spec": pod}
    version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        spec = {"template": template, **spec}
    elif kind == "CronJob":
        template["spec"]["restartPolicy"] = "Never"
        spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}, **spec}
    else:
        spec = {"selector": {"matchLabels": {"app": "own"}}, "template": template, **spec}
    if kind == "StatefulSet":
        spec["serviceName"] = "own"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "own"}, "spec": spec}


def test_a_service_is_made_from_its_definition_and_becomes_ready(bench):
    service = bench.service()
    assert bench.observe(service) == ABSENT
    assert plan(bench, service).verb == "create"
    seen = bench.start(service)
    assert (seen.status, seen.digest) == ("running", bench.digest(service))
    assert bench.driver.judge(service, None).healthy
    deployment = bench.deployment()
    assert deployment["metadata"]["labels"][LABEL] == bench.project
    assert {m["manager"] for m in deployment["metadata"]["managedFields"] if m["operation"] == "Apply"} == {
        "provisioning-platform"
    }
    assert plan(bench, service).verb == "none"


def test_a_change_is_seen_and_rolled_out(bench):
    bench.start(bench.service())
    before = pods(bench, bench.service())
    service = bench.service(env={"LEVEL": "debug"})
    assert plan(bench, service).verb == "recreate"
    bench.start(service)
    until(lambda: pods(bench, service), lambda names: len(names) == 1 and names != before)
    assert plan(bench, service).verb == "none"


def test_starting_again_what_runs_as_wanted_restarts_its_pods_one_after_the_other(bench):
    service = bench.service()
    bench.start(service)
    before, digest = pods(bench, service), bench.digest(service)
    assert plan(bench, service, "restarted").verb == "restart"
    bench.start(service)
    until(lambda: pods(bench, service), lambda names: len(names) == 1 and names != before)
    assert bench.await_status(service, "running").digest == digest
    bench.start(bench.service(env={"LEVEL": "debug"}))  # the restart is nobody's who would be in the way


def test_what_is_stopped_has_no_pods_and_comes_back_as_it_was(bench):
    service = bench.service(replicas=2)
    bench.start(service)
    bench.driver.stop(service, bench.observe(service))
    seen = bench.observe(service)
    assert (seen.status, seen.instances) == ("stopped", ())
    assert plan(bench, service).verb == "start"
    bench.start(service)
    until(lambda: pods(bench, service), lambda names: len(names) == 2)
    assert "io.provisioning/replicas" not in bench.deployment()["metadata"].get("annotations", {})


def test_replicas_that_a_definition_leaves_open_are_remembered_when_it_is_stopped(bench):
    service = bench.service(objects=[workload(bench, "Deployment")])
    bench.start(service)
    bench.patch(bench.deployment("own"), {"spec": {"replicas": 3}}, manager="autoscaler")
    until(lambda: pods(bench, service), lambda names: len(names) == 3)
    bench.driver.stop(service, bench.observe(service))
    assert bench.observe(service).status == "stopped"
    bench.start(service)
    assert bench.deployment("own")["spec"]["replicas"] == 3


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_other_workloads_are_started_changed_stopped_and_started_again(bench, kind):
    service = bench.service(objects=[workload(bench, kind)])
    bench.start(service)
    changed = bench.service(objects=[workload(bench, kind, minReadySeconds=1)])
    assert bench.start(changed).digest == bench.digest(changed)
    bench.driver.stop(changed, bench.observe(changed))
    assert (bench.observe(changed).status, pods(bench, changed)) == ("stopped", [])
    bench.start(changed)
    bench.driver.remove(changed, bench.observe(changed))
    assert bench.observe(changed) == ABSENT


def test_a_task_ends_and_is_done_again_when_it_changes(bench):
    service = bench.service(objects=[workload(bench, "Job", "task")])
    seen = bench.start(service, wait="stopped")
    assert (seen.exit_code, seen.has_completed) == (0, True)
    assert bench.driver.judge(service, None).healthy
    first = bench.read("Job", "own", "batch/v1")["metadata"]["uid"]
    changed = bench.service(objects=[workload(bench, "Job", "task", backoffLimit=1)])
    bench.start(changed, wait="stopped")
    assert bench.read("Job", "own", "batch/v1")["metadata"]["uid"] != first


def test_a_schedule_is_suspended_and_resumed(bench):
    service = bench.service(objects=[workload(bench, "CronJob")])
    bench.start(service)
    bench.driver.stop(service, bench.observe(service))
    assert bench.observe(service).status == "stopped"
    bench.start(service)
    assert not bench.read("CronJob", "own", "batch/v1")["spec"]["suspend"]


def test_all_goes_but_data_until_that_is_purged(bench):
    service = bench.service(objects=[workload(bench, "Deployment"), config_map("own", a="1"), claim("data")])
    bench.start(service)
    bench.driver.remove(service, bench.observe(service))
    assert bench.observe(service) == ABSENT
    assert bench.read("ConfigMap", "own") is None
    assert bench.read("PersistentVolumeClaim", "data") is not None
    assert bench.driver.clean() == []
    assert bench.driver.purge() == [f"{bench.namespace}/data", bench.namespace]
    until(lambda: bench.read("PersistentVolumeClaim", "data"), lambda found: found is None)


def test_data_of_a_stateful_service_outlives_it_and_is_purged(bench):
    service = bench.service(volumes=["data:/data"], definition={"startup": {"timeout": 20, "stop_timeout": 1}})
    bench.driver.start(service, bench.observe(service), bench.digest(service))
    until(lambda: bench.read("PersistentVolumeClaim", "volume-data-web-0"), lambda found: found is not None)
    bench.driver.remove(service, bench.observe(service))
    assert bench.read("PersistentVolumeClaim", "volume-data-web-0") is not None
    assert bench.driver.purge() == [f"{bench.namespace}/volume-data-web-0", bench.namespace]


def test_a_namespace_that_was_made_for_the_installation_goes_with_the_last_of_it(bench):
    one, two = bench.service("one"), bench.service("two")
    bench.start(one)
    bench.start(two)
    bench.driver.remove(one, bench.observe(one))
    assert bench.driver.clean() == []
    bench.driver.remove(two, bench.observe(two))
    assert bench.driver.clean() == [bench.namespace]


def test_a_namespace_that_others_made_or_use_stays(bench):
    bench.make_namespace()
    service = bench.service()
    bench.start(service)
    bench.driver.remove(service, bench.observe(service))
    assert bench.driver.purge() == []
    with_theirs = bench.service()
    bench.create(config_map("theirs", a="1"))
    bench.start(with_theirs)
    bench.driver.remove(with_theirs, bench.observe(with_theirs))
    assert bench.driver.purge() == []
    assert bench.read("ConfigMap", "theirs") is not None


def test_what_is_not_wanted_any_more_goes_and_nothing_else(bench):
    objects = [workload(bench, "Deployment"), config_map("one", a="1"), config_map("two", a="1")]
    bench.start(bench.service(objects=objects))
    labels = bench.read("ConfigMap", "one")["metadata"]["labels"]
    theirs = config_map("theirs", a="1")
    theirs["metadata"]["labels"] = labels  # as copies and controllers have them
    bench.create(theirs)
    bench.start(bench.service(objects=objects[:2]))
    until(lambda: bench.read("ConfigMap", "two"), lambda found: found is None)
    assert bench.read("ConfigMap", "one") is not None
    assert bench.read("ConfigMap", "theirs") is not None


def test_a_kind_that_few_use_is_remembered_so_that_it_can_go(bench):
    quota = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "own"}}
    quota["spec"] = {"limits": [{"type": "Container", "max": {"memory": "64Gi"}}]}
    bench.start(bench.service(objects=[workload(bench, "Deployment"), quota]))
    assert bench.read("LimitRange", "own") is not None
    bench.start(bench.service(objects=[workload(bench, "Deployment")]))
    until(lambda: bench.read("LimitRange", "own"), lambda found: found is None)


def test_an_object_that_has_gone_behind_our_back_is_seen_and_made_again(bench):
    service = bench.service()
    bench.start(service)
    bench.api.request("DELETE", f"/api/v1/namespaces/{bench.namespace}/services/web", service="test")
    until(lambda: bench.read("Service", "web"), lambda found: found is None)
    seen = bench.observe(service)
    assert (seen.status, seen.digest, seen.drift) == ("running", bench.digest(service), "Service web is gone")
    action = plan(bench, service)
    assert (action.verb, action.reason) == ("start", "Service web is gone")
    bench.start(service)
    assert bench.read("Service", "web") is not None


def test_a_secret_reaches_the_cluster_and_nothing_else(bench):
    bench.context.secrets.write("web", {"token": Secret("s3cret-value")})
    service = bench.service(env={"TOKEN": "${secret.web.token}"}, definition={"secrets": {"token": {}}})
    assert "s3cret-value" not in str(bench.driver.render(service))
    bench.start(service)
    assert "s3cret-value" not in str(bench.deployment())
    before, first = bench.digest(service), pods(bench, service)
    bench.context.secrets.write("web", {"token": Secret("an0ther-value", 2)})
    assert bench.digest(service) != before
    bench.start(service)
    until(lambda: pods(bench, service), lambda names: len(names) == 1 and names != first)


def test_the_state_of_many_costs_no_more_requests_than_that_of_one(bench, emulator):
    names = [f"svc{number}" for number in range(5)]
    services = [bench.service(name) for name in names]
    for service in services:
        bench.start(service)
    emulator.asked.clear()
    bench.driver.observe(services[:1])
    one = len(emulator.asked)
    emulator.asked.clear()
    assert {seen.status for seen in bench.driver.observe(services).values()} == {"running"}
    assert len(emulator.asked) == one


def test_two_installations_on_one_cluster_do_not_see_each_other(bench, running, tmp_path):
    other = make_bench(tmp_path, running)
    bench.start(bench.service())
    theirs = other.service(namespace=bench.namespace)
    assert other.observe(theirs) == ABSENT
    problem = other.driver.check(theirs)[0]
    assert f"exists already in the namespace {bench.namespace} (of {bench.project})" in problem.why
    assert "kubernetes.namespace of web" in problem.remedy


def test_checking_touches_nothing(bench, emulator):
    service = bench.service()
    assert bench.driver.check(service) == []
    assert [place for place in emulator.store if bench.namespace in place] == []
    bench.start(service)
    there = versions_in(emulator, bench.namespace)
    assert there
    assert bench.driver.check(bench.service(env={"LEVEL": "debug"})) == []
    assert versions_in(emulator, bench.namespace) == there


def versions_in(emulator, namespace):
    return {
        place: item["metadata"].get("resourceVersion") for place, item in emulator.store.items() if namespace in place
    }


def test_serials_rise_only_when_something_else_changes(bench):
    objects = [
        workload(bench, "Deployment"),
        config_map("zone", db="@ SOA ns. admin. ${serial} 1 1 1 1\nhost A 1.2.3.4\n"),
    ]
    bench.start(bench.service(objects=objects))
    first = bench.read("ConfigMap", "zone")["data"]["db"]
    assert "serial" not in first
    objects[0] = workload(bench, "Deployment", minReadySeconds=1)
    bench.start(bench.service(objects=objects))
    assert bench.read("ConfigMap", "zone")["data"]["db"] == first
    objects[1] = config_map("zone", db="@ SOA ns. admin. ${serial} 1 1 1 1\nhost A 1.2.3.5\n")
    bench.start(bench.service(objects=objects))
    second = bench.read("ConfigMap", "zone")["data"]["db"]
    assert int(second.split()[4]) > int(first.split()[4])
