# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver: what a container is given."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.docker import DockerDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.docker_bench import command, eventually, get, make_bench, service
from tests.fixtures.images import IMAGE, build_image
from tests.fixtures.ports import free_port, free_ports


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the host")

    def log_message(self, *args):
        pass


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


def test_an_ipv6_address_that_the_engine_does_not_forward_is_told_beforehand(bench):
    problems = [
        str(problem) for problem in bench.driver.check(service(bind_address="::1", docker={"ports": ["80:80"]}))
    ]
    if bench.context.engine == "podman" and os.getuid() == 0:
        (problem,) = problems
        assert "port 80 is to be published on ::1, and Podman forwards IPv4 only" in problem
    else:
        assert problems == []


def test_ports_are_published_on_the_bind_address_unless_they_say_another(bench):
    first = free_ports(3)[0]
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


@pytest.fixture
def checked_image(api: docker.APIClient) -> Iterator[str]:
    """An image with a HEALTHCHECK of its own."""
    name = f"{IMAGE}-checked"
    build_image(api, name, healthcheck="true")
    yield name
    api.remove_image(name, force=True)


def test_an_images_own_healthcheck_is_switched_off(bench, checked_image):
    web = service(docker={"image": checked_image})
    bench.start(web)
    assert bench.inspect(web)["Config"]["Healthcheck"]["Test"] == ["NONE"]
    bench.remove(web)


def test_a_healthcheck_of_ours_is_there_when_asked_for(bench, engine):
    check = {"type": "command", "command": ["false"], "interval": 0.5, "retries": 1}
    web = service(docker={"healthcheck": True}, health=check)
    bench.start(web)
    assert bench.inspect(web)["Config"]["Healthcheck"]["Test"] == ["CMD", "false"]
    if engine == "docker":  # Podman needs systemd to run it
        eventually(lambda: bench.see(web).detail == "unhealthy")
        assert bench.see(web).status == "running"


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
