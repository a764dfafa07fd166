# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding Compose, its environment, and running programs that stand in for it."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._compose_command import (
    ComposeFailed,
    candidates,
    environment,
    find,
    numbers,
    read,
    run,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_engine import Engine


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("text", "found"),
    [("2.40.3", (2, 40, 3)), ("v2.17.0-desktop.1\n", (2, 17, 0)), ("5.0.0", (5, 0, 0)), ("", ()), ("dev", ())],
)
def test_versions_are_compared_as_numbers(text, found):
    assert numbers(text) == found


def test_the_plugin_is_looked_for_as_the_docker_command_does(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": ["/opt/plugins"]}))
    found = list(candidates({"DOCKER_CONFIG": str(folder), "PATH": ""}, tmp_path))
    assert found[0] == folder / "cli-plugins" / "docker-compose"
    assert str(found[1]) == "/opt/plugins/docker-compose"
    assert next(candidates({"PATH": ""}, tmp_path)) == tmp_path / ".docker" / "cli-plugins" / "docker-compose"


def test_what_is_too_old_is_passed_over(tmp_path):
    program(tmp_path / ".docker" / "cli-plugins" / "docker-compose", "echo 1.29.2")
    new = program(tmp_path / "bin" / "docker-compose", "echo 2.40.3")
    found = find({"PATH": f"{new.parent}:/usr/bin:/bin"}, tmp_path)
    assert found != tmp_path / ".docker" / "cli-plugins" / "docker-compose"


def test_compose_gets_no_more_of_our_environment_than_it_needs():
    outer = {
        "PATH": "/bin",
        "HOME": "/h",
        "TOKEN": "x",
        "COMPOSE_FILE": "/other",
        "DOCKER_HOST": "tcp://x",
        "LANG": "C",
    }
    engine = Engine(None, "unix:///run/docker.sock", "Docker", (28,))
    found = environment(engine, outer, {"LEVEL": "debug", "PATH": "/mine", "DOCKER_HOST": "y", "COMPOSE_PROFILES": "z"})
    assert found == {
        "PATH": "/bin",
        "HOME": "/h",
        "LANG": "C",
        "LEVEL": "debug",
        "DOCKER_HOST": "unix:///run/docker.sock",
        "COMPOSE_IGNORE_ORPHANS": "true",
        "COMPOSE_MENU": "false",
    }
    podman = Engine(None, "unix:///run/podman.sock", "Podman", (4,))
    assert environment(podman, outer, {})["DOCKER_BUILDKIT"] == "0"


def test_compose_reaches_an_engine_behind_tls_with_the_same_certificates():
    api = SimpleNamespace(cert=("/certs/cert.pem", "/certs/key.pem"), verify="/certs/ca.pem")
    found = environment(Engine(api, "tcp://host:2376", "Docker", (28,)), {"DOCKER_CERT_PATH": "/other"}, {})
    assert (found["DOCKER_CERT_PATH"], found["DOCKER_TLS_VERIFY"]) == ("/certs", "1")


def test_a_command_that_writes_nothing_has_failed_whatever_its_exit_code(tmp_path):
    assert read(program(tmp_path / "good", "echo found"), [], {}) == "found\n"
    for script in ("echo no luck >&2; exit 0", "echo no luck >&2; exit 1"):
        with pytest.raises(ComposeFailed, match="no luck"):
            read(program(tmp_path / "bad", script), [], {})


def test_a_command_gets_its_input_and_tells_its_last_line(tmp_path):
    assert run(program(tmp_path / "cat", "cat; echo; echo done"), [], {"PATH": "/bin"}, given="{}") == "done"
    with pytest.raises(ComposeFailed, match="no luck"):
        run(program(tmp_path / "bad", "echo no luck >&2; exit 3"), [], {}, given="")


def test_a_command_that_takes_too_long_is_ended(tmp_path):
    slow = program(tmp_path / "slow", "exec sleep 60")
    begin = time.monotonic()
    with pytest.raises(ComposeFailed, match="took too long"):
        run(slow, [], {"PATH": "/bin:/usr/bin"}, given="", late=lambda: "took too long")
    assert time.monotonic() - begin < 50
