"""What the command ``provisioning`` costs beside the bare interpreter, for help and for a status of all modes."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.report import Table, seconds
from tests.fixtures.kubernetes.clusters import kubeconfig, running_cluster
from tests.fixtures.recorded import counting_engine, in_container, record

_BARE, _LIMIT, _OURS = "bare interpreter", "limit we set", "provisioning"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="measurements of each (default 15)")
    rounds = parser.parse_args().rounds
    table = Table("the command", _BARE)
    ours = [sys.executable, "-m", "provisioning_platform.cli"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        # What is installed has been compiled once.
        environ = {**os.environ, "PROVISIONING_CONFIG": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        status = [*ours, "platform", "status", "--work-dir", str(_installation(stack, folder))]
        for row, command, limit in (("help", [*ours, "--help"], 0.15), ("status of 15 services", status, 0.35)):
            _run(command, environ)
            for _ in range(rounds):
                bare = seconds(lambda: _run([sys.executable, "-c", "pass"], environ))
                table.add(row, _BARE, bare)
                table.add(row, _LIMIT, bare + limit)
                table.add(row, _OURS, seconds(lambda command=command: _run(command, environ)))  # type: ignore[misc]
    table.show()


def _installation(stack: ExitStack, folder: Path) -> Path:
    """Make an installation whose engine, cluster and services answer, though nothing of it was started."""
    work_dir, engine = folder / "work", folder / "engine.sock"
    containers = [f"container-{number}" for number in range(5)]
    stack.enter_context(counting_engine(engine, work_dir, containers))
    cluster = stack.enter_context(running_cluster())
    file = kubeconfig(cluster.url, folder) if cluster else None
    url = stack.enter_context(_web_server())
    record(
        work_dir,
        [
            *({**in_container(name), "health": {"type": "http", "url": url}} for name in containers),
            *_several(4, "process", {"mode": "binary", "binary": {"command": "sleep"}}),
            *_several(2, "compose", {"mode": "compose", "compose": {"file": "/x/compose.yaml", "service": "a"}}),
            *_several(2, "pod", {"mode": "kubernetes", "kubernetes": {"image": "x", "kubeconfig": str(file)}}),
            *_several(2, "remote", {"mode": "remote", "remote": {"url": url}}),
        ],
        engine_url=f"unix://{engine}",
    )
    return work_dir


def _several(number: int, name: str, deployment: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": f"{name}-{index}", "deployment": deployment} for index in range(number)]


@contextmanager
def _web_server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _run(command: list[str], environ: dict[str, str]) -> None:
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ)


if __name__ == "__main__":
    main()
