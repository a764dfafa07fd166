# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver and an engine that is reached over ssh: a real sshd on loopback, and the real engine behind it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_engine import (
    Engine,
    candidates,
    connect,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError

from tests.fixtures.docker_bench import make_bench, service
from tests.fixtures.ssh import Ssh, serving_ssh


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ssh]:
    with serving_ssh(tmp_path / "ssh") as server:
        monkeypatch.setenv("PATH", f"{server.commands}{os.pathsep}{os.environ['PATH']}")
        yield server


def reach(url: str, kind: str = "docker") -> Engine:
    return connect(kind, candidates(kind, env={"DOCKER_HOST": url}, home=Path("/nowhere"), uid=0))


def refused(url: str, kind: str = "docker") -> str:
    with pytest.raises(DriverError) as caught:
        reach(url, kind)
    return str(caught.value)


def test_services_run_on_an_engine_behind_ssh(ssh, tmp_path, engine, engine_url, api):
    url = ssh.url(engine_url.removeprefix("unix://"))
    with make_bench(tmp_path / "work", engine, url, api) as bench:
        web = service()
        bench.start(web)
        assert bench.see(web).status == "running"
        assert bench.run(web, "echo", "hi").strip() == "hi"
        seen = []
        threads = [threading.Thread(target=lambda: seen.append(bench.see(web).status)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == ["running"] * 8
        bench.remove(web)


def test_without_a_path_the_usual_socket_is_meant(ssh, docker_url):
    if docker_url != "unix:///var/run/docker.sock":
        pytest.skip("the engine of these tests is elsewhere")
    engine = reach(ssh.url())
    assert engine.api.ping()
    assert not engine.is_local
    assert engine.tunnel is not None
    assert engine.environment == {"DOCKER_HOST": f"unix://{engine.tunnel.socket}"}
    engine.api.close()
    engine.tunnel.close()
    assert not engine.tunnel.socket.parent.exists()


def test_a_key_that_is_not_accepted_is_said_to_be_so(ssh):
    ssh.settings.write_text(ssh.settings.read_text().replace("IdentityFile", "# "))
    text = refused(ssh.url())
    assert f"Docker: {ssh.url()} cannot be reached: ssh says: " in text
    assert "Permission denied (publickey" in text
    assert "Let 127.0.0.1 accept a key of the user who installs, without a password (ssh-copy-id 127.0.0.1)." in text


def test_a_host_that_is_not_known_is_not_trusted(ssh):
    ssh.settings.with_name("known").write_text("")
    text = refused(ssh.url())
    assert "Host key verification failed" in text
    assert "Connect once by hand (ssh 127.0.0.1), and compare and accept its key." in text


def test_a_host_that_does_not_answer_is_said_to_be_so(ssh):
    text = refused("ssh://127.0.0.1:1")
    assert "ssh says: ssh: connect to host 127.0.0.1 port 1: Connection refused" in text
    assert "See whether `ssh 127.0.0.1` works by hand, without a question." in text


def test_no_engine_behind_ssh_is_told_from_no_ssh(ssh):
    text = refused(ssh.url("/run/none.sock"), "podman")
    assert "cannot be used: ssh works, and /run/none.sock on 127.0.0.1 cannot be connected to" in text


def test_a_server_that_forbids_to_forward_sockets_is_said_to_be_so(tmp_path, monkeypatch):
    with serving_ssh(tmp_path / "strict", "AllowStreamLocalForwarding no") as server:
        monkeypatch.setenv("PATH", f"{server.commands}{os.pathsep}{os.environ['PATH']}")
        text = refused(server.url())
    assert "ssh works, and /var/run/docker.sock on 127.0.0.1 cannot be connected to" in text
    assert "sshd_config does not forbid AllowStreamLocalForwarding" in text


def test_without_ssh_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "the command ssh, which is not installed. Install it" in refused("ssh://somewhere")


@pytest.mark.parametrize("url", ["ssh://", "ssh://-oProxyCommand=touch", "ssh://a:b"])
def test_what_is_no_host_is_never_given_to_ssh(url):
    assert "names no host. Write ssh://user@host." in refused(url)
