"""The definitions that the collection brings, resolved on every platform they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document
from ansible_collections.provisioning.platform.plugins.plugin_utils.profiles import PROFILES
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import load_registry
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve
from ansible_collections.provisioning.platform.plugins.plugin_utils.schema import definition_schema
from jsonschema import Draft202012Validator

ROLES = Path(__file__).parents[4] / "roles"


def resolved(**deployment):
    config = from_mapping({"deployment": deployment}, env={}, base_dir=ROLES)
    return resolve(config, home="/home/me", roles_dir=ROLES, env={})


@pytest.mark.parametrize("platform", ["Docker", "Podman"])
def test_the_solo_profile_resolves_without_a_warning(platform):
    installation = resolved(platform=platform)
    assert set(installation.registry.services) == set(PROFILES["solo"])
    assert installation.warnings == ()
    assert next(iter(installation.registry.services)) == "orchestrator"
    for service in installation.registry.services.values():
        assert service.health is not None
        assert service.verify
        assert all(file.content and "{{" not in file.content for file in service.config)


def test_the_solo_profile_resolves_for_other_hosts_too():
    services = resolved(bind_address="0.0.0.0", domain="box.example").registry.services
    assert {service.bind_address for service in services.values()} == {"0.0.0.0"}


@pytest.mark.parametrize("name", sorted(PROFILES["solo"]))
def test_each_service_can_be_installed_alone(name):
    config = from_mapping({}, env={}, base_dir=ROLES)
    assert name in resolve(config, home="/home/me", roles_dir=ROLES, env={}, only=[name]).registry.services


def test_resolving_twice_gives_the_same():
    assert resolved().to_module_args() == resolved().to_module_args()


def test_editors_accept_every_definition():
    validator = Draft202012Validator(definition_schema())
    for source in load_registry(ROLES).values():
        assert [error.message for error in validator.iter_errors(read_document(source.origin))] == []
