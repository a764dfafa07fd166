# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example configuration of the solo profile, and the inventories."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import load_file
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    DeploymentConfig,
    NotificationConfig,
    UnattendedInstallConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve

ROOT = Path(__file__).parents[3]


def fields(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


@pytest.fixture
def yaml_example():
    return read_document(ROOT / "examples" / "solo.yml")


def test_both_files_say_the_same(yaml_example):
    assert read_document(ROOT / "examples" / "solo.toml") == yaml_example


@pytest.mark.parametrize("suffix", [".yml", ".toml"])
def test_every_setting_is_shown(suffix):
    text = (ROOT / "examples" / f"solo{suffix}").read_text()
    for name in [*fields(UnattendedInstallConfig), *fields(DeploymentConfig), *fields(NotificationConfig)]:
        assert re.search(rf"^[\s#\[]*(deployment\.|notifications\.)?{name}\b", text, re.M), f"{name} is missing"


def test_what_it_says_is_what_is_used_without_it(yaml_example, resolved):
    changes = {service.pop("name"): service for service in yaml_example["deployment"].pop("services")}
    deployment = yaml_example["deployment"]
    assert resolved(changes, **deployment) == resolved()
    defaults = UnattendedInstallConfig()
    for name in ("verbose", "fail_fast", "cleanup_on_failure", "work_dir", "registry", "variables"):
        assert yaml_example[name] == getattr(defaults, name)


@pytest.mark.parametrize("suffix", [".yml", ".toml"])
def test_settings_that_are_commented_out_are_accepted_once_they_are_not(suffix, tmp_path):
    text = (ROOT / "examples" / f"solo{suffix}").read_text()
    setting = r"\[[a-z.]+\]$|[\w-]+ = .*$" if suffix == ".toml" else r"(  )*[\w-]+:.*$"
    path = tmp_path / f"solo{suffix}"
    path.write_text(re.sub(rf"^(\s*)# ({setting})", r"\1\2", text, flags=re.M))
    loaded = load_file(path, env={"TOKEN": "let-me-in"})
    assert loaded.config.installation_id == "solo-1"
    assert loaded.config.provisioning_path == "/usr/local/bin/provisioning"
    assert loaded.config.deployment.engine_url == "unix:///var/run/docker.sock"
    assert loaded.config.notifications == NotificationConfig(
        webhook_url="https://example.com/webhook",
        format="generic",
        headers={"Content-Type": "application/json", "Authorization": "Bearer let-me-in"},
    )


def test_it_has_the_seven_services_of_which_three_are_required(yaml_example):
    required = {service["name"]: service["required"] for service in yaml_example["deployment"]["services"]}
    assert len(required) == 7
    assert {name for name, value in required.items() if value} == {"orchestrator", "control-center", "api-gateway"}


#: profile: platform, services, required ones
PROFILES_OF_EXAMPLES = {
    "multi-user": ("Docker", 8, {"orchestrator", "control-center", "api-gateway", "postgres", "gitea"}),
    "cicd": (
        "Docker",
        9,
        {"orchestrator", "control-center", "api-gateway", "api-server", "postgres", "gitea", "oci-registry"},
    ),
    "enterprise": (
        "Kubernetes",
        15,
        {"orchestrator", "control-center", "api-gateway", "api-server", "postgres", "gitea", "oci-registry", "coredns"}
        | {"prometheus", "alertmanager", "grafana"},
    ),
}
ENVIRONMENT = {
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T0/B0/x",
    "WEBHOOK_URL": "https://ci.example.com/hook",
    "WEBHOOK_TOKEN": "let-me-in",
    "PAGERDUTY_ROUTING_KEY": "0123456789abcdef",
}


@pytest.mark.parametrize("name", PROFILES_OF_EXAMPLES)
def test_both_files_of_a_profile_say_the_same(name):
    assert read_document(ROOT / "examples" / f"{name}.toml") == read_document(ROOT / "examples" / f"{name}.yml")


@pytest.mark.parametrize("name", PROFILES_OF_EXAMPLES)
def test_a_profile_has_its_services_as_its_example_says(name):
    platform, count, required = PROFILES_OF_EXAMPLES[name]
    config = load_file(ROOT / "examples" / f"{name}.yml", env=ENVIRONMENT).config
    installed = resolve(config, home="/root", roles_dir=ROOT / "roles", env={})
    assert (config.deployment.platform, config.deployment.profile) == (platform, name)
    assert len(installed.registry.services) == count
    assert {service.name for service in config.deployment.services} == set(installed.registry.services)
    assert {name for name, service in installed.registry.services.items() if service.required} == required
    assert installed.warnings == ()


@pytest.mark.parametrize(
    ("name", "host", "wanted"),
    [("multi-user", "hooks.slack.com", "slack"), ("enterprise", "events.pagerduty.com", "pagerduty")],
)
def test_people_are_told_of_the_end_and_not_of_every_step(name, host, wanted):
    told = load_file(ROOT / "examples" / f"{name}.yml", env=ENVIRONMENT).config.notifications
    assert f"https://{host}/" in told.webhook_url
    assert told.format == wanted
    assert (told.notify_progress, told.notify_completion, told.notify_failure) == (False, True, True)


def test_a_pipeline_is_told_everything_and_logs_are_detailed():
    config = load_file(ROOT / "examples" / "cicd.yml", env=ENVIRONMENT).config
    assert config.notifications.notify_progress
    assert config.notifications.format == "generic"
    assert config.notifications.headers["Authorization"] == "Bearer let-me-in"
    assert (config.verbose, config.env_vars["LOG_LEVEL"]) == (True, "debug")


@pytest.mark.parametrize("name", PROFILES_OF_EXAMPLES)
def test_what_a_webhook_needs_comes_from_the_environment_and_is_missed_by_name(name):
    with pytest.raises(ConfigurationError, match=r"\$\{(SLACK_WEBHOOK_URL|WEBHOOK_URL|PAGERDUTY_ROUTING_KEY)\}"):
        load_file(ROOT / "examples" / f"{name}.toml", env={})


def test_what_keeps_nothing_runs_twice_in_the_enterprise():
    config = load_file(ROOT / "examples" / "enterprise.yml", env=ENVIRONMENT).config
    services = resolve(config, home="/root", roles_dir=ROOT / "roles", env={}).registry.services
    replicas = {name: service.deployment.kubernetes.replicas for name, service in services.items()}
    assert {name for name, number in replicas.items() if number >= 2} == {
        "orchestrator",
        "control-center",
        "api-gateway",
        "api-server",
        "mcp-server",
        "coredns",
        "grafana",
    }


def test_nobody_is_notified_unless_asked(yaml_example):
    assert "notifications" not in yaml_example


@pytest.mark.parametrize(("name", "hosts"), [("local", 1), ("ci", 1), ("production", 3)])
def test_an_inventory_has_the_group_that_playbooks_look_for(name, hosts):
    inventory = yaml.safe_load((ROOT / "inventories" / name / "hosts.yml").read_text())
    assert len(inventory["platform"]["hosts"]) == hosts


def test_ansible_reads_the_production_inventory_with_its_group_variables(tmp_path):
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(ROOT / "inventories" / "production"), "--list"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=tmp_path, check=True)
    hosts = json.loads(answer.stdout)["_meta"]["hostvars"]
    assert len(hosts) == 3
    assert all(host["coredns_service"] for host in hosts.values())
