from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.profiles import PROFILES
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import Source
from ansible_collections.provisioning.platform.plugins.plugin_utils.selection import select

HERE = Path("/x")


def sources(**more):
    solo = {name: {"required": True, "deployment": {"mode": "binary"}} for name in PROFILES["solo"]}
    built_in = {**solo, "grafana": {"depends_on": {"gitea": {}, "loki": {}}}, "loki": {}}
    made = {name: Source(name, {"name": name, **document}, HERE, HERE, True) for name, document in built_in.items()}
    return {**made, **{name: Source(name, {"name": name, **document}, HERE, HERE) for name, document in more.items()}}


def chosen(services=(), registry=None, **arguments):
    config = from_mapping({"deployment": {"services": list(services)}}, env={}, base_dir=HERE)
    return select(config, sources(**(registry or {})), **arguments)


def test_without_a_list_the_profiles_services_are_installed():
    services = chosen().services
    assert set(services) == set(PROFILES["solo"])
    required = {name for name, item in services.items() if item.document["required"]}
    assert required == {"orchestrator", "control-center", "api-gateway"}


@pytest.mark.parametrize(("profile", "count"), [("solo", 7), ("multi-user", 8), ("cicd", 9), ("enterprise", 15)])
def test_each_profile_has_as_many_services_as_its_description_says(profile, count):
    assert len(PROFILES[profile]) == count


def test_a_listed_service_is_changed_by_name_and_the_others_stay():
    services = chosen([{"name": "gitea", "port": 3001, "required": True}, "grafana"]).services
    assert set(services) == {*PROFILES["solo"], "grafana"}
    assert services["gitea"].document["port"] == 3001
    assert services["gitea"].document["required"] is True


def optional(name):
    return {"web": {"depends_on": {name: {"optional": True}, "orchestrator": {}}}}


def test_a_service_does_without_what_is_optional_and_not_installed():
    assert set(chosen(registry=optional("loki")).services["web"].document["depends_on"]) == {"orchestrator"}
    assert set(chosen(["loki"], optional("loki")).services["web"].document["depends_on"]) == {"orchestrator", "loki"}


def test_alone_a_service_brings_what_is_optional_where_the_profile_has_it():
    assert set(chosen(registry=optional("gitea"), only=["web"]).services) == {"web", "orchestrator", "gitea"}
    assert set(chosen(registry=optional("loki"), only=["web"]).services) == {"web", "orchestrator"}
    disabled = chosen([{"name": "gitea", "enabled": False}], optional("gitea"), only=["web"]).services
    assert set(disabled["web"].document["depends_on"]) == {"orchestrator"}


def test_an_optional_service_that_nobody_knows_is_not_passed_over():
    assert "gitae" in chosen(registry=optional("gitae")).services["web"].document["depends_on"]


@pytest.mark.parametrize("value", [False, "false", "No", "0"])
def test_a_disabled_service_is_not_installed(value):
    assert "gitea" not in chosen([{"name": "gitea", "enabled": value}]).services


def test_settings_that_nobody_knows_are_faults_of_a_disabled_service_too():
    listed = [
        {"name": "gitea", "enabled": False, "prot": 3001, "port": "${var.port}", "health": {"type": "tcp", "prt": 1}},
        {"name": "coredns", "enabled": False, "port": "${PORT}", "depends_on": ["gitea"]},
    ]
    assert [str(problem) for problem in chosen(listed).problems] == [
        "gitea.prot: is not a known setting. Did you mean port?",
        "gitea.health.prt: is not a known setting. Did you mean port?",
    ]
    assert chosen().problems == ()


def test_services_of_a_users_registry_are_installed_unless_disabled():
    registry = {"mine": {}, "spare": {"enabled": False}, "wanted": {"enabled": False}}
    services = chosen(["wanted"], registry).services
    assert {"mine", "wanted"} <= set(services)
    assert "spare" not in services


def test_a_users_own_definition_says_itself_whether_it_is_required():
    assert chosen(registry={"gitea": {"required": True}}).services["gitea"].document["required"] is True
    assert chosen(registry={"gitea": {}}).services["gitea"].document["required"] is False


def test_ansibles_variables_are_merged_last():
    variables = {"gitea_service": {"port": 3002, "deployment": {"docker": {"image": "y"}}}, "x_service": {}}
    selection = chosen([{"name": "gitea", "port": 3001, "description": "d"}], variables=variables)
    document = selection.services["gitea"].document
    assert (document["port"], document["description"]) == (3002, "d")
    assert document["deployment"] == {"mode": "binary", "docker": {"image": "y"}}
    assert selection.warnings == ()


def test_variables_that_look_like_a_service_and_are_none_are_warned_of():
    variables = {"gitae_service": {}, "gitea_service": "gitea", "nginx_service": {}, "mcp_server_service": {"port": 1}}
    selection = chosen(variables=variables)
    assert selection.services["mcp-server"].document["port"] == 1
    assert selection.warnings == (
        "The variable gitae_service changes no service. Did you mean gitea_service?",
        "The variable gitea_service is not a mapping, so it changes nothing of gitea.",
    )


@pytest.mark.parametrize(
    ("change", "is_chosen"),
    [({"mode": "docker"}, True), ({"deployment": {"mode": "docker"}}, True), ({"port": 1}, False)],
)
def test_a_mode_in_an_override_is_the_owners_choice(change, is_chosen):
    assert chosen([{"name": "gitea", **change}]).services["gitea"].mode_chosen is is_chosen


def test_only_what_is_asked_for_is_installed_with_all_that_it_needs():
    assert set(chosen(only=["grafana"]).services) == {"grafana", "gitea", "loki"}
    assert set(chosen([{"name": "gitea", "enabled": False}], only=["gitea"]).services) == {"gitea"}
    assert set(chosen([{"name": "gitea", "enabled": False}], only=["grafana"]).services) == {"grafana", "loki"}
    assert chosen(only=[]).services == {}


def test_services_listen_where_the_installation_says_unless_they_say_otherwise():
    config = from_mapping({"deployment": {"bind_address": "10.0.0.1"}}, env={}, base_dir=HERE)
    services = select(config, sources(own={"bind_address": "10.0.0.2"})).services
    assert services["gitea"].document["bind_address"] == "10.0.0.1"
    assert services["own"].document["bind_address"] == "10.0.0.2"


@pytest.mark.parametrize(
    ("services", "only", "message"),
    [
        ([{"name": "gitae"}], None, "deployment.services[0].name: there is no service gitae. Did you mean gitea?"),
        ([{"name": "qq"}], None, "deployment.services[0].name: there is no service qq. Known: api-gateway, control-"),
        (["gitea", "gitea"], None, "deployment.services[1].name: gitea stands here a second time. Join the two"),
        ([], ["gitae"], "gitae: there is no service gitae. Did you mean gitea?"),
    ],
)
def test_an_unknown_service_is_an_error_that_names_known_ones(faults_of, services, only, message):
    assert message in faults_of(chosen, services, only=only)[0]


def test_a_profile_whose_services_do_not_exist_yet_says_so(faults_of):
    config = from_mapping({"deployment": {"mode": "multi-user"}}, env={}, base_dir=HERE)
    assert (
        "deployment.mode MultiUser: the profile has services that no registry knows: postgres"
        in (faults_of(select, config, sources())[0])
    )
