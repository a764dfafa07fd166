"""A bare loop, the engine and supervisord on one graph of processes that each open a port at once."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from benchmarks.graphs import layered
from benchmarks.report import Table, seconds

FIRST_PORT = 22000
SERVER = [shutil.which("busybox") or "busybox", "httpd", "-f", "-p"]


def port_of(name: str) -> int:
    return FIRST_PORT + int(name[1:])


def wait_for_port(name: str) -> None:
    pause = 0.001
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port_of(name)), timeout=1):
                return
        except OSError:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)


class BareLoop:
    """Threads that wait for each other's events: no record, no log, no plan."""

    name = "bare loop"

    def __init__(self, needs: dict[str, list[str]]) -> None:
        self._needs = needs
        self._children: list[subprocess.Popen[bytes]] = []

    def up(self) -> None:
        healthy = {name: threading.Event() for name in self._needs}

        def run(name: str) -> None:
            for need in self._needs[name]:
                healthy[need].wait()
            command = [*SERVER, f"127.0.0.1:{port_of(name)}"]
            self._children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))
            wait_for_port(name)
            healthy[name].set()

        threads = [threading.Thread(target=run, args=(name,)) for name in self._needs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def down(self) -> None:
        for child in self._children:
            child.terminate()
        for child in self._children:
            child.wait()
        self._children.clear()


class Engine:
    """Order, health, records, logs, state and audit."""

    name = "engine"

    def __init__(self, needs: dict[str, list[str]], folder: Path) -> None:
        self._folder = folder / "engine"
        self._services = {
            name: build(
                ServiceDefinition,
                {
                    "name": name,
                    "port": port_of(name),
                    "depends_on": {need: {"condition": "healthy"} for need in wanted},
                    "deployment": {
                        "mode": "binary",
                        "binary": {"command": SERVER[0], "args": [*SERVER[1:], f"127.0.0.1:{port_of(name)}"]},
                    },
                    "health": {"type": "tcp", "port": port_of(name)},
                },
            )
            for name, wanted in needs.items()
        }
        self._manager = Manager(self._folder, self._services)

    def up(self) -> None:
        _, outcomes = self._manager.converge(dict.fromkeys(self._services, "started"))
        bad = [outcome for outcome in outcomes.values() if not outcome.is_well]
        if bad:
            raise SystemExit(f"{bad[0].service}: {bad[0].reason}")

    def down(self) -> None:
        self._manager.converge(dict.fromkeys(self._services, "absent"))


class Supervisord:
    """Neither order nor health: everything at once, and it counts as up when every port answers."""

    name = "supervisord"

    def __init__(self, needs: dict[str, list[str]], folder: Path) -> None:
        self._needs = needs
        self._folder = folder
        lines = [
            "[supervisord]",
            f"logfile={folder}/supervisord.log",
            f"pidfile={folder}/supervisord.pid",
            "nodaemon=true",
        ]
        for name in needs:
            lines += [
                f"[program:{name}]",
                f"command={' '.join(SERVER)} 127.0.0.1:{port_of(name)}",
                f"stdout_logfile={folder}/{name}.log",
                "redirect_stderr=true",
            ]
        (folder / "supervisord.conf").write_text("\n".join(lines))

    def up(self) -> None:
        program = str(Path(sys.executable).with_name("supervisord"))
        self._child = subprocess.Popen(
            [program, "-c", str(self._folder / "supervisord.conf")], stdout=subprocess.DEVNULL
        )
        for name in self._needs:
            wait_for_port(name)

    def down(self) -> None:
        os.kill(self._child.pid, signal.SIGTERM)
        self._child.wait()


def main() -> None:
    """Read options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="number of processes")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, of which the median counts")
    options = parser.parse_args()
    table = Table(f"{options.count} processes in a layered graph, all healthy", "supervisord")
    needs = layered(options.count)
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            for contender in (
                Supervisord(needs, Path(folder)),
                BareLoop(needs),
                Engine(needs, Path(folder)),
            ):
                table.add("up", contender.name, seconds(contender.up))
                if isinstance(contender, Engine):
                    table.add("up again", contender.name, seconds(contender.up))
                table.add("down", contender.name, seconds(contender.down))
    table.show()


if __name__ == "__main__":
    main()
