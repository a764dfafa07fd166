# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One graph over all five modes, in one run: order both ways, addresses both ways, and a failure in the middle.

From first to last: vault (elsewhere), base (process), store (container), shop (Compose), api (cluster) and front,
which is a process again.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.e2e.conftest import MakeSmall
from tests.fixtures.images import build_image
from tests.fixtures.installations import Installation, Ran, changed, web
from tests.fixtures.kubernetes.clusters import Bench, make_bench, running_cluster
from tests.fixtures.ports import free_ports

ORDER = ["vault", "base", "store", "shop", "api", "front"]
OURS = ORDER[1:]
NODE_PORT = 31234

#: What containers serve: their name, and what the one says whom they were told to ask.
ASK = 'printf "Content-Type: text/plain\\r\\n\\r\\n"; echo "$NAME"; wget -q -O - "$ASKED"'


@pytest.fixture(scope="module")
def image(docker_url: str) -> Iterator[str]:
    client = docker.APIClient(docker_url, version="auto", timeout=120)
    name = f"provisioning-test/mixed-{uuid.uuid4().hex[:10]}:1"
    build_image(client, name, cgi={"ask": ASK})
    yield name
    client.remove_image(name, force=True)
    client.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A cluster, and a look at it: the emulator, or what KUBECONFIG names."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    with running_cluster() as running:
        bench = make_bench(folder, running)
        yield bench
        bench.close()


@pytest.fixture
def vault() -> Iterator[str]:
    with answering("the vault") as url:
        yield url


@contextmanager
def answering(text: str) -> Iterator[str]:
    """Run an HTTP server on loopback that always says the same; give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def own_address() -> str:
    """Return this machine's address as others see it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


def graph(bench: Bench, image: str, vault: str) -> dict[str, dict[str, Any]]:
    """Return the definitions, each told where the others are."""
    base, store, shop, front = free_ports(4)
    told = {"NAME": "the shop", "ASKED": "${service.store.url}/cgi-bin/ask", "API": "${service.api.url}"}
    file = {
        "services": {
            "shop": {
                "image": image,
                "stop_grace_period": "1s",
                "ports": [f"{shop}:8080"],
                "environment": told,
            }
        }
    }
    http = {"type": "http", "url": "${self.url}/", "interval": 0.5}
    quick = {"timeout": 60, "stop_timeout": 1}
    process = web(base, depends_on=["vault"], bind_address="0.0.0.0")
    process["deployment"]["binary"]["env"] = {"VAULT": "${service.vault.url}"}
    serve = f"echo the base > index.html; exec busybox httpd -f -p 0.0.0.0:{base}"
    process["deployment"]["binary"]["args"] = ["sh", "-c", serve]
    last = web(front, depends_on=["api"])
    last["deployment"]["binary"]["env"] = {name.upper(): f"${{service.{name}.url}}" for name in ORDER[:-1]}
    cluster = {
        "namespace": bench.namespace,
        "image": bench.image("good"),
        "command": ["netexec"],
        "user": "1000",
        "ports": ["8080"],
        "env": {name.upper(): f"${{service.{name}.url}}" for name in ("base", "store", "shop")},
        "expose": {"type": "NodePort", "node_port": NODE_PORT},
    }
    return {
        "front": last,
        "api": {
            "port": 8080,
            "depends_on": ["shop"],
            "deployment": {"mode": "kubernetes", "kubernetes": cluster},
            "startup": quick,
        },
        "shop": {
            "port": shop,
            "bind_address": "0.0.0.0",
            "depends_on": ["store"],
            "deployment": {
                "mode": "compose",
                "compose": {"file": "${self.config_dir}/compose.yaml"},
            },
            "config": [{"dest": "compose.yaml", "content": json.dumps(file)}],
            "health": http,
            "startup": quick,
        },
        "store": {
            "port": store,
            "bind_address": "0.0.0.0",
            "depends_on": ["base"],
            "deployment": {
                "mode": "docker",
                "docker": {
                    "image": image,
                    "pull": "never",
                    "ports": [f"0.0.0.0:{store}:8080"],
                    "env": {"NAME": "the store", "ASKED": "${service.base.url}/", "SHOP": "${service.shop.url}"},
                },
            },
            "health": http,
            "startup": quick,
        },
        "base": process,
        "vault": {"deployment": {"mode": "remote", "remote": {"url": vault}}, "startup": {"timeout": 60}},
    }


@pytest.fixture
def mixed(make: MakeSmall, bench: Bench, image: str, vault: str, docker_url: str) -> Installation:
    one = make(graph(bench, image, vault), engine_url=docker_url)
    one.document["deployment"]["domain"] = own_address()
    one.document["deployment"]["kubernetes"] = {"kubeconfig": bench.kubeconfig, "node_address": "node.example"}
    return one


def order_of(events: list[dict[str, Any]], *kinds: str) -> list[tuple[str, str]]:
    """Return the events of these kinds as kind and service; what a later step found again is left out."""
    found = [(event["kind"].removeprefix("service."), event.get("service", "")) for event in events]
    return list(dict.fromkeys(event for event in found if event[0] in kinds))


def lines_of(ran: Ran, *words: str) -> list[tuple[str, str]]:
    """Return the same of what a playbook has told of the services."""
    return [(word, name) for name, word in re.findall(r"\] (\w+): (\w+) ", ran.stdout) if word in words]


def in_turn(names: list[str], *kinds: str) -> list[tuple[str, str]]:
    return [(kind, name) for name in names for kind in kinds]


def environment_of(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def environment_on_cluster(bench: Bench) -> dict[str, str]:
    deployment = bench.deployment("api")
    assert deployment is not None
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def test_all_modes_start_in_order_and_stop_in_reverse_in_one_run(mixed: Installation, bench: Bench) -> None:
    first = mixed.playbook("install")
    assert first.returncode == 0
    started = order_of(mixed.events(), "starting", "healthy", "unchanged")
    assert started[:2] == [("unchanged", "vault"), ("healthy", "vault")]
    # The last one is not waited for until the next step.
    assert started[2:-1] == in_turn(OURS, "starting", "healthy")[:-1]
    assert started[-1] == ("healthy", "front")

    again = mixed.playbook("install")
    assert (again.returncode, changed(again)) == (0, 0)

    backwards = OURS[::-1]
    stopped = mixed.playbook("stop")
    assert stopped.returncode == 0
    assert lines_of(stopped, "stopping", "stopped") == in_turn(backwards, "stopping", "stopped")
    assert "vault: unchanged (runs elsewhere and is not ours to stop)" in stopped.stdout
    started_again = mixed.playbook("start")
    assert started_again.returncode == 0
    assert lines_of(started_again, "starting", "healthy") == [
        ("healthy", "vault"),
        *in_turn(OURS, "starting", "healthy"),
    ]

    gone = mixed.playbook("uninstall", purge=True)
    assert gone.returncode == 0
    assert lines_of(gone, "stopping", "removed") == in_turn(backwards, "stopping", "removed")
    assert mixed.leftovers() == []
    assert bench.deployment("api") is None


def test_each_reaches_the_others_under_the_address_that_leads_there_from_where_it_is(
    mixed: Installation, bench: Bench, vault: str
) -> None:
    assert mixed.run().returncode == 0
    base, store, shop = (mixed.registry[name]["port"] for name in ("base", "store", "shop"))
    pids = mixed.pids()
    # a process: what is elsewhere, a process, a container, one of Compose, the cluster
    assert environment_of(pids["base"])["VAULT"] == vault
    seen = environment_of(pids["front"])
    assert {name: seen[name.upper()] for name in ORDER[:-1]} == {
        "vault": vault,
        "base": f"http://127.0.0.1:{base}",
        "store": f"http://127.0.0.1:{store}",
        "shop": f"http://127.0.0.1:{shop}",
        "api": f"http://node.example:{NODE_PORT}",
    }
    # a container: a process, one of Compose; one of Compose: a container, the cluster
    containers = mixed.inspected()
    assert f'"ASKED=http://host.docker.internal:{base}/"' in containers
    assert f'"SHOP=http://shop:{shop}"' in containers
    assert '"ASKED=http://store:8080/cgi-bin/ask"' in containers
    assert f'"API=http://node.example:{NODE_PORT}"' in containers
    # a pod: a process, a container, one of Compose
    here = own_address()
    assert environment_on_cluster(bench) == {
        "BASE": f"http://{here}:{base}",
        "STORE": f"http://{here}:{store}",
        "SHOP": f"http://{here}:{shop}",
    }
    # and it is so: through a container of Compose and one of ours to a process
    with urllib.request.urlopen(mixed.url("shop", "/cgi-bin/ask"), timeout=60) as answer:
        assert answer.read().decode().split("\n") == ["the shop", "the store", "the base", ""]
    for name in ("base", "store", "shop"):
        with urllib.request.urlopen(f"http://{here}:{mixed.registry[name]['port']}/", timeout=60) as answer:
            assert answer.status == 200


def test_what_fails_in_the_middle_leaves_what_needs_it_skipped_with_the_reason(
    mixed: Installation, bench: Bench
) -> None:
    mixed.document |= {"fail_fast": False, "cleanup_on_failure": False}
    mixed.registry["store"]["health"]["url"] = "${self.url}/nowhere"
    mixed.registry["store"]["startup"]["timeout"] = 2
    failed = mixed.playbook("install")
    assert failed.returncode != 0
    events = mixed.events()
    assert order_of(events, "healthy") == in_turn(["vault", "base"], "healthy")
    assert order_of(events, "failed") == [("failed", "store")]
    reasons = {event["service"]: event["data"]["reason"] for event in events if event["kind"] == "service.skipped"}
    assert reasons == {
        "shop": "needs store, which failed",
        "api": "needs shop, which was skipped",
        "front": "needs api, which was skipped",
    }
    assert set(mixed.pids()) == {"base"}
    assert set(mixed.containers()) <= {"store"}
    assert bench.deployment("api") is None


def test_addresses_that_lead_nowhere_are_all_named_before_anything_is_touched(mixed: Installation) -> None:
    mixed.registry["base"]["bind_address"] = "127.0.0.1"  # neither a container nor a pod gets there
    del mixed.registry["api"]["deployment"]["kubernetes"]["expose"]
    mixed.registry["store"]["deployment"]["docker"]["env"]["VAULT"] = "${service.vault.url}"
    refused = mixed.run("plan")
    assert refused.returncode == 2
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "base: listens on 127.0.0.1 alone, where no container reaches it" in said
    assert "base: listens on 127.0.0.1 alone, where no pod reaches it" in said
    assert "api: runs on the cluster and is not published beyond it" in said
    assert "127.0.0.1 is not vault where a container looks it up" in said
    assert not mixed.work_dir.exists()
