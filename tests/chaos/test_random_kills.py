# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services are killed at random, at any moment, by many; in the end all are well, once each, and nobody else was hurt.

``PROVISIONING_CHAOS_SECONDS=600`` makes it as long as a release deserves.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.definitions import service, services
from tests.fixtures.images import IMAGE
from tests.fixtures.ports import free_ports
from tests.fixtures.supervised import SECONDS, Supervised, still_runs, take_pid, under_supervision, until

CHAOS_SECONDS = float(os.environ.get("PROVISIONING_CHAOS_SECONDS", "20"))
LIMITS = {"burst": 500, "interval": 600, "delay": 0.05, "max_delay": 0.3, "stable": 5}
STARTUP = {"timeout": 60, "stop_timeout": 1, "limits": LIMITS}
PROCESSES = ("store", "api", "web", "mail", "jobs")
CONTAINERS = ("cache", "search")


def health(port: int, status: int) -> dict[str, Any]:
    timing = {"interval": 1, "timeout": 10, "retries": 2}
    return {"type": "http", "url": f"http://127.0.0.1:{port}/", "expected_status": [status], **timing}


def process(name: str, port: int, **more: Any) -> ServiceDefinition:
    arguments = ["httpd", "-f", "-p", f"127.0.0.1:{port}"]
    about = {"port": port, "health": health(port, 404), "startup": STARTUP}
    return service(name, command="busybox", args=arguments, **about, **more)


def container(name: str, port: int) -> ServiceDefinition:
    block = {"image": IMAGE, "pull": "never", "ports": [f"127.0.0.1:{port}:8080"]}
    about = {"port": port, "health": health(port, 200), "startup": STARTUP}
    return build(ServiceDefinition, {"name": name, "deployment": {"mode": "docker", "docker": block}, **about})


@pytest.fixture(scope="module")
def client(docker_url: str, engine_client: Callable[[str], docker.APIClient]) -> docker.APIClient:
    return engine_client("docker")


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, docker_url: str, client: docker.APIClient
) -> Iterator[Supervised]:
    ports = dict(zip((*PROCESSES, *CONTAINERS), free_ports(len(PROCESSES) + len(CONTAINERS)), strict=True))
    definitions = services(
        process("store", ports["store"]),
        process("api", ports["api"], depends_on={"store": {"condition": "healthy", "restart": True}}),
        process("web", ports["web"], depends_on={"api": {"condition": "healthy"}}),
        process("mail", ports["mail"]),
        process("jobs", ports["jobs"]),
        *(container(name, ports[name]) for name in CONTAINERS),
    )
    settings = Settings(project=f"chaos-{uuid.uuid4().hex[:8]}", engine_url=docker_url)
    with under_supervision(tmp_path_factory.mktemp("chaos") / "work", definitions, settings) as one:
        yield one


@pytest.fixture
def strangers(platform: Supervised, client: docker.APIClient, tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """A process and a container that look much like ours; says whether both are as they were."""
    (port,) = free_ports(1)
    like_ours = subprocess.Popen(["busybox", "httpd", "-f", "-p", f"127.0.0.1:{port}"], cwd=tmp_path)
    name = f"{platform.settings.project}-cache-1"
    made = client.create_container(IMAGE, name=name)["Id"]
    client.start(made)
    began = client.inspect_container(made)["State"]["StartedAt"]
    try:
        yield lambda: like_ours.poll() is None and client.inspect_container(made)["State"]["StartedAt"] == began
    finally:
        like_ours.kill()
        like_ours.wait()
        client.remove_container(made, force=True)


def strike(platform: Supervised, client: docker.APIClient, name: str) -> bool:
    """Kill a service, or have it hang, if it is there; return whether it was."""
    if name in CONTAINERS:
        found = client.inspect_container(f"{platform.settings.project}-{name}")["State"]
        if not found["Running"] or not found["Pid"]:
            return False
        os.kill(found["Pid"], signal.SIGKILL)  # the engine must not take it for somebody's will
        return True
    pids = platform.processes().get(name, [])
    with contextlib.suppress(ProcessLookupError):
        for pid in pids:
            os.kill(pid, random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
    return bool(pids)


def test_after_random_kills_all_are_well_once_each_and_strangers_are_untouched(platform, client, strangers):
    kills: Counter[str] = Counter()
    containers = {name: client.inspect_container(f"{platform.settings.project}-{name}")["Id"] for name in CONTAINERS}
    end = time.monotonic() + CHAOS_SECONDS
    while time.monotonic() < end:
        name = random.choice([*PROCESSES, *CONTAINERS])
        with contextlib.suppress(ProcessLookupError):
            kills[name] += strike(platform, client, name)
        watch_until(platform, time.monotonic() + random.uniform(0.1, 1.0))
    until(platform.is_well, "all are well")
    assert {name: len(pids) for name, pids in platform.processes().items()} == dict.fromkeys(PROCESSES, 1)
    assert {
        name: client.inspect_container(f"{platform.settings.project}-{name}")["Id"] for name in CONTAINERS
    } == containers  # the engine has brought them back, and nobody made others
    assert strangers()
    for name in PROCESSES:
        assert len(platform.restarts(name)) <= LIMITS["burst"]
        assert "given_up" not in platform.told(name)
        if kills[name]:
            assert platform.restarts(name)
    until(lambda: platform.states.read("store").health == "healthy", "it is written down")


def watch_until(platform: Supervised, moment: float) -> None:
    """See to it that nothing is there twice at any moment."""
    while time.monotonic() < moment:
        twice = {name: pids for name, pids in platform.processes().items() if len(pids) > 1}
        assert not twice
        time.sleep(0.05)


def operator(platform: Supervised, code: str) -> subprocess.Popen[bytes]:
    """Begin a process of somebody who operates the platform as ``one``."""
    head = (
        "import random, sys\n"
        "from pathlib import Path\n"
        "from tests.fixtures.supervised import Supervised\n"
        "one = Supervised(Path(sys.argv[1]), {})\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", head + code, str(platform.layout.root)], env=environment)


def test_two_operators_and_the_supervisor_never_start_a_service_twice_nor_damage_what_is_written(platform):
    rounds = max(6, int(CHAOS_SECONDS / 3))
    code = (
        f"for _round in range({rounds}):\n"
        "    names = random.sample(['mail', 'jobs', 'web'], 2)\n"
        "    one.operate(random.choice(['start', 'stop', 'restart']), *names, force=True)\n"
    )
    operators = [operator(platform, code) for _ in range(2)]
    while any(one.poll() is None for one in operators):
        with contextlib.suppress(ProcessLookupError, KeyError, ValueError):
            platform.kill(random.choice(["mail", "jobs"]))
        watch_until(platform, time.monotonic() + 0.5)
    assert [one.returncode for one in operators] == [0, 0]
    platform.operate("start")
    until(platform.is_well, "all are well")
    assert {name: len(pids) for name, pids in platform.processes().items()} == dict.fromkeys(PROCESSES, 1)
    assert platform.states.read_all().keys() == {*PROCESSES, *CONTAINERS}


def test_pids_that_go_round_are_survived(platform):
    """What chance does in months is done here at once: a stranger gets the number of a service that died."""
    for name in ("mail", "jobs"):
        # A number is free when the parent has taken note; here that is one who has gone.
        assert operator(platform, f"one.operate('restart', '{name}')\n").wait(SECONDS) == 0
        platform.put_to_sleep()
        pid = platform.kill(name)
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "its number is free")
        stranger = take_pid(pid, ["sleep", "1000"])
        try:
            os.kill(platform.supervisor, signal.SIGCONT)
            until(lambda name=name: name in platform.processes() and platform.is_well(name), "it runs again")
            platform.operate("restart", name)
            assert stranger.poll() is None
            assert still_runs(pid)
        finally:
            stranger.kill()
            stranger.wait()
    until(platform.is_well, "all are well")
