# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole platform as one Compose file: the command writes it, Compose finds it valid and brings it up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import docker
import pytest

from tests.fixtures.compose_bench import sweep
from tests.fixtures.docker_bench import get
from tests.fixtures.images import build_image
from tests.fixtures.ports import free_port
from tests.fixtures.standins import build_standins

REPOSITORY = Path(__file__).parents[3]
OWN = ("orchestrator", "control-center", "mcp-server")
PORTS = ("orchestrator", "control-center", "mcp-server", "gitea", "oci-registry", "api-gateway", "coredns")


@pytest.fixture
def own_image(docker_url):
    """An image that stands in for the platform's own services, and has a static busybox."""
    client = docker.APIClient(docker_url, version="auto", timeout=120)
    image = f"provisioning-test/own-{uuid.uuid4().hex[:10]}:1"
    build_image(client, image, files={"/www/health": "well\n"})
    yield image
    client.remove_image(image, force=True)
    client.close()


@pytest.fixture
def project(docker_url):
    client = docker.APIClient(docker_url, version="auto", timeout=120)
    name = f"t{uuid.uuid4().hex[:10]}"
    yield name
    sweep(client, name)
    client.close()


def configuration(image, project, ports):
    def own(name):
        command = ["httpd", "-f", "-p", str(ports[name]), "-h", "/www"]
        block = {"image": image, "command": command, "ports": ["${self.port}:${self.port}"]}
        block |= {"user": "0:0", "volumes": [], "pull": "never"}
        return {"name": name, "port": ports[name], "deployment": {"docker": block}}

    more = {name: free_port() for name in ("ssh", "health", "ready")}
    others = [{"name": name, "port": ports[name]} for name in ("oci-registry", "api-gateway")]
    gitea = {"name": "gitea", "port": ports["gitea"], "ports": {"ssh": more["ssh"]}}
    gitea["deployment"] = {"docker": {"env": {"PROOF": "${secret.secret_key}"}}}
    dns = {"health": more["health"], "ready": more["ready"]}
    coredns = {"name": "coredns", "port": ports["coredns"], "ports": dns}
    services = [*map(own, OWN), *others, gitea, coredns]
    return {"deployment": {"project": project, "services": services}}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


def test_seven_services_come_up_out_of_one_file(docker_url, own_image, project, plugins, tmp_path):
    build_standins(docker_url)
    ports = {name: free_port() for name in PORTS}
    config = tmp_path / "platform.yml"
    config.write_text(json.dumps(configuration(own_image, project, ports)))
    file = tmp_path / "export" / "docker-compose.yaml"
    paths = [str(REPOSITORY / "playbooks" / "collections"), str(REPOSITORY / "python")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DOCKER_HOST": docker_url}
    options = ["--config", str(config), "--output", str(file), "--health-image", own_image]
    command = [sys.executable, "-m", "provisioning_platform", "export", "compose", *options]
    done = run(*command, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("7 services; docker compose --file")
    secret = json.loads((file.parent / "secrets" / "gitea.json").read_text())["secret_key"]["value"]
    assert secret not in file.read_text()
    assert secret not in done.stdout + done.stderr

    compose = [str(plugins / "cli-plugins" / "docker-compose"), "--file", str(file)]
    assert run(*compose, "config", "--quiet", env=env).returncode == 0
    up = run(*compose, "--progress", "quiet", "up", "--detach", "--wait", env=env)
    assert up.returncode == 0, up.stderr
    states = [json.loads(line) for line in run(*compose, "ps", "--format", "json", env=env).stdout.splitlines()]
    assert {one["Service"] for one in states} == {*PORTS, "healthcheck-tools"}
    assert {one["Health"] for one in states} == {"healthy"}
    assert get(ports["api-gateway"], "/orchestrator/health") == "well\n"
    inspect = ["docker", "inspect", "--format", "{{.Config.Env}}", f"{project}-gitea-1"]
    assert f"PROOF={secret}" in run(*inspect, env=env).stdout

    again = run(*command, env=env)
    assert [line for line in again.stdout.splitlines() if line.startswith("wrote")] == []
    down = run(*compose, "--progress", "quiet", "down", "--volumes", "--timeout", "1", env=env)
    assert down.returncode == 0, down.stderr
