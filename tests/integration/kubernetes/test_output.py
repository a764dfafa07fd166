# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs, commands and checks of what runs on a cluster."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    CommandHealthCheck,
    HttpHealthCheck,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.module_utils._wait import verify_service

from tests.fixtures.kubernetes.clusters import until


def test_logs_of_all_pods_come_with_their_time(bench, emulator):
    service = bench.service(replicas=2)
    bench.start(service)
    lines = list(bench.driver.logs(service))
    assert [line.text for line in lines] == ["listening", "listening", "ready", "ready"]
    assert lines[0].time < lines[-1].time
    assert [line.text for line in bench.driver.logs(service, tail=1)] == ["ready"]


def test_logs_that_are_followed_end_with_the_pods(bench, emulator):
    service = bench.service(replicas=2)
    bench.start(service)
    assert len(list(bench.driver.logs(service, follow=True))) == 4


def test_a_service_that_is_not_there_has_no_log(bench):
    assert list(bench.driver.logs(bench.service())) == []


def test_a_command_runs_inside_a_pod(bench, emulator):
    service = bench.service()
    bench.start(service)
    emulator.commands["app status"] = (3, "not well\n")
    check = build(CommandHealthCheck, {"type": "command", "command": ["app", "status"], "inside": True})
    assert bench.driver.execute(service, check) == (3, "not well\n")
    emulator.commands["app status"] = (0, "well\n")
    assert bench.driver.execute(service, check) == (0, "well\n")


def test_a_command_that_cannot_begin_fails_with_what_the_api_says(bench, emulator):
    check = {"type": "command", "command": ["nowhere"], "inside": True}
    service = bench.service(definition={"verify": [check]})
    bench.start(service)
    said = 'error executing command in container: exec: "nowhere": executable file not found in $PATH'
    emulator.commands["nowhere"] = (None, said)
    assert bench.driver.execute(service, build(CommandHealthCheck, check)) == (126, said)
    (result,) = verify_service(service, bench.driver)
    assert not result.healthy
    assert said in result.reason


def test_a_command_needs_a_pod_that_runs_and_the_right_to_it(bench, emulator):
    service = bench.service()
    check = build(CommandHealthCheck, {"type": "command", "command": ["app"], "inside": True})
    with pytest.raises(DriverError, match="has no pod that runs"):
        bench.driver.execute(service, check)
    bench.start(service)
    emulator.forbidden = {("create", "pods/exec")}
    with pytest.raises(DriverError, match="app in pod web-"):
        bench.driver.execute(service, check)


def verified(bench, *checks, **settings):
    service = bench.service(definition={"verify": list(checks)}, **settings)
    bench.start(service)
    return verify_service(service, bench.driver)


def test_http_is_verified_through_the_clusters_proxy(bench, emulator):
    check = {"type": "http", "url": "http://127.0.0.1:8080/v2/?x=1", "expected_body": "good at /v2/"}
    (result,) = verified(bench, check)
    assert (result.healthy, result.reason) == (True, "http://127.0.0.1:8080/v2/?x=1 answered 200")


def test_an_answer_that_is_not_expected_fails(bench, emulator):
    emulator.answers["good"] = (404, "nothing here")
    service = bench.service()
    bench.start(service)
    missing = build(HttpHealthCheck, {"type": "http", "url": "http://web:8080/v2/"})
    service = bench.service(definition={"verify": [{"type": "http", "url": "http://web:8080/v2/"}]})
    result = bench.driver.judge(service, missing)
    assert (result.healthy, result.reason) == (False, "http://web:8080/v2/ answered 404")
    expected = {"type": "http", "url": "http://web:8080/v2/", "expected_status": [404]}
    service = bench.service(definition={"verify": [expected]})
    assert bench.driver.judge(service, build(HttpHealthCheck, expected)).healthy


def test_other_checks_are_answered_by_readiness_and_say_so(bench):
    tcp, dns, file = verified(
        bench,
        {"type": "tcp", "port": 8080},
        {"type": "dns", "name": "a.example", "port": 53},
        {"type": "file", "path": "/nowhere"},
    )
    assert (tcp.healthy, dns.healthy, file.healthy) == (True, True, True)
    assert tcp.reason == "it is rolled out"
    assert dns.reason == "its pods are ready; a DNS check does not reach into the cluster"


def test_health_is_what_the_pods_own_probes_say(bench):
    health = {"type": "tcp", "port": 8080, "host": "127.0.0.1"}
    service = bench.service(image="slow", definition={"health": health})
    bench.start(service, wait="starting")
    check = build(TcpHealthCheck, health)
    result = until(lambda: bench.driver.judge(service, check), lambda found: "available" in found.reason)
    assert (result.healthy, result.reason) == (False, "0 of 1 pods are available")
