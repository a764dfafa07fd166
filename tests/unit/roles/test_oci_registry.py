# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest


@pytest.fixture
def registry(resolved):
    return lambda settings=None: resolved({"oci-registry": settings or {}})["oci-registry"]


def access_of(service, text_of) -> dict:
    return json.loads(text_of(service, "config.json"))["http"]["accessControl"]


def test_its_configuration_is_json_with_storage_port_and_accounts(registry, text_of):
    document = json.loads(text_of(registry({"port": 5001}), "config.json"))
    assert document["storage"]["rootDirectory"] == "/var/lib/registry"
    assert document["http"]["port"] == "5001"
    assert document["http"]["auth"]["htpasswd"]["path"] == "/etc/zot/htpasswd"


def test_search_and_ui_are_on_and_nothing_downloads_a_database(registry, text_of):
    extensions = json.loads(text_of(registry(), "config.json"))["extensions"]
    assert extensions == {"search": {"enable": True}, "ui": {"enable": True}}


def test_nobody_without_an_account_may_read_unless_that_is_wanted(registry, text_of):
    closed = access_of(registry(), text_of)["repositories"]["**"]
    opened = access_of(registry({"variables": {"anonymous_read": True}}), text_of)["repositories"]["**"]
    assert closed["anonymousPolicy"] == closed["defaultPolicy"] == []
    assert opened["anonymousPolicy"] == ["read"]


def test_the_administrator_may_do_everything_and_pipelines_may_not_delete(registry, text_of):
    access = access_of(registry(), text_of)
    assert access["adminPolicy"] == {"users": ["admin"], "actions": ["read", "create", "update", "delete"]}
    assert access["repositories"]["**"]["policies"][0] == {"users": ["ci"], "actions": ["read", "create", "update"]}


def test_another_account_is_a_secret_and_a_name_in_a_list(registry, text_of):
    service = registry(
        {
            "secrets": {
                "alice_password": {"length": 20},
                "alice_htpasswd": {"format": "htpasswd", "of": "alice_password", "user": "alice"},
            },
            "variables": {"readers": ["alice"]},
        }
    )
    assert text_of(service, "htpasswd").split() == [
        f"${{secret.oci-registry.{name}_htpasswd}}" for name in ("admin", "alice", "ci", "metrics")
    ]
    assert {"users": ["alice"], "actions": ["read"]} in access_of(service, text_of)["repositories"]["**"]["policies"]


def test_passwords_themselves_are_in_no_file(registry):
    assert not any("_password}" in file.content for file in registry().config)
