# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service out of a Compose file in whole runs: installed, left alone, changed, moved, removed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import pytest
import yaml

from tests.fixtures.images import build_image
from tests.fixtures.installations import Installation, changed
from tests.fixtures.machine import answers
from tests.fixtures.ports import free_port


@pytest.fixture(scope="module")
def image(docker_url: str) -> Iterator[str]:
    client = docker.APIClient(docker_url, version="auto", timeout=120)
    name = f"provisioning-test/compose-{uuid.uuid4().hex[:10]}:1"
    build_image(client, name)
    yield name
    client.remove_image(name, force=True)
    client.close()


@pytest.fixture
def shop(make, docker_url: str, image: str) -> Installation:
    """An installation of one service out of a Compose file that comes with its definition."""
    port = free_port()
    return make({"shop": definition(image, port)}, engine_url=docker_url)


def definition(image: str, port: int, level: str = "info") -> dict[str, Any]:
    common = {"image": image, "stop_grace_period": "1s"}
    check = {"test": ["CMD", "true"], "interval": "1s", "retries": 30}
    web = {**common, "ports": [f"127.0.0.1:{port}:8080"], "depends_on": {"db": {"condition": "service_healthy"}}}
    web["environment"] = {"LEVEL": level}
    file = {
        "services": {"web": web, "db": {**common, "healthcheck": check, "volumes": ["db:/data"]}},
        "volumes": {"db": {}},
    }
    block = {
        "file": "${self.config_dir}/compose.yaml",
        "service": "web",
        "env": {"PASSWORD": "${secret.password}"},
    }
    return {
        "port": port,
        "deployment": {
            "mode": "compose",
            "compose": block,
            "docker": {"image": image, "pull": "never", "ports": [f"127.0.0.1:{port}:8080"]},
        },
        "config": [{"dest": "compose.yaml", "content": json.dumps(file)}],
        "secrets": {"password": {}},
        "health": {"type": "http", "url": "${self.url}/"},
    }


def test_a_compose_file_is_a_service_like_any_other(shop: Installation, image: str) -> None:
    planned = shop.run("plan")
    assert planned.returncode == 10, planned
    assert not shop.work_dir.exists()

    first = shop.run()
    assert first.returncode == 0, first
    before = shop.containers()
    assert answers(shop.url("shop", "/"))
    (secret,) = shop.secrets().values()
    assert f"PASSWORD={secret}" in shop.inspected()
    assert [path for path, text in shop.texts().items() if secret in text] == ["secrets/shop.json"]

    assert shop.run("plan").returncode == 0
    assert "Nothing had to be changed" in shop.run().stdout
    assert shop.containers() == before

    port = shop.registry["shop"]["port"]
    shop.registry["shop"] = definition(image, port, "debug")
    changed = shop.run()
    assert "compose.services.web.environment.LEVEL" in changed.stdout, changed
    assert shop.containers()["shop"] != before["shop"]

    shop.registry["shop"]["deployment"]["mode"] = "docker"
    moved = shop.run()
    assert "moves from compose to docker" in moved.stdout, moved
    assert list(shop.containers()) == ["shop"]
    shop.registry["shop"]["deployment"]["mode"] = "compose"
    assert "moves from docker to compose" in shop.run().stdout

    gone = shop.playbook("uninstall", purge=True)
    assert gone.returncode == 0, gone
    assert shop.leftovers() == []


def test_a_compose_file_with_an_error_is_one_error_and_leaves_nothing(shop: Installation) -> None:
    shop.registry["shop"]["config"][0]["content"] = "services: {web: {imag: x}}\n"
    failed = shop.run()
    assert failed.returncode in (1, 3), failed
    assert failed.stderr.count("additional properties 'imag' not allowed") == 1
    assert shop.leftovers() == []


def test_a_playbook_writes_the_platform_as_one_compose_file(shop: Installation) -> None:
    file = shop.folder / "export" / "docker-compose.yaml"
    play = shop.folder / "site.yml"
    role = {"name": "provisioning.platform.platform", "tasks_from": "export_compose.yml"}
    task = {"name": "Write it", "ansible.builtin.include_role": role}
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))

    dry = shop.playbook(play, "--check", compose_export=str(file))
    assert (dry.returncode, changed(dry), file.exists()) == (0, 1, False)
    installed = shop.playbook("install", compose_export=str(file))
    assert installed.returncode == 0, installed
    document = yaml.safe_load(file.read_text())
    assert document["services"]["shop"]["image"] == shop.registry["shop"]["deployment"]["docker"]["image"]
    assert document["services"]["shop"]["healthcheck"]["test"][-1] == "http://127.0.0.1:8080/"
    again = shop.playbook(play, compose_export=str(file))
    assert (again.returncode, changed(again)) == (0, 0)
