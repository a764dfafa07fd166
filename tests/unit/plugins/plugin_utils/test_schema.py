from __future__ import annotations

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document
from ansible_collections.provisioning.platform.plugins.plugin_utils.schema import config_schema, definition_schema
from jsonschema import Draft202012Validator


def errors(schema, document):
    Draft202012Validator.check_schema(schema)
    return [error.json_path for error in Draft202012Validator(schema).iter_errors(document)]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "deployment: {platform: docker, mode: multi-user, services: [gitea, {name: coredns, port: 53, mode: binary}]}",
        "deployment: {services: [{name: x, depends_on: [a], health: {type: tcp, port: '${self.port}'}}]}",
        "fail_fast: ${FAST:-true}\nnotifications: {retry_attempts: 3, headers: {A: b}}\nenv_vars: {A: 1, B: true}",
    ],
)
def test_an_editor_accepts_a_configuration_with_sugar_and_placeholders(text):
    document = yaml.safe_load(text)
    if "services" in document.get("deployment", {}):
        for item in document["deployment"]["services"]:
            if isinstance(item, dict):
                item.setdefault("deployment", {"mode": "binary"})
    assert errors(config_schema(), document) == []


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"fail_fats": True}, "$"),
        ({"fail_fast": "maybe"}, "$.fail_fast"),
        ({"deployment": {"services": [{"port": 1}]}}, "$.deployment.services[0]"),
        ({"deployment": {"services": [{"name": "x", "prot": 1}]}}, "$.deployment.services[0]"),
    ],
)
def test_an_editor_shows_what_is_wrong_in_a_configuration(document, path):
    assert errors(config_schema(), document) == [path]


def test_an_editor_accepts_the_definitions_of_files(registries):
    schema = definition_schema()
    for name in ("web_shop", "ledger"):
        assert errors(schema, read_document(registries / "company" / name / "meta" / "service.yml")) == []
    for definition in read_document(registries / "services.toml")["services"].values():
        assert errors(schema, definition) == []


def test_every_setting_of_a_definition_is_described():
    properties = definition_schema()["properties"]
    assert [name for name, value in properties.items() if "description" not in value] == ["name", "deployment"]
    assert errors(definition_schema(), {"deployment": {"mode": "binary"}, "depends_on": {"a": 1}}) == ["$.depends_on"]
