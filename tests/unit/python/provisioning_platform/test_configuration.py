# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading an installation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from provisioning_platform import collection
from provisioning_platform.configuration import description, load_installation

ENVIRON = {"TOKEN": "hunter2", "HOME": "/root"}
NOTIFICATIONS = {"webhook_url": "https://example.com/${TOKEN}", "headers": {"Authorization": "Bearer ${TOKEN}"}}


def test_the_playbooks_get_what_was_written_with_nothing_substituted():
    one = load_installation({"notifications": NOTIFICATIONS, "work_dir": "/w"}, environ=ENVIRON)
    variables = one.playbook_variables()
    assert variables["notifications"] == NOTIFICATIONS
    assert "hunter2" not in json.dumps(variables)
    assert one.target is not None
    assert one.target.headers == {"Authorization": "Bearer hunter2"}
    assert variables["installation_id"] == one.installation_id != ""
    assert one.work_dir == Path("/w")


def test_paths_beside_the_file_are_known_to_the_playbooks(tmp_path):
    (tmp_path / "mine.yml").write_text("services: {}\n", encoding="utf-8")
    (tmp_path / "x.toml").write_text('registry = ["mine.yml"]\n', encoding="utf-8")
    one = load_installation(tmp_path / "x.toml", environ=ENVIRON)
    assert one.playbook_variables()["registry"] == [str(tmp_path / "mine.yml")]


def test_variables_are_put_over_those_of_the_file(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("[variables]\na = 1\nb = 2\n", encoding="utf-8")
    one = load_installation(str(path), variables={"b": "3"}, environ=ENVIRON)
    assert one.config.variables == {"a": 1, "b": "3"} == one.playbook_variables()["variables"]


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        ("level", []),
        ("port", []),
        (
            "verbose",
            ["The variable verbose is used by nothing. verbose is a setting: write it into the configuration."],
        ),
        (
            "work_dri",
            ["The variable work_dri is used by nothing. work_dir is a setting: write it into the configuration."],
        ),
        ("levle", ["The variable levle is used by nothing. Did you mean level?"]),
        ("x", ["The variable x is used by nothing. It fills in ${var.x} in the configuration."]),
    ],
)
def test_a_variable_that_nothing_uses_is_warned_about(given, warnings):
    document = {
        "variables": {"level": "info", "port": 3333, "indirect": "${var.port}"},
        "env_vars": {"LEVEL": "${var.level}"},
        "deployment": {"services": [{"name": "gitea", "enabled": False, "port": "${var.indirect}"}]},
    }
    one = load_installation(document, variables={given: "3333"}, environ=ENVIRON)
    assert list(one.warnings) == warnings


def test_a_configuration_already_validated_is_taken_as_well():
    document = {
        "installation_id": "x",
        "deployment": {"platform": "podman", "services": [{"name": "gitea", "port": 3333, "required": False}]},
        "env_vars": {"A": "1"},
    }
    first = load_installation(document, environ=ENVIRON)
    second = load_installation(first.config, environ=ENVIRON)
    assert second.config == first.config
    assert second.platform.registry == first.platform.registry


def test_every_fault_is_told():
    with pytest.raises(ConfigurationError) as caught:
        load_installation({"verbos": True, "fail_fast": "perhaps"}, environ=ENVIRON)
    assert len(caught.value.problems) == 2


def test_a_webhook_that_cannot_be_used_is_a_fault_of_the_configuration():
    with pytest.raises(ConfigurationError, match="https"):
        load_installation({"notifications": {"webhook_url": "http://example.com/"}}, environ=ENVIRON)


def test_a_valid_configuration_is_described_without_its_secrets():
    one = load_installation({"notifications": NOTIFICATIONS, "work_dir": "/w"}, environ=ENVIRON)
    lines = description(one)
    assert lines[:3] == ["OK", "  profile:  solo on Docker", "  work dir: /w"]
    assert lines[3].startswith("  services: 7, 3 of them required: ")
    assert lines[4] == "  webhook:  https://example.com/***"


def test_the_collection_is_found_with_its_playbooks():
    assert collection.playbook("install").name == "install.yml"
    assert (collection.search_path() / "ansible_collections/provisioning/platform/galaxy.yml").exists()


def test_ansible_is_told_where_the_collection_is_beside_what_the_user_has_set():
    current = {
        "PATH": "/bin",
        "ANSIBLE_COLLECTIONS_PATH": "/mine",
        "ANSIBLE_CALLBACKS_ENABLED": "timer",
        "ANSIBLE_PIPELINING": "false",
        "ANSIBLE_CONFIG": "/my/ansible.cfg",
    }
    added = collection.environment(current)
    assert added["ANSIBLE_COLLECTIONS_PATH"] == f"{collection.search_path()}:/mine"
    assert added["ANSIBLE_CALLBACKS_ENABLED"] == "provisioning.platform.webhook,timer"
    assert "ANSIBLE_PIPELINING" not in added
    assert "ANSIBLE_CONFIG" not in added
    assert collection.environment(added | current)["ANSIBLE_CALLBACKS_ENABLED"] == added["ANSIBLE_CALLBACKS_ENABLED"]


def test_settings_for_playbooks_of_another_kind_do_not_reach_ours():
    added = collection.environment({"ANSIBLE_STRATEGY": "free", "ANSIBLE_RUN_TAGS": "mine", "ANSIBLE_NO_LOG": "true"})
    assert (added["ANSIBLE_STRATEGY"], added["ANSIBLE_RUN_TAGS"], added["ANSIBLE_NO_LOG"]) == ("linear", "all", "false")
