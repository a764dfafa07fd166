# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How configuration and secrets reach pods, and when they roll them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_manifests import (
    with_secrets,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from tests.unit.plugins.module_utils.drivers.kubernetes_service import (
    CONFIG,
    PASSWORD,
    container_of,
    generate,
    made,
    one,
    pod_of,
    service,
)


def test_files_without_secrets_are_in_the_config_map_and_those_with_one_in_the_secret():
    manifests = made(config=CONFIG)
    assert one(manifests, "ConfigMap")["data"] == {"web.conf": "workers 2", "hook.sh": "#!/bin/sh"}
    assert one(manifests, "Secret")["stringData"] == {"sites_a.conf": f"password {PASSWORD}"}


def test_the_configuration_folder_is_one_volume_with_all_files_in_their_places():
    manifests = made({"volumes": ["/w/config/web:/etc/web:ro"], "user": "7:7"}, config=CONFIG)
    assert container_of(manifests)["volumeMounts"][0] == {"name": "config", "mountPath": "/etc/web", "readOnly": True}
    plain, secret = pod_of(manifests)["spec"]["volumes"][0]["projected"]["sources"]
    assert plain["configMap"]["items"] == [
        {"key": "web.conf", "path": "web.conf", "mode": 0o444},
        {"key": "hook.sh", "path": "hook.sh", "mode": 0o555},
    ]
    assert secret["secret"]["items"] == [{"key": "sites_a.conf", "path": "sites/a.conf", "mode": 0o440}]


def test_a_single_file_is_mounted_by_its_sub_path():
    manifests = made({"volumes": ["/w/config/web/sites/a.conf:/etc/a.conf"]}, config=CONFIG)
    mount = container_of(manifests)["volumeMounts"][0]
    assert mount == {"name": "config-files", "mountPath": "/etc/a.conf", "subPath": "sites/a.conf", "readOnly": True}


def test_a_folder_of_the_configuration_has_only_what_is_in_it():
    manifests = made({"volumes": ["/w/config/web/sites:/etc/sites"]}, config=CONFIG)
    (source,) = pod_of(manifests)["spec"]["volumes"][0]["projected"]["sources"]
    assert [item["path"] for item in source["secret"]["items"]] == ["a.conf"]


def test_no_secret_is_anywhere_but_in_secrets():
    docker = {"env": {"TOKEN": PASSWORD, "URL": f"db://x:{PASSWORD}@db"}, "volumes": ["/w/config/web:/etc/web"]}
    for manifest in made(docker, config=CONFIG):
        assert manifest["kind"] == "Secret" or "${secret." not in str(manifest)


def test_a_variable_with_a_secret_comes_from_the_secret():
    manifests = made({"env": {"TOKEN": PASSWORD}})
    reference = {"secretKeyRef": {"name": "web-env", "key": "TOKEN"}}
    assert container_of(manifests)["env"] == [{"name": "TOKEN", "valueFrom": reference}]
    assert one(manifests, "Secret", "web-env")["stringData"] == {"TOKEN": PASSWORD}


def test_a_secret_is_filled_in_and_encoded_where_it_is_applied():
    secret = one(made({"env": {"TOKEN": PASSWORD}}), "Secret")
    ready = with_secrets(secret, lambda value: dict.fromkeys(value, "s3cret") if value else value)
    assert ready["data"] == {"TOKEN": base64.b64encode(b"s3cret").decode()}
    assert "stringData" not in ready
    config_map = one(made(config=CONFIG), "ConfigMap")
    assert with_secrets(config_map, lambda value: "filled") is config_map


def checksum(definition: ServiceDefinition, **options: Any) -> str:
    return pod_of(generate(definition, **options))["metadata"]["annotations"]["io.provisioning/checksum"]


@pytest.mark.parametrize(
    "changes",
    [
        {"config": [{**CONFIG[0], "content": "workers 3"}, *CONFIG[1:]]},
        {"config": CONFIG[:2]},
        {"versions": {"web.password": 2}},
        {"docker": {"env": {"TOKEN": f"Bearer {PASSWORD}"}}},
    ],
)
def test_pods_roll_when_configuration_or_the_version_of_a_secret_changes(changes):
    settings = {"docker": {"env": {"TOKEN": PASSWORD}}, "config": CONFIG, "versions": {"web.password": 1}}
    before, after = ({**settings, **change} for change in ({}, changes))
    sums = [checksum(service(s["docker"], config=s["config"]), versions=s["versions"]) for s in (before, after)]
    assert sums[0] != sums[1]


def test_pods_do_not_roll_for_a_secret_of_somebody_else():
    definition = service(config=CONFIG)
    one_version = checksum(definition, versions={"web.password": 1, "db.password": 1})
    assert one_version == checksum(definition, versions={"web.password": 1, "db.password": 2})
