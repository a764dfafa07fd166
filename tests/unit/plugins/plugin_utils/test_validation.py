from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build, to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.validation import check_definition, class_at
from hypothesis import given, settings
from hypothesis import strategies as st

BINARY = {"mode": "binary", "binary": {"command": "x"}}


def faults(**settings):
    definition, problems = check_definition({"name": "gitea", "deployment": BINARY, **settings}, path="gitea")
    assert (definition is None) == bool(problems)
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"helth": {}}, "gitea.helth: is not a known setting. Did you mean health?"),
        ({"dependencies": []}, "gitea.dependencies: is not a known setting. Did you mean depends_on?"),
        ({"health_check": {}}, "gitea.health_check: is not a known setting. Did you mean health?"),
        ({"qqq": 1}, "gitea.qqq: is not a known setting. Known: annotations, auto_start,"),
        ({"port": "x"}, "gitea.port: expected a whole number, got 'x'"),
        ({"port": 1.5}, "gitea.port: expected a whole number, got 1.5"),
        ({"port": True}, "gitea.port: expected a number, got true"),
        ({"ports": {"ssh": False}}, "gitea.ports.ssh: expected a number, got false"),
        ({"ports": [1]}, "gitea.ports: expected a mapping, got a list"),
        ({"conflicts": "x"}, "gitea.conflicts: expected a list, got 'x'"),
        ({"description": 3}, "gitea.description: expected a text, got 3. Put it in quotes."),
        ({"startup": None}, "gitea.startup: expected a mapping, got nothing"),
        ({"startup": {"restart": "never"}}, "gitea.startup.restart: 'never' is not one of no, on-failure, always,"),
        ({"startup": {"time_out": 1}}, "gitea.startup.time_out: is not a known setting. Did you mean timeout?"),
        ({"deployment": {"mode": "dcoker"}}, "gitea.deployment.mode: 'dcoker' is not one of binary, docker, compose"),
        ({"deployment": {}}, "gitea.deployment.mode: is missing"),
        ({"deployment": {"mode": "docker", "docker": {"imag": "x"}}}, "gitea.deployment.docker.image: is missing"),
        ({"deployment": {**BINARY, "docker": {"image": 1}}}, "gitea.deployment.docker.image: expected a text, got 1"),
        (
            {"depends_on": {"a": {"condition": "up"}}},
            "depends_on.a.condition: 'up' is not one of started, healthy",
        ),
        ({"resources": {"memory": []}}, "gitea.resources.memory: expected a whole number or a text, got a list"),
        ({"config": [{"dest": 1}]}, "gitea.config[0].dest: expected a text, got 1"),
        ({"config": [{"dest": "x", "mode": 384}]}, "gitea.config[0].mode: expected a text, got 384. Put it in quotes."),
        ({"health": {"type": "http"}}, "gitea.health.url: is missing"),
        ({"health": {"type": "htp"}}, "gitea.health.type: 'htp' is not one of http, tcp, command, file. Did you mean"),
        ({"health": {"url": "x"}}, "gitea.health.type: is missing. It is one of http, tcp, command, file."),
        ({"health": "x"}, "gitea.health: expected a mapping, got 'x'"),
        ({"health": {"type": ["http"]}}, "gitea.health.type: a list is not one of http"),
        ({"health": {"type": "tcp", "port": 1, "url": "x"}}, "gitea.health.url: is not a known setting"),
        ({"verify": [{"type": "dns", "name": "x"}]}, "gitea.verify[0].port: is missing"),
        ({"verify": [{"type": "dnz"}]}, "gitea.verify[0].type: 'dnz' is not one of http, tcp, command, file, dns"),
        ({"verify": 3}, "gitea.verify: expected a list, got 3"),
        (
            {"secrets": {"password": {"length": "x"}}},
            "secrets.password.length: expected a whole number, got a text",
        ),
        ({"labels": {"a": {"b": 1}}}, "gitea.labels.a: expected a text, got a mapping"),
        ({"name": 3}, "gitea.name: expected a text, got 3"),
    ],
)
def test_a_fault_is_told_once_with_its_path(settings, message):
    found = faults(**settings)
    assert message in found[0]
    assert len(found) == (2 if "imag" in str(settings) and "image" not in str(settings) else 1)


@pytest.mark.parametrize("env", [{"A": [1]}, {"str": None}, {"int": {}}])
def test_a_value_of_no_accepted_kind_is_one_fault(env):
    found = faults(deployment={"mode": "binary", "binary": {"command": "x", "env": env}})
    name = next(iter(env))
    assert len(found) == 1
    assert found[0].startswith(f"gitea.deployment.binary.env.{name}: expected a text, a whole number, a number or true")


def test_a_name_that_is_a_kinds_name_is_no_union():
    assert faults(labels={"str": 1}) == ["gitea.labels.str: expected a text, got 1. Put it in quotes."]


def test_all_faults_are_told_at_once():
    found = faults(port="x", health={"type": "tcp"}, verify=[{"type": "http"}, {"type": "?"}], bogus=1)
    paths = [fault.split(": ")[0] for fault in found]
    assert paths == ["gitea.port", "gitea.bogus", "gitea.health.port", "gitea.verify[0].url", "gitea.verify[1].type"]


def test_texts_that_are_numbers_are_taken_as_such():
    data = {
        "name": "x",
        "port": "8080",
        "required": "no",
        "deployment": {"mode": "binary", "binary": {"command": "x", "env": {"A": "1", "B": 2, "C": True, "D": 0.5}}},
        "health": {"type": "tcp", "port": "8080", "interval": 2},
        "resources": {"memory": "512m", "cpu": "0.5"},
    }
    definition, problems = check_definition(data, path="x")
    assert problems == []
    assert definition is not None
    assert (definition.port, definition.required, definition.resources.cpu) == (8080, False, 0.5)
    assert definition.deployment.binary is not None
    assert definition.deployment.binary.env == {"A": "1", "B": 2, "C": True, "D": 0.5}


def test_what_is_valid_here_is_built_on_the_target():
    data = {
        "name": "x",
        "deployment": BINARY,
        "health": {"type": "http", "url": "http://x"},
        "verify": [{"type": "dns", "name": "x", "port": 53}],
        "depends_on": {"a": {}},
        "secrets": {"a": {}},
    }
    definition, _problems = check_definition(data, path="x")
    assert build(ServiceDefinition, to_dict(definition, sparse=True)) == definition


def test_a_place_in_the_schema_has_a_class_or_none():
    assert class_at(ServiceDefinition, ["deployment", "docker"]).__name__ == "DockerDeployment"
    assert class_at(ServiceDefinition, ["config", 0]).__name__ == "ConfigFile"
    assert class_at(ServiceDefinition, ["depends_on", "x"]).__name__ == "Dependency"
    assert class_at(ServiceDefinition, ["port"]) is None
    assert class_at(ServiceDefinition, ["nothing", "below"]) is None


NAMES = st.sampled_from([*ServiceDefinition.__dataclass_fields__, "type", "url", "mode", "docker", "image"])
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(NAMES, GARBAGE) | GARBAGE)
@settings(max_examples=100, deadline=None)
def test_garbage_is_faults_and_never_a_traceback(data):
    definition, problems = check_definition(data, path="x")
    assert (definition is None) == bool(problems)
    assert all(problem.what and problem.why for problem in problems)
