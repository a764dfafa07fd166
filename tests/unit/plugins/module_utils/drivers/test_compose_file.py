# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Compose file makes of a service, and what the platform adds to it."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._compose_file import (
    document,
    file_arguments,
    literal,
    need_digests,
    needs_of,
    override,
    project_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

DEFAULT = {"default": None}
MODEL = {
    "name": "p-shop",
    "services": {
        "web": {
            "image": "web:1",
            "depends_on": {"db": {"condition": "service_healthy"}, "cache": {"condition": "service_started"}},
            "environment": {"LEVEL": "info", "DB_PASSWORD": "hidden", "PRICE": "5$$"},
            "networks": DEFAULT,
            "restart": "always",
            "command": None,
        },
        "cache": {"image": "cache:1", "depends_on": {"db": {"condition": "service_started"}}, "networks": DEFAULT},
        "db": {"image": "db:1", "networks": DEFAULT},
    },
    "networks": {"default": {"name": "p-shop_default"}, "theirs": {"external": True}},
    "volumes": {"data": {"name": "p-shop_data"}},
}


@pytest.fixture
def context(tmp_path):
    return Context(
        work_dir=WorkDir(tmp_path),
        secrets=SecretStore(tmp_path / "secrets"),
        project="p",
        env={"LEVEL": "all", "TZ": "UTC"},
    )


def service(compose=None, **settings):
    deployment = {"mode": "compose", "compose": {"file": "/srv/Shop App/compose.yaml", **(compose or {})}}
    return build(ServiceDefinition, {"name": "web", "deployment": deployment, **settings})


@pytest.mark.parametrize(
    ("compose", "project"),
    [
        ({}, "p-shop-app"),
        ({"project": "shop"}, "shop"),
        ({"file": "/compose.yaml"}, "p-compose"),
        ({"file": "/srv/__/compose.yaml"}, "p-compose"),
    ],
)
def test_the_project_is_ours_and_the_folders_unless_it_is_named(compose, project):
    assert project_of(service(compose), "p") == project


def test_compose_is_told_of_files_and_profiles_in_arguments():
    compose = {"profiles": ["a", "b"], "env_files": ["/x.env"]}
    arguments = file_arguments(service(compose), "p")
    wanted = "--file /srv/Shop App/compose.yaml --project-name p-shop-app --env-file /x.env --profile a --profile b"
    assert " ".join(arguments) == wanted


def test_what_a_service_needs_comes_after_what_that_needs_itself():
    assert needs_of(MODEL, "web") == ["db", "cache"]
    assert needs_of(MODEL, "db") == ["web", "cache"] or set(needs_of(MODEL, "db")) == {"web", "cache"}
    assert list(need_digests(MODEL, "web")) == ["db", "cache"]


def test_what_is_needed_in_a_circle_is_named_once():
    circle = {"services": {"a": {"depends_on": {"b": {}}}, "b": {"depends_on": {"a": {}}}}}
    assert needs_of(circle, "a") == ["b"]


def test_the_document_holds_no_value_that_is_sensitive_by_its_name(context):
    found = document(service(), context, MODEL)
    environment = found["compose"]["services"]["web"]["environment"]
    assert environment["LEVEL"] == "info"
    assert environment["PRICE"] == "5$", "written as it is, not as Compose escapes it"
    assert environment["DB_PASSWORD"].startswith("sha256:")
    assert "hidden" not in str(found)
    assert "command" not in found["compose"]["services"]["web"]
    assert document(service(), context, MODEL) == found


def test_the_document_has_the_versions_of_secrets_in_the_place_of_their_values(context):
    context.secrets.write("web", {"password": Secret("swordfish", 3)})
    found = document(service({"env": {"DB_PASSWORD": "${secret.web.password}"}}), context, None)
    assert found["env"] == {"LEVEL": "all", "TZ": "UTC", "DB_PASSWORD": "${secret.web.password}"}
    assert found["secrets"] == {"web.password": 3}
    assert "compose" not in found


def test_the_override_adds_labels_network_and_variables(context):
    found = override(
        service({"env": {"PRICE": 7}}, labels={"team": "shop"}),
        context,
        MODEL,
        digests={"db": "d1", "cache": "d2", "web": "d3"},
        gateway="host-gateway",
    )
    web = found["services"]["web"]
    assert web["environment"] == {"TZ": "UTC", "PRICE": "7"}, "env_vars give way to the file, env does not"
    assert web["networks"] == {"default": None, "provisioning-platform": {"aliases": ["web"]}}
    assert web["extra_hosts"] == ["host.docker.internal:host-gateway"]
    own = {"io.provisioning.project": "p", "io.provisioning.work-dir": str(context.work_dir.root)}
    assert web["labels"] == {
        "team": "shop",
        **own,
        "io.provisioning.service": "web",
        "io.provisioning.digest": "d3",
        "io.provisioning.compose-needs": "db,cache",
        "io.provisioning.restart": "always",
        "io.provisioning.network": "p-net",
    }
    assert found["services"]["db"] == {"labels": {**own, "io.provisioning.digest": "d1"}}
    assert found["networks"] == {
        "default": {"labels": own},
        "provisioning-platform": {"external": True, "name": "p-net"},
    }
    assert found["volumes"] == {"data": {"labels": own}}


def test_a_service_with_a_network_of_its_own_kind_keeps_it(context):
    model = {"services": {"web": {"image": "x", "network_mode": "host"}}}
    found = override(service(), context, model, digests={"web": "d"}, gateway="host-gateway")
    assert "networks" not in found
    assert not {"networks", "extra_hosts"} & found["services"]["web"].keys()


def test_networks_of_the_file_are_kept(context):
    model = {"services": {"web": {"image": "x", "networks": {"front": {"aliases": ["shop"]}}}}}
    found = override(service(), context, model, digests={"web": "d"}, gateway=None)
    assert found["services"]["web"]["networks"] == {"provisioning-platform": {"aliases": ["web"]}}


@pytest.mark.parametrize(
    ("theirs", "added"),
    [
        ({}, {"deploy": {"resources": {"limits": {"cpus": "0.5", "memory": "1048576"}}}}),
        ({"cpus": 1, "mem_limit": "5"}, {"cpus": "0.5", "mem_limit": "1048576"}),
        ({"mem_limit": "5"}, {"mem_limit": "1048576", "deploy": {"resources": {"limits": {"cpus": "0.5"}}}}),
    ],
)
def test_limits_are_said_in_the_words_of_the_file(context, theirs, added):
    web = service(resources={"cpu": 0.5, "memory": "1m"})
    model = {"services": {"web": {"image": "x", **theirs}}}
    found = override(web, context, model, digests={"web": "d"}, gateway=None)["services"]["web"]
    assert {name: found[name] for name in ("cpus", "mem_limit", "deploy") if name in found} == added


def test_a_wrong_amount_of_memory_is_named(context):
    with pytest.raises(ConfigurationError, match=r"web: .*lots.*Correct resources\.memory of web"):
        document(service(resources={"memory": "lots"}), context, None)


def test_compose_takes_what_is_given_as_it_stands():
    assert literal({"a": ["${B} $c", 1], "b": None}) == {"a": ["$${B} $$c", 1], "b": None}
