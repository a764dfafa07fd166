# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build, to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    CommandHealthCheck,
    FileHealthCheck,
    HealthCheck,
    HttpHealthCheck,
    ResourceLimits,
    ServiceDefinition,
    ServiceOperation,
    ServiceState,
    TcpHealthCheck,
)

FULL = {
    "name": "gitea",
    "port": 3000,
    "ports": {"ssh": 2222},
    "depends_on": {"postgres": {"condition": "started", "restart": True}},
    "deployment": {
        "mode": "docker",
        "docker": {"image": "gitea:1", "env": {"A": "x", "B": 1, "C": 1.5, "D": True}, "volumes": ["data:/data"]},
        "kubernetes": {"chart": {"chart": "gitea", "values": {"deep": [{"er": None}]}}},
    },
    "health": {"type": "http", "url": "http://127.0.0.1:3000/", "timeout": 2},
    "verify": [{"type": "dns", "name": "a.b", "port": 53}, {"type": "tcp", "port": 3000}],
    "resources": {"cpu": 1, "memory": "512m"},
    "secrets": {"password": {"length": 12}},
    "config": [{"dest": "/x", "content": "text"}],
}


def _built(**settings: Any) -> ServiceDefinition:
    return build(ServiceDefinition, {"name": "a", "deployment": {"mode": "binary"}, **settings})


def test_a_definition_survives_the_way_to_the_target_and_back() -> None:
    definition = build(ServiceDefinition, FULL)
    assert build(ServiceDefinition, json.loads(json.dumps(to_dict(definition)))) == definition
    sparse = json.loads(json.dumps(to_dict(definition, sparse=True)))
    assert build(ServiceDefinition, sparse) == definition
    assert sparse["health"] == {"type": "http", "url": "http://127.0.0.1:3000/", "timeout": 2.0}


def test_scalars_keep_their_own_type() -> None:
    docker = build(ServiceDefinition, FULL).deployment.docker
    assert docker is not None
    assert [(value, type(value)) for value in docker.env.values()] == [("x", str), (1, int), (1.5, float), (True, bool)]


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"type": "http", "url": "http://x"}, HttpHealthCheck),
        ({"type": "tcp", "port": 1}, TcpHealthCheck),
        ({"type": "command", "command": ["true"]}, CommandHealthCheck),
        ({"type": "file", "path": "/x"}, FileHealthCheck),
        (None, type(None)),
    ],
)
def test_the_class_of_a_check_is_chosen_by_its_type(document: Any, kind: type) -> None:
    assert type(_built(health=document).health) is kind


@pytest.mark.parametrize(
    ("cls", "document", "message"),
    [
        (HealthCheck, {"intervall": 1}, r"intervall: is not a setting of HealthCheck. Known: interval, retries,"),
        (ServiceDefinition, {"deployment": {"mode": "binary"}}, r"name: is missing"),
        (ServiceDefinition, {"name": "a", "deployment": {}}, r"deployment.mode: is missing"),
        (ServiceDefinition, [], r"ServiceDefinition: expected a mapping, got list"),
        (ServiceDefinition, {"name": 1, "deployment": {"mode": "binary"}}, r"name: expected str, got int"),
        (HealthCheck, {"retries": "3"}, r"retries: expected int, got str"),
        (HealthCheck, {"retries": 3.0}, r"retries: expected int, got float"),
        (HealthCheck, {"retries": True}, r"retries: expected int, got bool"),
        (HealthCheck, {"interval": False}, r"interval: expected float, got bool"),
        (HealthCheck, {"interval": float("nan")}, r"interval: expected float, got nan"),
        (HealthCheck, {"interval": float("inf")}, r"interval: expected float, got inf"),
        (ResourceLimits, {"cpu": True}, r"cpu: expected float, got bool"),
        (ResourceLimits, {"cpu": float("nan")}, r"cpu: expected float, got nan"),
        (ResourceLimits, {"memory": True}, r"memory: expected int or str, got bool"),
        (ResourceLimits, {"memory": 1.5}, r"memory: expected int or str, got float"),
        (
            ServiceOperation,
            {"operation": "explode"},
            r"operation: 'explode' is not one of start, stop, restart, remove",
        ),
        (ServiceOperation, {"operation": ["start"]}, r"operation: \['start'\] is not one of"),
        (ServiceOperation, {"operation": "start", "services": "a"}, r"services: expected a list, got str"),
    ],
)
def test_a_wrong_document_is_one_clear_error(cls: type, document: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build(cls, document)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"port": True}, r"gitea.port: expected int, got bool"),
        ({"port": "80"}, r"gitea.port: expected int, got str"),
        ({"ports": {"ssh": "x"}}, r"gitea.ports.ssh: expected int, got str"),
        ({"ports": {80: 80}}, r"gitea.ports.80: the name must be str, not int. Put it in quotes."),
        ({"ports": [80]}, r"gitea.ports: expected a mapping, got list"),
        ({"conflicts": ["a", 1]}, r"gitea.conflicts\[1\]: expected str, got int"),
        ({"depends_on": {"b": {"condition": "well"}}}, r"gitea.depends_on.b.condition: 'well' is not one of started"),
        ({"health": {"type": "ping"}}, r"gitea.health.type: 'ping' is not one of http, tcp, command, file"),
        ({"health": "http"}, r"gitea.health.type: None is not one of"),
        ({"health": {"type": "tcp"}}, r"gitea.health.port: is missing"),
        ({"verify": [{"type": "tcp", "port": 1, "x": 1}]}, r"gitea.verify\[0\].x: is not a setting of TcpHealthCheck"),
        (
            {"deployment": {"mode": "binary", "binary": {"command": "x", "env": {"A": None}}}},
            r"env.A: expected .*NoneType",
        ),
        ({"deployment": {"mode": "binary", "binary": {"command": "x", "env": {"A": []}}}}, r"binary.env.A: expected"),
    ],
)
def test_a_fault_is_told_with_its_path(settings: dict[str, Any], message: str) -> None:
    document = {"name": "gitea", "deployment": {"mode": "binary"}, **settings}
    with pytest.raises(ConfigurationError, match=message):
        build(ServiceDefinition, document, path="gitea")


def test_a_whole_number_stands_for_a_real_one_and_nothing_else_does() -> None:
    limits = build(ResourceLimits, {"cpu": 2, "memory": 1024})
    assert (limits.cpu, type(limits.cpu)) == (2.0, float)
    assert (limits.memory, type(limits.memory)) == (1024, int)
    assert type(build(HealthCheck, {"timeout": 5}).timeout) is float


def test_tuples_and_free_form_values_are_kept() -> None:
    assert build(ServiceOperation, {"operation": "stop", "services": ["a", "b"]}).services == ("a", "b")
    state = build(ServiceState, {"name": "a", "mode": "binary", "rendered": {"any": [1, None, {"thing": True}]}})
    assert state.rendered == {"any": [1, None, {"thing": True}]}
