"""What a supervisor of many processes costs while nothing is wrong: its share of one core."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.archive import archive, digest

LIMIT = 0.02
_FIRST_PORT = 19000
_WARM_SECONDS = 15


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between checks")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure")
    given = parser.parse_args()
    services = {name: _service(name, number, given.interval) for number, name in enumerate(_names(given.services))}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        layout = WorkDir(Path(folder) / "work")
        manager = Manager(layout.root, services)
        manager.save_settings()
        try:
            manager.converge(dict.fromkeys(services, "started"))
            _supervised.install(layout, _supervised.settings_for(code=digest(), webhook=None, metrics={}), archive())
            record = _supervised.running(layout)
            assert record is not None
            share, threads = _measure(record.identity.pid, given.seconds)
        finally:
            _supervised.stop(layout)
            manager.converge(dict.fromkeys(services, "absent"))
    print(f"\nthe supervisor of {given.services} processes, checked every {given.interval:g} s by HTTP\n")
    print(f"share of one core  {share:.2%}  (x {share / LIMIT:.2f})")
    print(f"limit we set       {LIMIT:.2%}")
    print(f"threads            {threads}", flush=True)
    sys.exit(share > LIMIT)


def _names(count: int) -> list[str]:
    return [f"service-{number}" for number in range(count)]


def _service(name: str, number: int, interval: float) -> ServiceDefinition:
    port = _FIRST_PORT + number
    check = {"type": "http", "url": f"http://127.0.0.1:{port}/", "expected_status": [404], "interval": interval}
    binary = {"command": "busybox", "args": ["httpd", "-f", "-p", f"127.0.0.1:{port}"]}
    deployment = {"mode": "binary", "binary": binary}
    return build(ServiceDefinition, {"name": name, "port": port, "deployment": deployment, "health": check})


def _measure(pid: int, seconds: float) -> tuple[float, int]:
    time.sleep(_WARM_SECONDS)
    before, begin = _cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    used, took = _cpu_seconds(pid) - before, time.monotonic() - begin
    return used / took, len(os.listdir(f"/proc/{pid}/task"))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
