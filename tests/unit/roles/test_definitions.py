# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all roles of services have in common."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
#: role: port, start order, required in the solo profile, mode
SERVICES = {
    "orchestrator": (8080, 10, True, "binary"),
    "coredns": (8053, 15, False, "docker"),
    "control_center": (8081, 20, True, "binary"),
    "oci_registry": (5000, 25, False, "docker"),
    "gitea": (3000, 30, False, "docker"),
    "mcp_server": (8084, 40, False, "binary"),
    "api_gateway": (8088, 45, True, "binary"),
}
CONTAINERS = ["coredns", "gitea", "oci_registry", "api_gateway"]


def read(role: str, file: str) -> dict:
    return yaml.safe_load((ROLES / role / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", SERVICES)
def test_a_service_has_the_port_the_order_and_the_mode_of_the_design(resolved, role):
    service = resolved()[role.replace("_", "-")]
    assert (service.port, service.start_order, service.required, service.mode) == SERVICES[role]
    assert service.health is not None
    assert service.verify
    assert service.description


@pytest.mark.parametrize("role", SERVICES)
def test_a_role_is_one_include_of_the_shared_tasks(role):
    (task,) = yaml.safe_load((ROLES / role / "tasks" / "main.yml").read_text(encoding="utf-8"))
    assert task["ansible.builtin.include_role"] == {
        "name": "provisioning.platform.platform",
        "tasks_from": "service.yml",
    }
    assert task["vars"] == {"service_name": role.replace("_", "-")}


@pytest.mark.parametrize("role", SERVICES)
def test_a_role_documents_the_variables_that_all_roles_have(role):
    options = read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {f"{role}_service", "work_dir", "deployment", "env_vars"} <= set(options)


@pytest.mark.parametrize("role", SERVICES)
def test_a_readme_names_every_port_secret_and_variable_of_its_service(role):
    text = (ROLES / role / "README.md").read_text(encoding="utf-8")
    definition = read(role, "meta/service.yml")
    numbers = [definition["port"], *definition.get("ports", {}).values()]
    names = [name for name in definition.get("secrets", {}) if not name.endswith("_htpasswd")]
    for word in [f"{role}_service", *map(str, numbers), *names, *definition.get("variables", {})]:
        assert word in text, f"{role}/README.md does not tell about {word}"


@pytest.mark.parametrize("role", CONTAINERS)
def test_an_image_is_named_in_full_with_a_version(role):
    image = read(role, "meta/service.yml")["deployment"]["docker"]["image"]
    registry, _, rest = image.partition("/")
    assert "." in registry, "Podman looks up no short names"
    assert re.fullmatch(r"[a-z0-9/_-]+:v?\d+\.\d+\.\d+(-rootless)?", rest)


@pytest.mark.parametrize("role", CONTAINERS)
def test_a_container_runs_as_a_number_that_is_not_root_on_a_read_only_system(resolved, role):
    block = resolved()[role.replace("_", "-")].deployment.docker
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", block.user)
    assert block.read_only
    assert block.cap_drop == ["ALL"]
    assert block.no_new_privileges


@pytest.mark.parametrize("role", CONTAINERS)
def test_ports_are_published_on_the_bind_address_and_are_the_same_inside(resolved, role):
    name = role.replace("_", "-")
    changed = resolved({name: {"port": 7001, "bind_address": "127.0.0.2", "mode": "docker"}, **beyond_loopback(role)})
    entries = [entry.removesuffix("/udp").split(":") for entry in changed[name].deployment.docker.ports]
    assert "7001" in [outside for _, outside, _ in entries]
    assert all(address == "127.0.0.2" and outside == inside for address, outside, inside in entries)


@pytest.mark.parametrize("role", CONTAINERS)
def test_configuration_without_secrets_is_for_all_to_read_and_with_secrets_for_its_owner(resolved, role):
    for file in resolved()[role.replace("_", "-")].config:
        assert file.mode == ("0600" if "${secret." in file.content else "0644")


def test_health_and_verification_ask_where_the_service_listens(resolved):
    services = resolved(bind_address="127.0.0.2", domain="platform.example.com")
    for service in services.values():
        for check in (service.health, *service.verify):
            assert "127.0.0.2" in getattr(check, "url", getattr(check, "host", "")), service.name


@pytest.mark.parametrize("bind", ["::1", "::"])
def test_on_ipv6_addresses_have_brackets_wherever_a_port_follows(resolved, bind):
    services = resolved(bind_address=bind)
    for service in services.values():
        assert service.url.startswith("http://[::1]:")
        ports = service.deployment.docker.ports if service.deployment.docker else []
        assert all(text.startswith(f"[{bind}]:") for text in ports), service.name
        for check in (service.health, *service.verify):
            assert getattr(check, "url", "http://[::1]:").startswith("http://[::1]:"), service.name
            assert getattr(check, "host", "::1") == "::1"


def test_programs_are_given_ipv6_addresses_in_brackets_before_a_port(resolved, text_of):
    names = ("prometheus", "alertmanager", "openbao")
    changes = {name: {"deployment": {"mode": "binary"}} for name in names}
    services = resolved(changes, bind_address="::1", mode="Enterprise")
    for name in ("prometheus", "alertmanager"):
        service = services[name]
        assert f"--web.listen-address=[::1]:{service.port}" in service.deployment.binary.args
    assert f'"[::1]:{services["openbao"].port}"' in text_of(services["openbao"], "openbao.hcl")


def beyond_loopback(role: str) -> dict[str, dict[str, str]]:
    """What a gateway in a container needs of the processes it calls."""
    if role != "api_gateway":
        return {}
    return {name: {"bind_address": "0.0.0.0"} for name in ("orchestrator", "control-center", "mcp-server")}
