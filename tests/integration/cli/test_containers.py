# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a look at containers costs, counted between the command and a real engine."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.command import Command
from tests.fixtures.docker_bench import service

pytestmark = pytest.mark.docker
_SLEEP = {"command": ["sleep", "1000"]}


@contextmanager
def recorded(path: Path, engine: str) -> Iterator[list[str]]:
    """Pass on what comes to a socket to the engine's; give the first line of each request."""
    requests: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(engine)
                for source, sink, log in ((client, server, requests), (server, client, None)):
                    threading.Thread(target=_pass_on, args=[source, sink, log], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield requests
    finally:
        listener.close()


def _pass_on(source: socket.socket, sink: socket.socket, log: list[str] | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if log is not None:  # a request begins a packet: nothing is pipelined
                log += [line.split("?")[0] for line in data.decode(errors="replace").splitlines() if " HTTP/1" in line]
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_a_status_of_many_containers_costs_as_many_requests_as_of_one(
    tmp_path: Path, docker_url: str, api: object
) -> None:
    project = f"cli{abs(hash(tmp_path)) % 10**8}"
    proxy = tmp_path / "e.sock"
    with recorded(proxy, docker_url.removeprefix("unix://")) as requests:
        settings = Settings(project=project, engine_url=f"unix://{proxy}")
        services = {f"web-{number}": service(f"web-{number}", _SLEEP) for number in range(6)}
        manager = Manager(tmp_path / "work", services, settings)
        manager.save_settings()
        provisioning = Command(tmp_path / "work")
        counts = []
        try:
            for names in (["web-0"], list(services)):
                manager.converge(dict.fromkeys(names, "started"))
                before = len(requests)
                found = provisioning("platform", "status", "--json")
                assert found.code == 0, found
                assert set(found.of("health").values()) == {"healthy"}
                assert list(found.of("status")) == names
                counts.append(requests[before:])
            stopped = provisioning("services", "stop", "web-1", "--json")
            assert (stopped.code, stopped.of("result")) == (0, {"web-1": "stopped"})
            assert json.loads(provisioning("services", "health", "web-1", "--json").out)["healthy"] is False
        finally:
            manager.converge(dict.fromkeys(services, "absent"))
            manager.clean()
    assert len(counts[0]) == len(counts[1]) == 2, counts
