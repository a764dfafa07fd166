# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_probes import (
    probe_problems,
    probes,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_workload import ServedPort
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

PORTS = [ServedPort("http", 8080, 80), ServedPort("dns-udp", 90, 91, "UDP")]
URL = "http://web.provisioning.svc:8080/health"


def service(health: dict[str, Any] | None, **startup: Any) -> ServiceDefinition:
    deployment = {"mode": "kubernetes", "kubernetes": {"image": "x"}}
    document = {"name": "web", "deployment": deployment, "startup": startup}
    return build(ServiceDefinition, {**document, **({"health": health} if health else {})})


def made(health: dict[str, Any], **startup: Any) -> dict[str, Any]:
    return probes(service(health, **startup), PORTS)


def test_a_service_without_a_check_has_no_probes():
    assert probes(service(None), PORTS) == {}


@pytest.mark.parametrize(
    ("health", "handler"),
    [
        (
            {"type": "http", "url": URL},
            {
                "httpGet": {
                    "path": "/health",
                    "port": 80,
                    "scheme": "HTTP",
                    "httpHeaders": [{"name": "Host", "value": "web.provisioning.svc:8080"}],
                }
            },
        ),
        (
            {"type": "http", "url": "https://x?a=b", "headers": {"Host": "me", "A": "1"}},
            {
                "httpGet": {
                    "path": "/?a=b",
                    "port": 443,
                    "scheme": "HTTPS",
                    "httpHeaders": [{"name": "Host", "value": "me"}, {"name": "A", "value": "1"}],
                }
            },
        ),
        ({"type": "http", "url": URL, "expected_status": [200, 401]}, {"tcpSocket": {"port": 80}}),
        ({"type": "http", "url": URL, "method": "POST"}, {"tcpSocket": {"port": 80}}),
        ({"type": "tcp", "port": 8080}, {"tcpSocket": {"port": 80}}),
        ({"type": "tcp", "port": 90}, {"tcpSocket": {"port": 90}}),
        ({"type": "command", "command": ["ok", "-q"], "inside": True}, {"exec": {"command": ["ok", "-q"]}}),
    ],
)
def test_a_probe_asks_the_pod_what_the_check_asks(health, handler):
    for probe in made(health).values():
        assert handler.items() <= probe.items()


def test_the_timings_of_the_check_are_those_of_the_probes():
    timing = {"interval": 5, "timeout": 1.5, "retries": 4, "success_threshold": 3}
    found = made({"type": "tcp", "port": 80, **timing}, timeout=45)
    running = {"tcpSocket": {"port": 80}, "timeoutSeconds": 2, "periodSeconds": 5, "failureThreshold": 4}
    assert found["readinessProbe"] == {**running, "successThreshold": 3}
    assert found["livenessProbe"] == {**running, "successThreshold": 1}
    assert found["startupProbe"] == {**running, "periodSeconds": 2, "failureThreshold": 23, "successThreshold": 1}


@pytest.mark.parametrize(
    ("start_period", "timeout", "least"), [(0, 60, 60), (300, 60, 300), (10, 0.5, 10), (0, 0.5, 1), (0, 7, 7)]
)
def test_a_pod_that_starts_has_the_longer_of_start_timeout_and_start_period(start_period, timeout, least):
    probe = made({"type": "tcp", "port": 80, "start_period": start_period}, timeout=timeout)["startupProbe"]
    patience = probe["periodSeconds"] * probe["failureThreshold"]
    assert least <= patience < least + 2


@pytest.mark.parametrize(
    ("health", "path"),
    [
        ({"type": "command", "command": ["x"]}, "web.health.inside"),
        ({"type": "command", "command": ["x"], "inside": True, "expected_exit_code": 1}, "web.health.expected_exit_code"),  # noqa: E501
        ({"type": "command", "command": ["x", "${secret.web.a}"], "inside": True}, "web.health.command"),
        ({"type": "file", "path": "/x"}, "web.health.type"),
        ({"type": "http", "url": URL, "headers": {"A": "${secret.web.a}"}}, "web.health.headers"),
    ],
)  # fmt: skip
def test_a_check_that_no_pod_can_answer_is_a_problem_with_a_remedy(health, path):
    (problem,) = probe_problems(service(health))
    assert problem.what == path
    assert problem.remedy
    assert made(health) == {}


def test_a_secret_in_a_header_does_no_harm_where_only_the_port_is_asked_for():
    health = {"type": "http", "url": URL, "method": "POST", "headers": {"A": "${secret.web.a}"}}
    assert probe_problems(service(health)) == []
