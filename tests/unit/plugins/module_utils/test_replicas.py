# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _ports
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    AnyVerification,
    CommandHealthCheck,
    HttpHealthCheck,
    ServiceDefinition,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.module_utils._replicas import checks, count, for_replica

from tests.fixtures.definitions import service


def processes(replicas: int, **binary: Any) -> ServiceDefinition:
    return service("web", port=8000, ports={"metrics": 9000}, binary={"replicas": replicas, **binary})


def containers(replicas: int, *ports: str) -> ServiceDefinition:
    block = {"image": "x", "replicas": replicas, "ports": list(ports)}
    return build(ServiceDefinition, {"name": "web", "deployment": {"mode": "docker", "docker": block}, "port": 8000})


def test_each_process_is_told_its_number_and_its_ports():
    args = ["--listen=:${replica.port}", "${replica.number}", "$${x}"]
    web = processes(3, args=args, env={"M": "${replica.ports.metrics}", "N": 1})
    block = web.deployment.binary
    assert block is not None
    second = for_replica(web, block, 2)
    assert second.args == ["--listen=:8001", "2", "$${x}"]
    assert second.env == {"M": "9001", "N": 1}
    assert for_replica(web, block, 1).args[:2] == ["--listen=:8000", "1"]


def test_processes_need_the_ports_that_follow():
    assert [port.number for port in _ports.needed(processes(3))] == [8000, 8001, 8002, 9000, 9001, 9002]


def addresses(found: list[AnyVerification]) -> list[Any]:
    return [one.url if isinstance(one, HttpHealthCheck) else getattr(one, "port", None) for one in found]


def http(url: str) -> HttpHealthCheck:
    return HttpHealthCheck(type="http", url=url)


@pytest.mark.parametrize(
    ("definition", "check", "expected"),
    [
        (processes(1), http("http://127.0.0.1:8000/h"), ["http://127.0.0.1:8000/h"]),
        (processes(2), http("http://127.0.0.1:8000/h?a=1"), [f"http://127.0.0.1:{n}/h?a=1" for n in (8000, 8001)]),
        (processes(2), http("http://[::1]:9000/"), ["http://[::1]:9000/", "http://[::1]:9001/"]),
        (processes(2), http("http://127.0.0.1:7000/"), ["http://127.0.0.1:7000/"]),
        (processes(2), http("http://elsewhere.example:8000/"), ["http://elsewhere.example:8000/"]),
        (processes(2), TcpHealthCheck(type="tcp", port=8000), [8000, 8001]),
        (processes(2), CommandHealthCheck(type="command", command=["true"]), [None]),
        (
            containers(2, "8000-8001:80"),
            http("http://localhost:8000/"),
            [f"http://localhost:{n}/" for n in (8000, 8001)],
        ),
        (containers(2), http("http://127.0.0.1:8000/"), ["http://127.0.0.1:8000/"]),
        (containers(2, "8000-8001:80"), TcpHealthCheck(type="tcp", port=9000), [9000]),
    ],
)
def test_every_replica_is_checked_where_it_can_be_asked(definition, check, expected):
    assert addresses(checks(definition, check)) == expected


def test_what_is_not_said_to_be_several_is_one():
    remote = {"name": "x", "deployment": {"mode": "remote", "remote": {"url": "http://x"}}}
    assert [count(one) for one in (processes(3), containers(2), build(ServiceDefinition, remote))] == [3, 2, 1]
