"""Docker Compose, a bare loop over the Docker SDK, the engine, and it through Ansible, on one graph of containers."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

import docker
from ansible_collections.provisioning.platform.plugins.module_utils._build import build, to_dict
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from benchmarks.graphs import depth, layered
from benchmarks.report import Table, seconds
from tests.fixtures.images import build_image

IMAGE = "benchmark/http:1"
FIRST_PORT = 21000
REPOSITORY = Path(__file__).resolve().parents[1]
CHECK = "wget -q -O - http://127.0.0.1:8080/ >/dev/null"


class Contender(Protocol):
    """Something that can bring a graph up, bring it up again, and take it away."""

    name: str

    def up(self) -> None: ...
    def down(self) -> None: ...


def port_of(name: str) -> int:
    return FIRST_PORT + int(name[1:])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Compose:
    name = "compose"

    def __init__(self, needs: dict[str, list[str]], folder: Path) -> None:
        document = {
            "name": "bench-compose",
            "services": {
                name: {
                    "image": IMAGE,
                    "ports": [f"127.0.0.1:{port_of(name)}:8080"],
                    "depends_on": {need: {"condition": "service_healthy"} for need in wanted},
                    "healthcheck": {"test": ["CMD-SHELL", CHECK], "interval": "1s", "timeout": "2s", "retries": 30},
                }
                for name, wanted in needs.items()
            },
        }
        self._file = folder / "compose.json"
        self._file.write_text(json.dumps(document))

    def up(self) -> None:
        self._run("up", "--detach", "--wait")

    def down(self) -> None:
        self._run("down", "--timeout", "1")

    def _run(self, *arguments: str) -> None:
        command = ["docker", "compose", "--file", str(self._file), "--progress", "quiet", *arguments]
        subprocess.run(command, check=True, capture_output=True)


class BareSdk:
    """What is the least one has to do: no plan, no state, no messages. Four threads, a probe each 50 ms."""

    name = "bare SDK"

    def __init__(self, needs: dict[str, list[str]]) -> None:
        self._needs = needs
        self._client = docker.from_env(max_pool_size=8)

    def up(self) -> None:
        running = {c["Names"][0][1:] for c in self._client.api.containers(filters={"label": "bench=sdk"})}
        if len(running) == len(self._needs):
            return
        network = self._client.networks.create("bench-sdk").name
        open_needs = {name: set(needs) for name, needs in self._needs.items()}
        with ThreadPoolExecutor(4) as starters, ThreadPoolExecutor(128) as probers:
            futures: dict[Future[None], tuple[str, str]] = {}

            def begin_ready() -> None:
                for name in [name for name, needs in open_needs.items() if not needs]:
                    del open_needs[name]
                    futures[starters.submit(self._start, name, str(network))] = (name, "started")

            begin_ready()
            while futures:
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    future.result()
                    name, what = futures.pop(future)
                    if what == "started":
                        futures[probers.submit(self._probe, name)] = (name, "healthy")
                        continue
                    for needs in open_needs.values():
                        needs.discard(name)
                    begin_ready()

    def down(self) -> None:
        found = self._client.api.containers(all=True, filters={"label": "bench=sdk"})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda c: self._client.api.remove_container(c["Id"], force=True), found))
        for network in self._client.networks.list(names=["bench-sdk"]):
            network.remove()

    def _start(self, name: str, network: str) -> None:
        self._client.containers.run(
            IMAGE,
            name=f"bench-sdk-{name}",
            detach=True,
            network=network,
            labels={"bench": "sdk"},
            ports={"8080/tcp": ("127.0.0.1", port_of(name))},
        )

    def _probe(self, name: str) -> None:
        while not answers(port_of(name)):
            time.sleep(0.05)


def definition(name: str, needs: list[str], *, healthcheck: bool) -> dict[str, Any]:
    return {
        "name": name,
        "port": port_of(name),
        "depends_on": {need: {"condition": "healthy"} for need in needs},
        "deployment": {
            "mode": "docker",
            "docker": {
                "image": IMAGE,
                "ports": [f"127.0.0.1:{port_of(name)}:8080"],
                "pull": "never",
                "healthcheck": healthcheck,
            },
        },
        "health": {"type": "command", "command": ["/bin/sh", "-c", CHECK], "inside": True, "interval": 1.0}
        if healthcheck
        else {"type": "http", "url": f"http://127.0.0.1:{port_of(name)}/"},
        # As Compose is told with --timeout 1: the server inside, being the first process there, heeds no signal.
        "startup": {"stop_timeout": 1.0},
    }


class Engine:
    name = "engine"

    def __init__(self, needs: dict[str, list[str]], folder: Path, *, healthcheck: bool = False) -> None:
        documents = [definition(name, wanted, healthcheck=healthcheck) for name, wanted in needs.items()]
        self._services = {d["name"]: build(ServiceDefinition, d) for d in documents}
        self._work_dir = folder / "engine"

    def up(self) -> None:
        self._converge("started")

    def down(self) -> None:
        self._converge("absent")

    def _converge(self, goal: Any) -> None:
        manager = Manager(self._work_dir, self._services, Settings(project="bench-engine"))
        _, outcomes = manager.converge(dict.fromkeys(self._services, goal))
        bad = [outcome for outcome in outcomes.values() if not outcome.is_well]
        if bad:
            raise SystemExit(f"{bad[0].service}: {bad[0].reason}")
        if goal == "absent":
            manager.clean()


class Playbook:
    name = "ansible-playbook"

    def __init__(self, needs: dict[str, list[str]], folder: Path) -> None:
        services = [build(ServiceDefinition, definition(n, w, healthcheck=False)) for n, w in needs.items()]
        task = {
            "work_dir": str(folder / "playbook"),
            "project": "bench-playbook",
            "state": "{{ wanted }}",
            "services": [to_dict(service, sparse=True) for service in services],
        }
        play = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [{"name": "Converge", "provisioning.platform.services": task}],
            }
        ]
        self._file = folder / "play.yml"
        self._file.write_text(json.dumps(play))

    def up(self) -> None:
        self._run("started")

    def down(self) -> None:
        self._run("absent")

    def _run(self, state: str) -> None:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        subprocess.run(
            [program, str(self._file), "-e", f"wanted={state}"], check=True, capture_output=True, cwd=REPOSITORY
        )


def measure(size: int, rounds: int, *, healthcheck: bool, contenders: list[str]) -> None:
    """Measure all contenders in turns and print their times and ratios."""
    needs = layered(size)
    checked = ", all with HEALTHCHECK" if healthcheck else ""
    table = Table(f"{size} containers, {depth(needs)} one after the other{checked}", "compose")
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as text:
            folder = Path(text)
            fleet: list[Contender] = [Compose(needs, folder), Engine(needs, folder, healthcheck=healthcheck)]
            if not healthcheck:
                fleet += [BareSdk(needs), Playbook(needs, folder)]
            for contender in fleet:
                if contender.name not in contenders:
                    continue
                table.add("up", contender.name, seconds(contender.up))
                table.add("up again", contender.name, seconds(contender.up))
                table.add("down", contender.name, seconds(contender.down))
    table.show()
    if not healthcheck and {"engine", "bare SDK"} <= set(contenders):
        print(f"engine / bare SDK (the limit), up: {table.ratio('up', 'engine', 'bare SDK'):.2f}")


def main() -> None:
    """Read options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[7, 15, 50, 100], help="numbers of containers")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, of which the median counts")
    parser.add_argument("--healthcheck", action="store_true", help="the engine's containers have a HEALTHCHECK too")
    parser.add_argument(
        "--contenders", nargs="+", default=["compose", "bare SDK", "engine", "ansible-playbook"], help="who takes part"
    )
    options = parser.parse_args()
    build_image(docker.from_env().api, IMAGE)
    for size in options.sizes:
        measure(size, options.rounds, healthcheck=options.healthcheck, contenders=options.contenders)


if __name__ == "__main__":
    main()
