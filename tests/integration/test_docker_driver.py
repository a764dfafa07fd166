# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver on real engines: each test runs on Docker and on Podman, in a project of its own."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT, Context, Observation
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.docker import DockerDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import CommandHealthCheck, ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

from tests.fixtures.image_registry import Registry, running_registry
from tests.fixtures.images import build_image

IMAGE = "provisioning-test/driver:1"
FOREVER = ["sh", "-c", "trap 'exit 0' TERM INT; while true; do sleep 0.05; done"]


@pytest.fixture(scope="module", params=["docker", "podman"])
def engine(request: pytest.FixtureRequest) -> str:
    """Docker's name, then Podman's."""
    return str(request.param)


@pytest.fixture(scope="module")
def engine_url(request: pytest.FixtureRequest, engine: str) -> str:
    """The address of the engine, which has the image."""
    return str(request.getfixturevalue(f"{engine}_url"))


@pytest.fixture(scope="module")
def api(engine_url: str) -> Iterator[docker.APIClient]:
    """A client of our own, to look behind the driver's back."""
    client = docker.APIClient(engine_url, version="auto", timeout=120)
    build_image(client, IMAGE, cgi={"env": "printf 'Content-Type: text/plain\\n\\n'; env"})
    yield client
    client.close()


@dataclass
class Bench:
    """A driver in a project of its own, and what it told."""

    driver: DockerDriver
    context: Context
    api: docker.APIClient
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def start(self, *services: ServiceDefinition) -> Observation:
        """Bring services to what they are to be, as the engine does; return what the last one is."""
        self.driver.prepare(services)
        for service in services:
            now = self.driver.start(service, self.see(service), digest_of(self.driver.render(service)))
        return now

    def see(self, service: ServiceDefinition) -> Observation:
        return self.driver.observe([service])[service.name]

    def is_current(self, service: ServiceDefinition) -> bool:
        return self.see(service).digest == digest_of(self.driver.render(service))

    def remove(self, service: ServiceDefinition) -> None:
        self.driver.remove(service, self.see(service))

    def inspect(self, service: ServiceDefinition) -> dict[str, Any]:
        return dict(self.api.inspect_container(f"{self.context.project}-{service.name}"))

    def run(self, service: ServiceDefinition, *command: str) -> str:
        """Run a command inside and return its output."""
        code, output = self.driver.execute(service, CommandHealthCheck(type="command", command=list(command)))
        assert code == 0, output
        return output

    def containers(self) -> list[str]:
        found = self.api.containers(all=True, filters={"label": f"io.provisioning.project={self.context.project}"})
        return sorted(entry["Names"][0].lstrip("/") for entry in found)


@pytest.fixture
def bench(tmp_path: Path, engine: str, engine_url: str, api: docker.APIClient) -> Iterator[Bench]:
    with make_bench(tmp_path / "work", engine, engine_url, api) as found:
        yield found


@contextmanager
def make_bench(work_dir: Path, engine: str, engine_url: str, api: docker.APIClient, **settings: Any) -> Iterator[Bench]:
    told: list[tuple[str, dict[str, Any]]] = []
    slept: list[float] = []
    context = Context(
        work_dir=WorkDir(work_dir),
        secrets=SecretStore(work_dir / "secrets"),
        **{"project": f"t{uuid.uuid4().hex[:10]}", "engine": engine, "engine_url": engine_url, **settings},
        notify=lambda kind, **data: told.append((kind, data)),
    )
    try:
        yield Bench(DockerDriver(context, sleep=slept.append), context, api, told, slept)
    finally:
        _sweep(api, context.project)


def _sweep(api: docker.APIClient, project: str) -> None:
    ours = {"label": f"io.provisioning.project={project}"}
    for container in api.containers(all=True, filters=ours):
        api.remove_container(container["Id"], force=True, v=True)
    for network in api.networks(filters=ours):
        api.remove_network(network["Id"])
    for volume in api.volumes(filters=ours)["Volumes"] or []:
        api.remove_volume(volume["Name"])


def service(name: str = "web", docker: dict[str, Any] | None = None, **settings: Any) -> ServiceDefinition:
    """A service that ends at once when asked to, unless a test says otherwise."""
    deployment = {"mode": "docker", "docker": {"image": IMAGE, "pull": "never", **(docker or {})}}
    settings.setdefault("startup", {"stop_signal": "SIGKILL"})
    return build(ServiceDefinition, {"name": name, "deployment": deployment, **settings})


def free_port(count: int = 1) -> int:
    """Return the first of so many ports that nobody has."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1])
        try:
            for number in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except (OSError, OverflowError):
            continue
        return first


def get(port: int, path: str = "/") -> str:
    """Return what a web server says, once it is up."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def eventually(ask: Callable[[], Any], seconds: float = 10) -> Any:
    """Return the first answer that counts as true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
    return answer


# --- a life ----------------------------------------------------------------------------------------------------------


def test_a_service_is_created_stopped_started_again_and_removed_without_a_trace(bench):
    port = free_port()
    web = service(docker={"ports": [f"{port}:8080"]})
    digest = digest_of(bench.driver.render(web))
    assert bench.driver.check(web) == []
    assert bench.see(web) is ABSENT

    started = bench.start(web)
    assert started.status == "running"
    assert get(port) == "hello\n"
    seen = bench.see(web)
    assert (seen.status, seen.digest, seen.id, seen.instances) == ("running", digest, started.id, (started.id,))
    assert seen.since == pytest.approx(time.time(), abs=5)
    assert started.since == pytest.approx(time.time(), abs=5)

    assert bench.start(web).id == started.id, "what runs and has not changed is left alone"

    bench.driver.stop(web, seen)
    assert (bench.see(web).status, bench.see(web).digest) == ("stopped", digest)
    assert bench.start(web).id == started.id
    assert get(port) == "hello\n"
    assert bench.driver.clean() == [], "the network is in use"

    bench.remove(web)
    assert bench.see(web) is ABSENT
    assert bench.driver.clean() == [bench.context.network]
    assert bench.driver.clean() == []
    assert bench.containers() == []


def test_all_services_are_observed_together(bench):
    one, two, three = (service(name) for name in ("one", "two", "three"))
    bench.start(one, two)
    seen = bench.driver.observe([one, two, three])
    assert {name: found.status for name, found in seen.items()} == {
        "one": "running",
        "two": "running",
        "three": "absent",
    }


def test_a_service_that_has_changed_is_replaced(bench):
    first = bench.start(service(docker={"env": {"LEVEL": "info"}}))
    changed = service(docker={"env": {"LEVEL": "debug"}})
    assert not bench.is_current(changed)
    second = bench.start(changed)
    assert second.id != first.id
    assert bench.is_current(changed)
    assert len(bench.containers()) == 1


def test_a_restart_is_a_stop_and_a_start_of_the_same_container(bench):
    web = service()
    before = bench.start(web)
    bench.driver.stop(web, before)
    after = bench.driver.start(web, before, before.digest or "")
    assert after.id == before.id
    assert bench.see(web).status == "running"


def test_stopping_and_removing_what_is_gone_already_is_no_error(bench):
    web = service()
    seen = bench.start(web)
    bench.api.remove_container(seen.id, force=True)
    bench.driver.stop(web, seen)
    bench.driver.remove(web, seen)
    bench.driver.remove(web, ABSENT)


def test_what_somebody_paused_runs_on(bench):
    web = service()
    seen = bench.start(web)
    bench.api.pause(seen.id)
    assert (bench.see(web).status, bench.see(web).detail) == ("stopped", "paused")
    bench.start(web)
    assert bench.see(web).status == "running"


# --- what it is given ------------------------------------------------------------------------------------------------


def test_the_environment_is_the_installations_and_the_services_with_secrets_filled_in(
    tmp_path, engine, engine_url, api
):
    with make_bench(tmp_path, engine, engine_url, api, env={"LEVEL": "info", "DEBUG": False}) as bench:
        bench.context.secrets.write("web", {"token": Secret("s3cr3t-value")})
        port = free_port()
        web = service(docker={"ports": [f"{port}:8080"], "env": {"TOKEN": "x-${secret.web.token}", "N": 3}})
        bench.start(web)
        env = get(port, "/cgi-bin/env").splitlines()
        assert {"LEVEL=info", "DEBUG=false", "N=3", "TOKEN=x-s3cr3t-value"} <= set(env)
        assert not any(line.startswith("REPLICA=") for line in env)
        assert "s3cr3t-value" not in str(bench.inspect(web)["Config"]["Labels"])


def test_a_secret_that_does_not_exist_is_an_error_and_nothing_is_created(bench):
    web = service(docker={"env": {"TOKEN": "${secret.web.token}"}})
    with pytest.raises(ConfigurationError, match="there is no such secret on this host"):
        bench.start(web)
    assert bench.containers() == []


def test_services_find_each_other_by_name_and_the_host_too(bench):
    with http.server.ThreadingHTTPServer(("", 0), Quiet) as host:
        threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        one, two = service("one"), service("two")
        bench.start(one, two)
        fetch = ["wget", "-q", "-O", "-"]
        eventually(lambda: bench.driver.execute(one, command(*fetch, "http://two:8080/")) == (0, "hello\n"))
        answer = bench.run(two, *fetch, f"http://host.docker.internal:{host.server_port}/")
        assert answer == "from the host"
        host.shutdown()


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the host")

    def log_message(self, *args):
        pass


def command(*words: str, timeout: float = 5.0) -> CommandHealthCheck:
    return CommandHealthCheck(type="command", command=list(words), timeout=timeout)


def test_ports_are_published_on_the_bind_address_unless_they_say_another(bench):
    first = free_port(3)
    ports = [f"{first}:8080", f"127.0.0.2:{first + 1}:8081/udp", f"{first + 2}:8082"]
    web = service(docker={"ports": ports}, bind_address="127.0.0.3")
    bench.start(web)
    bindings = bench.inspect(web)["HostConfig"]["PortBindings"]
    assert {inner: (outer[0]["HostIp"], outer[0]["HostPort"]) for inner, outer in bindings.items()} == {
        "8080/tcp": ("127.0.0.3", str(first)),
        "8081/udp": ("127.0.0.2", str(first + 1)),
        "8082/tcp": ("127.0.0.3", str(first + 2)),
    }


def test_data_and_configuration_can_be_used_by_a_user_who_is_not_root(bench):
    work_dir = bench.context.work_dir
    configuration = work_dir.service_config("web")
    configuration.mkdir(parents=True)
    (configuration / "web.conf").write_text("private\n")
    (configuration / "web.conf").chmod(0o600)
    mounts = [f"{work_dir.service_data('web')}:/data", f"{configuration}:/etc/web:ro"]
    user = "1000:1000" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"
    web = service(docker={"user": user, "read_only": True, "tmpfs": ["/tmp"], "volumes": mounts})
    bench.start(web)
    assert bench.run(web, "cat", "/etc/web/web.conf") == "private\n"
    bench.run(web, "sh", "-c", "echo kept > /data/file; touch /tmp/file")
    assert bench.run(web, "sh", "-c", "touch /www/x 2>/dev/null || touch /etc/web/x 2>/dev/null || echo no") == "no\n"
    bench.remove(web)
    assert (work_dir.service_data("web") / "file").read_text() == "kept\n"


def test_a_named_volume_outlives_its_container_and_goes_with_a_purge(bench):
    first = service(docker={"volumes": ["store:/store"]})
    bench.start(first)
    bench.run(first, "sh", "-c", "echo kept > /store/file")
    second = service(docker={"volumes": ["store:/store"], "env": {"CHANGED": "yes"}})
    bench.start(second)
    assert bench.run(second, "cat", "/store/file") == "kept\n"
    bench.remove(second)
    assert bench.driver.purge() == [f"{bench.context.project}-store"]
    assert bench.driver.purge() == []


def test_limits_and_rights_are_those_asked_for(bench):
    web = service(docker={"cap_add": ["NET_ADMIN"], "working_dir": "/www"}, resources={"cpu": 0.5, "memory": "64m"})
    bench.start(web)
    host = bench.inspect(web)["HostConfig"]
    assert (host["Memory"], host["RestartPolicy"]["Name"]) == (64 * 2**20, "unless-stopped")
    assert host["NanoCpus"] == 500_000_000 or host["CpuQuota"] / host["CpuPeriod"] == 0.5
    status = bench.run(web, "cat", "/proc/self/status")
    assert "CapBnd:\t0000000000001000" in status, "only NET_ADMIN is left"
    assert "NoNewPrivs:\t1" in status
    assert bench.run(web, "sh", "-c", "echo $PWD") == "/www\n"


def test_the_limit_of_open_files_holds_or_the_engine_says_why_not(bench):
    web = service(resources={"open_files": 333})
    trouble = ""
    try:
        bench.start(web)
    except DriverError as error:  # Podman raises the number of processes along with it, which needs a right
        trouble = str(error)
    if trouble:
        assert "may not set its limit of open files here" in trouble
        assert bench.containers() == []
    else:
        assert bench.run(web, "sh", "-c", "ulimit -n") == "333\n"


def test_ports_below_1024_need_no_root_inside(bench):
    port = free_port()
    web = service(
        docker={"ports": [f"{port}:80"], "user": "1000", "command": ["httpd", "-f", "-p", "80", "-h", "/www"]}
    )
    bench.start(web)
    assert get(port) == "hello\n"


def test_an_images_own_healthcheck_is_switched_off_and_one_of_ours_is_there_when_asked_for(bench, engine):
    build_image(bench.api, "provisioning-test/checked:1", healthcheck="true")
    check = {"type": "command", "command": ["false"], "interval": 0.5, "retries": 1}
    without = service("without", docker={"image": "provisioning-test/checked:1"}, health=check)
    having = service("having", docker={"healthcheck": True}, health=check)
    bench.start(without, having)
    assert bench.inspect(without)["Config"]["Healthcheck"]["Test"] == ["NONE"]
    assert bench.inspect(having)["Config"]["Healthcheck"]["Test"] == ["CMD", "false"]
    if engine == "docker":  # Podman needs systemd for it
        eventually(lambda: bench.see(having).detail == "unhealthy")
        assert bench.see(having).status == "running"


def test_further_networks_are_joined_where_they_exist_and_made_where_not(bench):
    project = bench.context.project
    bench.api.create_network(f"{project}x", labels={"io.provisioning.project": project})
    web = service(docker={"networks": [f"{project}x", "back"]})
    bench.start(web)
    assert set(bench.inspect(web)["NetworkSettings"]["Networks"]) == {
        f"{project}-net",
        f"{project}-back",
        f"{project}x",
    }
    bench.remove(web)
    assert bench.driver.clean() == [f"{project}-back", f"{project}-net"], "what somebody else made stays"


def test_several_runs_may_make_the_network_at_the_same_time(tmp_path, engine, engine_url, api):
    with make_bench(tmp_path, engine, engine_url, api) as bench:
        drivers = [DockerDriver(bench.context) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda driver: driver.prepare([service()]), drivers))
        names = [network["Name"] for network in api.networks()]
        assert names.count(bench.context.network) == 1


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_stopping_sends_the_signal_asked_for_and_waits(bench):
    script = ["sh", "-c", "trap 'echo bye; exit 7' INT; while true; do sleep 0.05; done"]
    startup = {"stop_signal": "SIGINT", "stop_timeout": 10, "restart": "no"}
    web = service(docker={"command": script}, startup=startup)
    bench.start(web)
    begin = time.monotonic()
    bench.driver.stop(web, bench.see(web))
    assert time.monotonic() - begin < 5
    assert bench.see(web).exit_code == 7
    assert [line.text for line in bench.driver.logs(web)] == ["bye"]


def test_what_ignores_the_signal_is_killed_after_the_timeout(bench):
    web = service(startup={"stop_timeout": 1})
    bench.start(web)
    begin = time.monotonic()
    bench.remove(web)
    assert 0.9 < time.monotonic() - begin < 6
    assert bench.see(web) is ABSENT


@pytest.mark.parametrize(
    ("script", "status", "code", "detail"),
    [("exit 0", "stopped", 0, ""), ("exit 3", "failed", 3, "exited with code 3")],
)
def test_how_a_service_ended_is_known(bench, script, status, code, detail):
    web = service(docker={"command": ["sh", "-c", script]}, startup={"restart": "no"})
    bench.start(web)
    seen = eventually(lambda: found if (found := bench.see(web)).exit_code is not None else None)
    assert (seen.status, seen.exit_code, seen.detail) == (status, code, detail)


def test_what_is_killed_counts_as_failed(bench):
    web = service(startup={"restart": "no"})
    bench.api.kill(bench.start(web).id)
    seen = eventually(lambda: found if not (found := bench.see(web)).is_up else None)
    assert (seen.status, seen.exit_code, seen.detail) == ("failed", 137, "was killed by SIGKILL")


def test_what_the_engine_keeps_restarting_is_not_running(bench, engine):
    web = service(docker={"command": ["sh", "-c", "exit 3"]})
    bench.start(web)
    if engine == "docker":  # Podman has no word for it
        seen = eventually(lambda: found if (found := bench.see(web)).status == "starting" else None)
        assert seen.detail == "restarting after it exited with code 3"
    bench.remove(web)
    assert bench.see(web) is ABSENT


# --- what goes wrong -------------------------------------------------------------------------------------------------


def problem_of(bench: Bench, web: ServiceDefinition) -> str:
    """Start a service that cannot be; nothing of it may stay."""
    with pytest.raises(DriverError) as caught:
        bench.start(web)
    assert bench.containers() == []
    return str(caught.value)


def test_a_port_that_is_taken_is_named_and_the_half_made_container_goes(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = problem_of(bench, service(docker={"ports": [f"{port}:8080"]}))
    assert text == (
        f"web: port {port} of 127.0.0.1 is already taken. Stop what uses it, or set deployment.services[web].port."
    )


def test_an_image_that_may_not_be_pulled_is_missed_by_the_check_and_by_the_start(bench):
    web = service(docker={"image": "provisioning-test/none:1"})
    expected = (
        "web: the image provisioning-test/none:1 is not on this machine. "
        "Pull or build it first, or set docker.pull of web to missing."
    )
    assert [str(problem) for problem in bench.driver.check(web)] == [expected]
    assert problem_of(bench, web) == expected


def test_a_command_that_the_image_does_not_have_is_named(bench):
    text = problem_of(bench, service(docker={"command": ["nonesuch"]}))
    assert text == "web: the image has no command nonesuch. Correct docker.command or docker.entrypoint of web."


def test_no_secret_gets_into_an_error(bench):
    bench.context.secrets.write("web", {"token": Secret("s3cr3t-value")})
    text = problem_of(bench, service(docker={"command": ["${secret.web.token}"]}))
    assert "s3cr3t-value" not in text
    assert "${secret.web.token}" in text


def test_a_user_that_the_image_does_not_have_is_named(bench):
    text = problem_of(bench, service(docker={"user": "nobody2"}))
    assert text == "web: the image has no user nobody2. Correct docker.user of web; a number always works."


def test_a_path_that_does_not_exist_is_not_made_by_the_engine(bench, tmp_path):
    web = service(docker={"volumes": [f"{tmp_path}/none:/x"]})
    expected = (
        f"web: {tmp_path}/none, which is to be mounted, does not exist. Create it, or correct docker.volumes of web."
    )
    assert [str(problem) for problem in bench.driver.check(web)] == [expected]
    assert problem_of(bench, web) == expected
    assert not (tmp_path / "none").exists()


def test_what_runs_is_not_given_up_for_an_image_that_cannot_be_had(bench):
    before = bench.start(service())
    with pytest.raises(DriverError, match="is not on this machine"):
        bench.start(service(docker={"image": "provisioning-test/none:1"}))
    assert bench.see(service()).id == before.id
    assert bench.see(service()).status == "running"


def test_a_foreign_container_of_our_name_is_a_problem_and_never_touched(bench):
    name = f"{bench.context.project}-web"
    foreign = bench.api.create_container_from_config({"Image": IMAGE}, name)["Id"]
    try:
        expected = (
            f"web: a container named {name} exists already and was not made for this installation. "
            "Remove it, or set deployment.project to another name."
        )
        assert [str(problem) for problem in bench.driver.check(service())] == [expected]
        assert bench.see(service()) is ABSENT
        assert problem_of(bench, service()) == expected
        assert list(bench.driver.logs(service())) == []
        bench.driver.remove(service(), bench.see(service()))
        assert bench.api.inspect_container(foreign)["Id"] == foreign
    finally:
        bench.api.remove_container(foreign, force=True)


def test_another_installation_of_the_same_project_is_foreign(bench, tmp_path, engine, engine_url, api):
    bench.start(service())
    with make_bench(tmp_path / "other", engine, engine_url, api, project=bench.context.project) as other:
        assert other.see(service()) is ABSENT
        assert "was not made for this installation" in str(other.driver.check(service())[0])
        assert other.driver.clean() == []
    assert bench.context.project


def test_an_engine_that_is_gone_is_an_error_that_says_so(tmp_path):
    context = Context(
        work_dir=WorkDir(tmp_path), secrets=SecretStore(tmp_path), engine_url=f"unix://{tmp_path}/no.sock"
    )
    driver = DockerDriver(context)
    with pytest.raises(DriverError, match=r"Docker does not answer \(tried .*no\.sock: not there\)"):
        driver.observe([service()])
    assert "Docker does not answer" in str(driver.check(service())[0])


# --- several of a kind -----------------------------------------------------------------------------------------------


def replicas(count: int, **settings: Any) -> ServiceDefinition:
    return service(docker={"replicas": count, **settings})


def test_replicas_share_a_name_and_have_numbers_and_ports_of_their_own(bench):
    port = free_port(3)
    web = replicas(3, ports=[f"{port}-{port + 2}:8080"])
    seen = bench.start(web)
    assert len(seen.instances) == 3
    assert bench.containers() == [f"{bench.context.project}-web-{number}" for number in (1, 2, 3)]
    for number in (1, 2, 3):
        assert f"REPLICA={number}" in get(port + number - 1, "/cgi-bin/env").splitlines()
    assert bench.see(web).instances == seen.instances
    assert bench.is_current(web)
    bench.remove(web)
    assert bench.containers() == []


def test_a_replica_that_is_gone_is_replaced_and_the_others_are_left_alone(bench):
    web = replicas(3)
    before = bench.start(web).instances
    bench.api.remove_container(before[1], force=True)
    seen = bench.see(web)
    assert (seen.status, seen.detail) == ("stopped", "2 of 3 replicas are there")
    assert bench.is_current(web)
    after = bench.start(web).instances
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]
    assert bench.see(web).status == "running"


def test_a_replica_that_was_stopped_is_started_again(bench):
    web = replicas(2)
    before = bench.start(web).instances
    bench.api.stop(before[1], timeout=0)
    assert bench.see(web).status == "stopped"
    assert bench.start(web).instances == before
    assert bench.see(web).status == "running"


def test_another_number_of_replicas_touches_only_those_that_come_or_go(bench):
    three = bench.start(replicas(3)).instances
    assert not bench.is_current(replicas(2))
    two = bench.start(replicas(2)).instances
    assert two == three[:2]
    assert bench.is_current(replicas(2))
    assert bench.see(replicas(4)).detail == "2 of 4 replicas are there"
    four = bench.start(replicas(4)).instances
    assert four[:2] == two
    assert bench.is_current(replicas(4))
    one = bench.start(service()).instances
    assert len(one) == 1
    assert one[0] not in four
    assert bench.containers() == [f"{bench.context.project}-web"]


def test_all_replicas_stop_at_the_same_time(bench):
    web = service(docker={"replicas": 3}, startup={"stop_timeout": 1})
    bench.start(web)
    begin = time.monotonic()
    bench.driver.stop(web, bench.see(web))
    assert time.monotonic() - begin < 2.9
    assert bench.see(web).status == "stopped"


# --- output ----------------------------------------------------------------------------------------------------------


def test_logs_tell_the_streams_apart_and_when_each_line_was_written(bench):
    script = "echo one; sleep 0.1; echo two >&2; sleep 0.1; printf three; sleep 0.1; echo ' parts'; echo last"
    web = service(docker={"command": ["sh", "-c", script]}, startup={"restart": "no"})
    begin = time.time()
    bench.start(web)
    eventually(lambda: bench.see(web).exit_code == 0)
    lines = list(bench.driver.logs(web))
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "one"),
        ("stderr", "two"),
        ("stdout", "three parts"),
        ("stdout", "last"),
    ]
    assert all(line.service == "web" for line in lines)
    assert all(line.time is not None and begin - 2 < line.time < time.time() + 1 for line in lines)
    assert [line.text for line in bench.driver.logs(web, tail=1)] == ["last"]
    assert list(bench.driver.logs(web, tail=0)) == []


def test_logs_are_followed_until_the_service_ends(bench):
    script = "for i in 1 2 3; do echo $i; sleep 0.3; done"
    web = service(docker={"command": ["sh", "-c", script]}, startup={"restart": "no"})
    bench.start(web)
    arrived = [(line.text, time.monotonic()) for line in bench.driver.logs(web, follow=True)]
    assert [text for text, _ in arrived] == ["1", "2", "3"]
    assert arrived[2][1] - arrived[0][1] > 0.3, "each came as it was written"


def test_who_follows_logs_may_stop_reading(bench):
    web = service(docker={"command": ["sh", "-c", "while true; do echo tick; sleep 0.05; done"]})
    bench.start(web)
    for number, line in enumerate(bench.driver.logs(web, follow=True)):
        assert line.text == "tick"
        if number == 2:
            break
    assert bench.see(web).status == "running"


def test_logs_of_replicas_are_merged_by_time(bench):
    script = 'for i in 1 2 3; do sleep "0.$((REPLICA * 2))"; echo "$REPLICA:$i"; done'
    web = service(docker={"replicas": 2, "command": ["sh", "-c", script]}, startup={"restart": "no"})
    bench.start(web)
    followed = [line.text for line in bench.driver.logs(web, follow=True)]
    eventually(lambda: bench.see(web).exit_code == 0)
    expected = {f"{replica}:{number}" for replica in (1, 2) for number in (1, 2, 3)}
    assert set(followed) == expected
    lines = list(bench.driver.logs(web))
    assert {line.text for line in lines} == expected
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert len(list(bench.driver.logs(web, tail=2))) == 2


def test_a_service_that_is_not_there_has_no_logs(bench):
    assert list(bench.driver.logs(service())) == []
    assert list(bench.driver.logs(service(), follow=True)) == []


def test_a_command_inside_gives_its_exit_code_and_output(bench):
    web = service()
    bench.start(web)
    code, output = bench.driver.execute(web, command("sh", "-c", "echo out; echo err >&2; exit 5"))
    assert (code, sorted(output.splitlines())) == (5, ["err", "out"])
    assert bench.driver.execute(web, command("true")) == (0, "")
    code, output = bench.driver.execute(web, command("nonesuch"))
    assert code in (126, 127)
    assert "nonesuch" in output


def test_a_command_inside_that_takes_too_long_counts_as_failed(bench):
    web = service()
    bench.start(web)
    begin = time.monotonic()
    assert bench.driver.execute(web, command("sleep", "20", timeout=0.5)) == (124, "did not end within 0.5 s")
    assert time.monotonic() - begin < 5


def test_nothing_can_be_run_inside_what_does_not_run(bench):
    with pytest.raises(DriverError, match="web: has no container that runs"):
        bench.driver.execute(service(), command("true"))


# --- images ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as found:
        yield found


@pytest.fixture
def pullable(api: docker.APIClient, registry: Registry) -> Iterator[Registry]:
    """A registry whose images are taken off the engine again."""
    yield registry
    for image in api.images():
        for tag in image.get("RepoTags") or []:
            if tag.startswith(registry.address):
                api.remove_image(tag, force=True)


def from_registry(image: str, name: str = "web", pull: str = "missing") -> ServiceDefinition:
    """A service whose image is not fit to run, so that getting it is all that succeeds."""
    return service(name, docker={"image": image, "pull": pull})


def pull(bench: Bench, web: ServiceDefinition) -> str:
    """Start a service out of the registry; its only file is no program, so the engine's complaint is a success."""
    with pytest.raises(DriverError) as caught:
        bench.start(web)
    return str(caught.value)


def test_an_image_that_is_missing_is_pulled_and_the_pull_is_told(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    assert "the image has no command /nothing" in pull(bench, from_registry(image))
    assert bench.told == [("service.pulling", {"service": "web", "image": image})]
    asked = pullable.manifests
    assert asked
    pull(bench, from_registry(image))
    assert pullable.manifests == asked, "what is there is not pulled again"
    assert len(bench.told) == 1


def test_an_image_can_be_had_by_its_digest(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    digest = next(key for key in pullable._tags if "sha256" in key).partition(":")[2]
    pinned = f"{image.rpartition(':')[0]}@{digest}"
    assert "the image has no command /nothing" in pull(bench, from_registry(pinned))
    bench.api.remove_image(pinned, force=True)


def test_an_image_is_pulled_each_time_when_asked_for(bench, pullable):
    pullable.put("team/app", "1", "a")
    image = pullable.put("team/app", "1", "b")
    pull(bench, from_registry(image, pull="always"))
    before = bench.api.inspect_image(image)["Id"]
    pullable.put("team/app", "1", "c")
    pull(bench, from_registry(image, pull="always"))
    assert bench.api.inspect_image(image)["Id"] != before


def test_an_image_that_does_not_exist_is_not_asked_for_again(bench, pullable):
    pullable.put("team/app", "1", "a")
    image = f"{pullable.address}/team/app:2"
    assert pull(bench, from_registry(image)) == (
        f"web: there is no image {image}. Correct docker.image, or build it under that name."
    )
    assert bench.slept == []


def test_a_registry_that_denies_is_not_asked_again(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    pullable.failure = (403, "DENIED")
    assert "the registry denies it. Log in to the registry" in pull(bench, from_registry(image))
    assert bench.slept == []


def test_a_registry_that_is_busy_is_asked_again_after_growing_pauses(registry, docker_url, tmp_path):
    # On Docker alone: Podman itself asks again and again before it gives up, for longer than a test may take.
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            registry.failure = None

    client = docker.APIClient(docker_url, version="auto")
    with make_bench(tmp_path, "docker", docker_url, client) as bench:
        bench.driver = DockerDriver(bench.context, sleep=sleep)
        image, other = registry.put("team/app", "1", "a"), registry.put("team/other", "1", "a")
        registry.failure = (503, "")
        assert "the image has no command /nothing" in pull(bench, from_registry(image))
        assert slept == [1.0, 2.0]
        registry.failure = (503, "")
        assert f"the image {other} cannot be pulled after 3 attempts" in pull(bench, from_registry(other))
        assert slept == [1.0, 2.0, 1.0, 2.0]
    client.close()


def test_services_that_share_an_image_have_it_pulled_once(bench, pullable):
    image = pullable.put("team/app", "1", "a")
    services = [from_registry(image, name, pull="always") for name in ("one", "two", "three", "four")]
    bench.driver.prepare(services)
    alone = pullable.manifests
    pull(bench, from_registry(image, "zero"))
    alone = pullable.manifests - alone
    together = pullable.manifests

    def start(web: ServiceDefinition) -> str:
        try:
            bench.driver.start(web, ABSENT, "d")
        except DriverError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        problems = list(pool.map(start, services))
    assert [problem.partition(":")[0] for problem in problems] == ["one", "two", "three", "four"]
    # Those that come while one pulls wait for it; one that comes after it pulls again.
    assert pullable.manifests - together < 4 * alone


def test_an_image_is_built_when_it_is_missing(bench, tmp_path):
    image = f"provisioning-test/{bench.context.project}:1"
    (tmp_path / "Containerfile").write_text(
        f"FROM {IMAGE} AS first\nARG WHO\nRUN echo built by $WHO > /www/index.html\nFROM first AS second\nRUN false\n"
    )
    spec = {"context": str(tmp_path), "args": {"WHO": "us"}, "target": "first"}
    port = free_port()
    web = service(docker={"image": image, "build": spec, "pull": "missing", "ports": [f"{port}:8080"]})
    assert bench.driver.check(web) == []
    try:
        bench.start(web)
        assert get(port) == "built by us\n"
    finally:
        bench.remove(web)
        bench.api.remove_image(image, force=True)


def test_a_build_that_fails_shows_its_last_lines(bench, tmp_path):
    (tmp_path / "Containerfile").write_text(f"FROM {IMAGE}\nRUN echo about to break && false\n")
    spec = {"context": str(tmp_path)}
    text = problem_of(bench, service(docker={"image": "provisioning-test/never:1", "build": spec, "pull": "missing"}))
    assert text.startswith("web: building the image provisioning-test/never:1 failed: ")
    assert "about to break" in text
    assert text.endswith(f"Correct {tmp_path}/Containerfile.")


def test_what_a_build_lacks_is_found_by_the_check(bench, tmp_path):
    web = service(docker={"build": {"context": str(tmp_path)}, "pull": "missing"})
    assert [problem.why for problem in bench.driver.check(web)] == [f"{tmp_path}/Containerfile does not exist"]
