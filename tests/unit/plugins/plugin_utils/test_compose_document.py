# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From definitions to one Compose file."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_document import (
    compose_document,
    variable_of,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_health import healthcheck

FOLDER = "/srv/export"
BUSYBOX = "/healthcheck/busybox"


def service(name: str = "web", docker: dict[str, Any] | None = None, **settings: Any) -> ServiceDefinition:
    deployment = {"mode": "docker", "docker": {"image": f"{name}:1", **(docker or {})}}
    return build(ServiceDefinition, {"name": name, "deployment": deployment, **settings})


def exported(*services: ServiceDefinition, **options: Any) -> dict[str, Any]:
    settings = {"project": "shop", "folder": FOLDER, "env_vars": {}, "health_image": "busybox:1", **options}
    return compose_document({one.name: one for one in services}, **settings)


def test_a_service_is_written_with_what_is_set_and_no_more():
    assert exported(service()) == {
        "name": "shop",
        "services": {
            "web": {
                "image": "web:1",
                "networks": ["provisioning-net"],
                "extra_hosts": ["host.docker.internal:host-gateway"],
                "restart": "unless-stopped",
                "stop_grace_period": "10s",
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges:true"],
            }
        },
        "networks": {"provisioning-net": {"driver": "bridge"}},
    }


def test_everything_that_a_definition_says_is_written():
    docker = {
        "build": {"context": "/src", "containerfile": "Containerfile", "args": {"A": 1}},
        "command": ["run", "$HOME"],
        "ports": ["127.0.0.1:8081-8082:80"],
        "volumes": ["data:/data", "/srv/export/config/web:/etc/web:ro", "/etc/ssl:/ssl:ro,z"],
        "tmpfs": ["/tmp"],
        "networks": ["other"],
        "user": "1000:1000",
        "read_only": True,
        "cap_add": ["NET_BIND_SERVICE"],
        "replicas": 2,
    }
    found = exported(
        service(
            docker=docker,
            resources={"cpu": 0.5, "memory": "1m", "open_files": 100},
            startup={"stop_timeout": 2.5, "stop_signal": "SIGINT", "restart": "always"},
            labels={"team": "$shop"},
        )
    )
    web = found["services"]["web"]
    assert web["build"] == {"context": "/src", "dockerfile": "Containerfile", "args": {"A": 1}}
    assert web["command"] == ["run", "$$HOME"]
    assert web["ports"] == ["127.0.0.1:8081-8082:80"]
    assert web["volumes"] == [
        {"type": "volume", "source": "data", "target": "/data"},
        {"type": "bind", "source": "./config/web", "target": "/etc/web", "read_only": True},
        {"type": "bind", "source": "/etc/ssl", "target": "/ssl", "read_only": True, "bind": {"selinux": "z"}},
    ]
    assert web["deploy"] == {"resources": {"limits": {"cpus": "0.5", "memory": "1048576"}}, "replicas": 2}
    assert (web["ulimits"], web["labels"]) == ({"nofile": 100}, {"team": "$$shop"})
    assert (web["stop_grace_period"], web["stop_signal"], web["restart"]) == ("2500ms", "SIGINT", "always")
    assert (web["read_only"], web["cap_add"], web["tmpfs"]) == (True, ["NET_BIND_SERVICE"], ["/tmp"])
    assert found["volumes"] == {"data": {}}
    assert list(found["networks"]) == ["provisioning-net", "other"]


def test_secrets_are_references_to_the_environment():
    env = {"TOKEN": "a$b ${secret.web.api-token}", "LEVEL": "info"}
    web = exported(service(docker={"env": env}), env_vars={"LEVEL": "debug", "DEEP": True})["services"]["web"]
    assert web["environment"] == {"LEVEL": "info", "DEEP": "true", "TOKEN": "a$$b ${WEB_API_TOKEN:?is not set}"}
    assert variable_of("web", "api-token") == "WEB_API_TOKEN"


def test_dependencies_have_their_conditions():
    tcp = {"type": "tcp", "port": 5432}
    found = exported(
        service("db", health=tcp),
        service("schema", depends_on={"db": {}}),
        service("plain"),
        service(
            depends_on={
                "db": {"restart": True},
                "schema": {"condition": "completed"},
                "plain": {},
                "elsewhere": {},
            }
        ),
    )["services"]
    assert found["web"]["depends_on"] == {
        "db": {"condition": "service_healthy", "restart": True},
        "schema": {"condition": "service_completed_successfully"},
        "plain": {"condition": "service_started"},
    }
    assert found["schema"]["restart"] == "no", "a task that has completed is not run again"
    assert found["db"]["depends_on"] == {"healthcheck-tools": {"condition": "service_healthy"}}
    assert found["healthcheck-tools"]["image"] == "busybox:1"


def test_what_runs_elsewhere_is_left_out():
    remote = build(
        ServiceDefinition, {"name": "db", "deployment": {"mode": "remote", "remote": {"url": "http://db:1"}}}
    )
    assert list(exported(remote, service(depends_on={"db": {}}))["services"]) == ["web"]


@pytest.mark.parametrize(
    ("health", "test"),
    [
        (
            {"type": "http", "url": "http://127.0.0.1:8081/health?a=1"},
            "CMD /healthcheck/busybox wget -q -O /dev/null http://127.0.0.1:80/health?a=1",
        ),
        (
            {"type": "http", "url": "https://localhost:8443", "headers": {"Accept": "text/plain"}},
            f"CMD {BUSYBOX} wget -q --no-check-certificate --header Accept: text/plain -O /dev/null https://127.0.0.1:8443/",
        ),
        (
            {"type": "http", "url": "http://localhost:9/", "expected_body": "it's up"},
            f"CMD {BUSYBOX} sh -c {BUSYBOX} wget -q -O - http://127.0.0.1:9/ | {BUSYBOX} grep -qF -- 'it'\"'\"'s up'",
        ),
        (
            {"type": "http", "url": "http://localhost:9/", "expected_status": [401]},
            "CMD /healthcheck/busybox nc -w 5 127.0.0.1 9 -e /healthcheck/busybox true",
        ),
        (
            {"type": "tcp", "port": 8081},
            "CMD /healthcheck/busybox nc -w 5 127.0.0.1 80 -e /healthcheck/busybox true",
        ),
        ({"type": "command", "command": ["pg_isready"], "inside": True}, "CMD pg_isready"),
        ({"type": "command", "command": ["pg_isready"]}, None),
        ({"type": "file", "path": "/srv/up"}, None),
    ],
)
def test_checks_are_made_inside_the_container(health, test):
    found = healthcheck(service(docker={"ports": ["127.0.0.1:8081:80"]}, health=health))
    assert (" ".join(found["test"]) if found else None) == test


def test_a_check_counts_no_failure_while_the_service_starts():
    health = {"type": "tcp", "port": 1, "interval": 30, "timeout": 0.5, "retries": 4}
    found = healthcheck(service(health=health, startup={"timeout": 90}))
    del found["test"]
    assert found == {"interval": "5s", "timeout": "500ms", "retries": 4, "start_period": "90s"}
