# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of all profiles, each held to what a service of this platform has to have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_manifests import manifests_for
from ansible_collections.provisioning.platform.plugins.module_utils._model import CommandHealthCheck, HttpHealthCheck
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.plugin_utils.profiles import PROFILES

from tests.unit.plugins.module_utils.drivers.kubernetes_rules import broken_controls, check_schema

ROOT = Path(__file__).parents[3]
WORK_DIR = "/var/lib/provisioning"
ALL = sorted(PROFILES["enterprise"])
#: Those that have no secrets, in files of configuration that others may read.
OWN = ("orchestrator", "control-center", "api-server", "mcp-server")
#: Where a capability is needed: the kernel refuses a binary that carries it otherwise.
CAPABILITIES = {"coredns": ["NET_BIND_SERVICE"], "api-gateway": ["NET_BIND_SERVICE"]}
#: Which data a service keeps on a volume, so that only one of it can write.
SINGLE = {"gitea", "oci-registry", "postgres", "prometheus", "alertmanager", "loki", "tempo", "openbao"}
PORTS = {
    "postgres": 5432,
    "orchestrator": 8080,
    "control-center": 8081,
    "api-server": 8083,
    "mcp-server": 8084,
    "api-gateway": 8088,
    "coredns": 8053,
    "gitea": 3000,
    "oci-registry": 5000,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3001,
    "loki": 3100,
    "tempo": 3200,
    "openbao": 8200,
}


@pytest.fixture(scope="module")
def on_cluster(resolved):
    return resolved(mode="Enterprise", platform="Kubernetes")


@pytest.fixture(scope="module")
def in_containers(resolved):
    """All of them as containers of one engine."""
    return resolved({name: {"mode": "docker"} for name in ALL}, mode="Enterprise")


def document(name: str) -> dict:
    return yaml.safe_load((ROOT / "roles" / name.replace("-", "_") / "meta" / "service.yml").read_text("utf-8"))


@pytest.mark.parametrize(("mode", "count"), [("Solo", 7), ("MultiUser", 8), ("CICD", 9), ("Enterprise", 15)])
def test_a_profile_resolves_on_a_cluster_without_a_warning(resolved, mode, count):
    services = resolved(mode=mode, platform="Kubernetes")
    assert len(services) == count
    assert {service.mode for service in services.values()} == {"kubernetes"}


@pytest.mark.parametrize("mode", ["MultiUser", "CICD"])
def test_a_profile_resolves_on_one_machine_as_it_is(resolved, mode):
    assert {service.mode for service in resolved(mode=mode).values()} == {"binary", "docker"}


@pytest.mark.parametrize("name", ALL)
def test_a_service_has_the_port_of_the_design(on_cluster, name):
    assert on_cluster[name].port == PORTS[name]


@pytest.mark.parametrize("name", ALL)
def test_a_service_has_a_probe_limits_and_a_check_of_its_real_work(on_cluster, name):
    service = on_cluster[name]
    assert isinstance(service.health, (HttpHealthCheck, CommandHealthCheck))
    assert service.resources.memory
    assert service.verify
    assert service.description


@pytest.mark.parametrize("name", ALL)
def test_a_container_fits_restricted_pod_security(in_containers, name):
    block = in_containers[name].deployment.docker
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", block.user), "Kubernetes tells from the number that it is not root"
    assert block.read_only
    assert block.cap_drop == ["ALL"]
    assert block.cap_add == CAPABILITIES.get(name, [])
    assert block.no_new_privileges


@pytest.mark.parametrize("name", ALL)
def test_a_container_writes_to_its_data_and_to_memory_alone(in_containers, name):
    service = in_containers[name]
    for volume in service.deployment.docker.volumes:
        source, _, rest = volume.partition(":")
        assert Path(source).parts[-2:] in {("data", name), ("config", name)}
        assert rest.endswith(":ro") == (Path(source).parts[-2] == "config")


@pytest.mark.parametrize("name", [name for name in ALL if name not in OWN])
def test_an_image_is_named_in_full_with_its_version(name):
    registry, _, rest = document(name)["deployment"]["docker"]["image"].partition("/")
    assert "." in registry, "Podman looks up no short names"
    assert re.fullmatch(r"[a-z0-9/_-]+:v?\d+\.\d+(\.\d+)?(-rootless)?", rest)


@pytest.mark.parametrize("name", [name for name in ALL if name not in (*OWN, "coredns", "oci-registry", "api-gateway")])
def test_a_readme_states_the_version_of_its_image_where_it_says_what_it_is(name):
    image = document(name)["deployment"]["docker"]["image"]
    if name != "gitea":
        text = (ROOT / "roles" / name.replace("-", "_") / "README.md").read_text("utf-8")
        assert image.rpartition(":")[2].lstrip("v") in text


@pytest.mark.parametrize("name", OWN)
def test_our_own_services_use_the_image_of_this_version_or_the_one_that_is_named(resolved, in_containers, name):
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text("utf-8"))["version"]
    assert in_containers[name].deployment.docker.image == f"localhost/provisioning-platform:{version}"
    elsewhere = resolved(environment={"PROVISIONING_IMAGE": "registry.example.com/platform:2"})
    if name in elsewhere:
        assert elsewhere[name].deployment.docker.image == "registry.example.com/platform:2"


@pytest.mark.parametrize("name", OWN)
def test_our_own_services_answer_to_the_name_that_others_call_them_by(on_cluster, in_containers, name):
    assert f"--allowed-host={name}.provisioning.svc" in on_cluster[name].deployment.docker.command
    assert {f"--allowed-host={name}", "--host=0.0.0.0"} <= set(in_containers[name].deployment.docker.command)
    assert in_containers[name].deployment.docker.ports[0].startswith("127.0.0.1:")


@pytest.mark.parametrize("name", ALL)
def test_configuration_with_secrets_is_for_its_owner_alone(on_cluster, name):
    for file in on_cluster[name].config:
        if "${secret." in file.content:
            assert file.mode == "0600", file.dest


@pytest.mark.parametrize("name", ALL)
def test_what_keeps_data_on_a_volume_has_one_writer_and_is_stopped_before_another_starts(on_cluster, name):
    block = on_cluster[name].deployment.kubernetes
    assert block.replicas in (None, 1)
    assert block.update == ("recreate" if name in SINGLE else "rolling")


def test_gitea_and_grafana_keep_their_data_in_postgresql_where_it_is_installed(resolved, text_of):
    solo, team = resolved(), resolved({"grafana": {}}, mode="MultiUser")
    assert "DB_TYPE = sqlite3" in text_of(solo["gitea"], "app.ini")
    assert not solo["gitea"].depends_on
    ini = text_of(team["gitea"], "app.ini")
    assert "DB_TYPE = postgres\nHOST = postgres:5432\n" in ini
    assert "PASSWD = ${secret.postgres.gitea_password}" in ini
    assert set(team["gitea"].depends_on) == {"postgres"}
    assert "password = ${secret.postgres.grafana_password}" in text_of(team["grafana"], "grafana.ini")


def test_the_gateway_has_a_path_for_what_is_installed(resolved, text_of):
    text = text_of(resolved({"grafana": {}}, mode="CICD")["api-gateway"], "Caddyfile")
    assert "handle_path /api-server/* {\n\t\t\treverse_proxy http://127.0.0.1:8083" in text
    assert "handle_path /grafana/* {\n\t\t\treverse_proxy http://127.0.0.1:3001" in text
    assert "/metrics" not in text, "there is nobody who would ask"


def test_the_orchestrator_is_told_where_to_ask_only_where_it_cannot_look(resolved, in_containers, text_of):
    assert text_of(resolved()["orchestrator"], "platform.json") == '{\n  "services": []\n}\n'
    told = yaml.safe_load(text_of(in_containers["orchestrator"], "platform.json"))["services"]
    found = {service["name"]: service for service in told}
    assert set(found) == set(ALL)
    assert found["coredns"]["probe"] == "http://coredns:8180/health"
    assert (found["postgres"]["probe"], found["postgres"]["connect"]) == ("", "postgres:5432")
    assert found["gitea"]["address"] == "http://127.0.0.1:3000"
    assert found["gitea"]["depends_on"] == {"postgres": "healthy"}


def test_names_in_the_zone_lead_to_the_cluster_where_services_are_there(on_cluster, text_of):
    zone = text_of(on_cluster["coredns"], "provisioning.zone")
    assert "gitea IN CNAME gitea.provisioning.svc.cluster.local.\n" in zone


@pytest.mark.parametrize("name", ALL)
def test_the_objects_of_a_service_are_valid_and_restricted(on_cluster, name):
    objects = manifests_for(on_cluster[name], project="shop", work_dir=WorkDir(Path(WORK_DIR)), env={})
    check_schema(objects)
    assert broken_controls(objects) == []
    workload = next(document for document in objects if document["kind"] in ("Deployment", "StatefulSet"))
    container = workload["spec"]["template"]["spec"]["containers"][0]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    assert container["resources"]["limits"]["memory"]
