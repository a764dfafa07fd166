# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_render import (
    Volume,
    check_document,
    container_names,
    creation,
    document,
    parse_volume,
    template_of,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

MINIMAL = {
    "image": "web:1",
    "cap_drop": ["ALL"],
    "no_new_privileges": True,
    "restart": "unless-stopped",
}


@pytest.fixture
def context(tmp_path) -> Context:
    return Context(work_dir=WorkDir(Path("/w")), secrets=SecretStore(tmp_path / "secrets"), project="shop")


def service(docker: dict[str, Any] | None = None, **settings: Any) -> ServiceDefinition:
    deployment = {"mode": "docker", "docker": {"image": "web:1", **(docker or {})}}
    return build(ServiceDefinition, {"name": "web", "deployment": deployment, **settings})


def body(definition: ServiceDefinition, context: Context, **options: Any) -> dict[str, Any]:
    return creation(document(definition, context), definition, context, digest="d1", **options)


def test_a_document_holds_only_what_is_set(context):
    assert document(service(), context) == MINIMAL


@pytest.mark.parametrize(
    ("docker", "settings", "expected"),
    [
        ({"command": ["a", "b"]}, {}, {"command": ["a", "b"]}),
        ({"entrypoint": ["a"]}, {}, {"entrypoint": ["a"]}),
        ({"env": {"A": True, "B": 0, "C": 1.5, "D": "x"}}, {}, {"env": {"A": "true", "B": "0", "C": "1.5", "D": "x"}}),
        ({"ports": ["8080:80"]}, {}, {"ports": ["127.0.0.1:8080:80/tcp"]}),
        ({"ports": ["8080:80"]}, {"bind_address": "0.0.0.0"}, {"ports": ["0.0.0.0:8080:80/tcp"]}),
        ({"ports": ["8080:80"]}, {"bind_address": "localhost"}, {"ports": ["127.0.0.1:8080:80/tcp"]}),
        ({"ports": ["[::1]:53:53/udp"]}, {}, {"ports": ["[::1]:53:53/udp"]}),
        ({"ports": ["81-82:80-81"]}, {}, {"ports": ["127.0.0.1:81:80/tcp", "127.0.0.1:82:81/tcp"]}),
        ({"ports": ["81-82:80"]}, {}, {"ports": ["127.0.0.1:81:80/tcp", "127.0.0.1:82:80/tcp"]}),
        ({"volumes": ["data:/d", "/a:/b:ro"]}, {}, {"volumes": ["data:/d", "/a:/b:ro"]}),
        ({"tmpfs": ["/tmp"]}, {}, {"tmpfs": ["/tmp"]}),
        ({"networks": ["back"]}, {}, {"networks": ["back"]}),
        ({"user": "1000:1000"}, {}, {"user": "1000:1000"}),
        ({"working_dir": "/x"}, {}, {"working_dir": "/x"}),
        ({"read_only": True}, {}, {"read_only": True}),
        ({"cap_add": ["NET_ADMIN"]}, {}, {"cap_add": ["NET_ADMIN"]}),
        ({"extra_hosts": {"a": "1.2.3.4"}}, {}, {"extra_hosts": {"a": "1.2.3.4"}}),
        ({"replicas": 3}, {}, {"replicas": 3}),
        ({"build": {"context": "/src"}}, {}, {"build": {"context": "/src"}}),
        ({}, {"startup": {"restart": "no", "stop_signal": "SIGINT"}}, {"restart": "no", "stop_signal": "SIGINT"}),
        ({}, {"startup": {"stop_timeout": 3, "timeout": 5}}, {}),
        ({}, {"resources": {"cpu": 0.5}}, {"resources": {"cpu": 0.5}}),
        ({}, {"resources": {"memory": "64m"}}, {"resources": {"memory": 64 * 2**20}}),
        ({}, {"resources": {"memory": 1000, "open_files": 9}}, {"resources": {"memory": 1000, "open_files": 9}}),
        ({}, {"labels": {"team": "a"}}, {"labels": {"team": "a"}}),
        ({"pull": "always"}, {}, {}),
        ({}, {"port": 80, "description": "x", "required": False}, {}),
    ],
)
def test_what_is_set_appears_in_the_words_of_the_definition(context, docker, settings, expected):
    assert document(service(docker, **settings), context) == MINIMAL | expected


def test_what_may_be_switched_off_can_be(context):
    found = document(service({"cap_drop": [], "no_new_privileges": False}), context)
    assert found == {"image": "web:1", "restart": "unless-stopped"}


def test_the_installations_variables_reach_the_service_and_its_own_win(context):
    context = replace(context, env={"LEVEL": "info", "DEBUG": False})
    found = document(service({"env": {"LEVEL": "debug"}}), context)
    assert found["env"] == {"LEVEL": "debug", "DEBUG": "false"}


def test_configuration_files_count_by_their_digest(context):
    assert document(service(), replace(context, files={"web": "abc", "other": "def"}))["config"] == "abc"


def test_secrets_stay_placeholders_and_count_by_their_version(context):
    context.secrets.write("web", {"token": Secret("s3cret", 4)})
    context.secrets.write("db", {"password": Secret("pa55", 2)})
    definition = service(
        {"env": {"T": "x${secret.web.token}"}},
        config=[{"dest": "/w/config/web/c", "content": "p=${secret.db.password} ${secret.db.missing}"}],
    )
    found = document(definition, context)
    assert found["env"] == {"T": "x${secret.web.token}"}
    assert found["secrets"] == {"web.token": 4, "db.password": 2, "db.missing": 0}
    assert "s3cret" not in json.dumps(body(definition, context))


@pytest.mark.parametrize(
    ("docker", "settings", "message"),
    [
        ({"ports": ["x"]}, {}, "'x' is not a published port"),
        ({"ports": ["1-3:1-2"]}, {}, "maps 3 ports to 2"),
        ({"volumes": ["data"]}, {}, "'data' is not a mount"),
        ({"volumes": ["./data:/d"]}, {}, "'./data:/d' is not a mount"),
        ({"volumes": ["data:d"]}, {}, "'data:d' is not a mount"),
        ({"volumes": ["data:/d:rx"]}, {}, "'data:/d:rx' is not a mount"),
        ({}, {"resources": {"memory": "lots"}}, "'lots' is not an amount of memory"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_service(context, docker, settings, message):
    with pytest.raises(ConfigurationError) as caught:
        document(service(docker, **settings), context)
    assert caught.value.problems[0].what == "web"
    assert message in caught.value.problems[0].why
    assert "of web." in caught.value.problems[0].remedy


def test_a_service_without_a_docker_block_is_an_error(context):
    definition = build(ServiceDefinition, {"name": "web", "deployment": {"mode": "docker"}})
    with pytest.raises(ConfigurationError, match="web: has no docker block"):
        document(definition, context)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data:/d", Volume("data", "/d")),
        ("/srv/x:/d:ro", Volume("/srv/x", "/d", ("ro",))),
        ("/srv/x:/d:ro,z", Volume("/srv/x", "/d", ("ro", "z"))),
    ],
)
def test_a_mount_is_a_volume_or_an_absolute_path(text, expected):
    assert parse_volume(text, "web") == expected


def test_containers_are_named_by_project_and_service_and_numbered_from_two_on():
    assert container_names("p", "web", 1) == {"": "p-web"}
    assert container_names("p", "web", 2) == {"1": "p-web-1", "2": "p-web-2"}


def test_a_container_carries_whose_and_what_it_is(context):
    labels = body(service(labels={"team": "a", "io.provisioning.project": "stolen"}), context)["Labels"]
    assert labels.pop("io.provisioning.template")
    assert labels == {
        "team": "a",
        "io.provisioning.project": "shop",
        "io.provisioning.work-dir": "/w",
        "io.provisioning.service": "web",
        "io.provisioning.digest": "d1",
        "io.provisioning.replica": "",
    }


def test_a_plain_service_becomes_a_small_request(context):
    found = body(service(), context)
    del found["Labels"]
    assert found == {
        "Image": "web:1",
        "Env": [],
        "ExposedPorts": {},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "shop-net",
            "RestartPolicy": {"Name": "unless-stopped"},
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ExtraHosts": ["host.docker.internal:host-gateway"],
        },
        "NetworkingConfig": {"EndpointsConfig": {"shop-net": {"Aliases": ["web"]}}},
    }


def test_a_service_with_everything_becomes_one_request(context):
    definition = service(
        {
            "command": ["serve"],
            "entrypoint": ["/init"],
            "env": {"A": 1},
            "ports": ["8080:80", "0.0.0.0:53:53/udp"],
            "volumes": ["data:/data", "/etc/x:/x:ro", "/srv:/srv:z"],
            "tmpfs": ["/tmp", "/run:size=1m"],
            "user": "1000",
            "working_dir": "/data",
            "read_only": True,
            "cap_add": ["NET_BIND_SERVICE"],
            "extra_hosts": {"db": "10.0.0.1"},
        },
        startup={"stop_signal": "SIGQUIT", "restart": "on-failure"},
        resources={"cpu": 1.5, "memory": "1g", "open_files": 4096},
    )
    found = body(definition, context)
    del found["Labels"]
    assert found == {
        "Image": "web:1",
        "Cmd": ["serve"],
        "Entrypoint": ["/init"],
        "Env": ["A=1"],
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Healthcheck": {"Test": ["NONE"]},
        "User": "1000",
        "WorkingDir": "/data",
        "StopSignal": "SIGQUIT",
        "HostConfig": {
            "NetworkMode": "shop-net",
            "RestartPolicy": {"Name": "on-failure"},
            "PortBindings": {
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
                "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "53"}],
            },
            "Mounts": [
                {"Type": "volume", "Source": "shop-data", "Target": "/data", "ReadOnly": False},
                {"Type": "bind", "Source": "/etc/x", "Target": "/x", "ReadOnly": True},
            ],
            "Binds": ["/srv:/srv:z"],
            "Tmpfs": {"/tmp": "", "/run": "size=1m"},
            "ReadonlyRootfs": True,
            "CapAdd": ["NET_BIND_SERVICE"],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ExtraHosts": ["db:10.0.0.1", "host.docker.internal:host-gateway"],
            "NanoCpus": 1_500_000_000,
            "Memory": 2**30,
            "Ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}],
        },
        "NetworkingConfig": {"EndpointsConfig": {"shop-net": {"Aliases": ["web"]}}},
    }


@pytest.mark.parametrize(
    ("hosts", "gateway", "expected"),
    [
        ({}, "host-gateway", ["host.docker.internal:host-gateway"]),
        ({}, "10.89.0.1", ["host.docker.internal:10.89.0.1"]),
        ({}, None, None),
        ({"me": "host-gateway"}, "10.89.0.1", ["me:10.89.0.1", "host.docker.internal:10.89.0.1"]),
        ({"me": "host-gateway"}, None, ["me:host-gateway"]),
        ({"host.docker.internal": "1.1.1.1"}, "host-gateway", ["host.docker.internal:1.1.1.1"]),
    ],
)
def test_every_container_knows_the_host_by_name(context, hosts, gateway, expected):
    found = body(service({"extra_hosts": hosts}), context, gateway=gateway)
    assert found["HostConfig"].get("ExtraHosts") == expected


COMMAND_CHECK = {"type": "command", "command": ["ok"], "interval": 1.5, "timeout": 2, "retries": 4, "start_period": 3}


@pytest.mark.parametrize(
    ("healthcheck", "health", "expected"),
    [
        (False, COMMAND_CHECK, {"Test": ["NONE"]}),
        (False, None, {"Test": ["NONE"]}),
        (True, None, None),
        (True, {"type": "tcp", "port": 80}, None),
        (True, COMMAND_CHECK | {"expected_exit_code": 1}, None),
        (
            True,
            COMMAND_CHECK,
            {
                "Test": ["CMD", "ok"],
                "Interval": 1_500_000_000,
                "Timeout": 2_000_000_000,
                "Retries": 4,
                "StartPeriod": 3_000_000_000,
            },
        ),
    ],
)
def test_the_engine_checks_health_itself_only_when_asked(context, healthcheck, health, expected):
    settings = {"health": health} if health else {}
    found = body(service({"healthcheck": healthcheck}, **settings), context)
    assert found.get("Healthcheck") == expected


def test_each_replica_knows_its_number_and_has_a_port_of_its_own(context):
    definition = service({"replicas": 2, "ports": ["8081-8083:80"], "env": {"A": "b"}})
    second = body(definition, context, replica="2")
    assert second["Env"] == ["A=b", "REPLICA=2"]
    assert second["Labels"]["io.provisioning.replica"] == "2"
    assert second["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8082"}]}


def test_replicas_that_outnumber_their_ports_are_found_before_anything_is_created(context):
    definition = service({"replicas": 3, "ports": ["8081-8082:80"]})
    (problem,) = check_document(document(definition, context), definition)
    assert str(problem) == (
        "web: has more replicas than ports for them. "
        "Publish a range of host ports in docker.ports of web, e.g. 8081-8083:80 for three, or none."
    )


@pytest.mark.parametrize("network", ["host", "none", "container:db"])
def test_a_network_that_cannot_be_had_beside_the_platforms_own_is_a_problem(context, network):
    definition = service({"networks": [network]})
    (problem,) = check_document(document(definition, context), definition)
    assert f"the network {network} cannot be had beside the platform's own" in problem.why


def test_the_number_of_replicas_does_not_change_what_each_is_but_being_one_of_several_does(context):
    one, two, three = (template_of(document(service({"replicas": n}), context)) for n in (1, 2, 3))
    assert one != two == three
    assert template_of(document(service({"replicas": 2, "user": "1"}), context)) != two
