"""A second run of install.yml with nothing to do, for few and for many services, against an empty playbook."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.graphs import layered
from benchmarks.report import Table, seconds

FIRST_PORT = 23000
REPOSITORY = Path(__file__).resolve().parents[1]
BUSYBOX = shutil.which("busybox") or "busybox"
# The profile's own services are left out: here it is the number that counts.
OTHERS = ("orchestrator", "control-center", "api-gateway", "mcp-server", "coredns", "gitea", "oci-registry")


def ansible_playbook(*arguments: str) -> None:
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, cwd=REPOSITORY)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-2000:])


def configuration(count: int, folder: Path) -> Path:
    """Write a configuration of that many services with a configuration file each, and return its path."""
    services = {}
    for name, needs in layered(count).items():
        port = FIRST_PORT + int(name[1:])
        command: dict[str, Any] = {"command": BUSYBOX, "args": ["httpd", "-f", "-p", f"127.0.0.1:{port}"]}
        services[name] = {
            "port": port,
            "depends_on": needs,
            "deployment": {"mode": "binary", "binary": command},
            "health": {"type": "tcp", "port": port},
            "config": [{"dest": "${self.config_dir}/settings", "content": "name=${self.name}\n"}],
        }
    registry = folder / "services.yml"
    registry.write_text(json.dumps({"services": services}))
    chosen = [{"name": name, "enabled": False} for name in OTHERS] + [{"name": name} for name in services]
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "work_dir": str(folder / "work"),
                "registry": [str(registry)],
                "deployment": {"mode": "Solo", "project": "bench-install", "services": chosen},
            }
        )
    )
    return config


def main() -> None:
    """Read options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[7, 100], help="numbers of services")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, of which the median counts")
    options = parser.parse_args()
    table = Table("install.yml with nothing to do", "empty playbook")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as text:
        folder = Path(text)
        empty = folder / "empty.yml"
        empty.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": []}]))
        for size in options.sizes:
            config = configuration(size, folder)
            ansible_playbook("playbooks/install.yml", "-e", f"@{config}")
            try:
                for _ in range(options.rounds):
                    table.add("second run", "empty playbook", seconds(lambda: ansible_playbook(str(empty))))
                    again = seconds(lambda: ansible_playbook("playbooks/install.yml", "-e", f"@{config}"))  # noqa: B023
                    table.add("second run", f"{size} services", again)
            finally:
                ansible_playbook("playbooks/uninstall.yml", "-e", f"work_dir={folder / 'work'}", "-e", "purge=true")
    table.show()
    if len(options.sizes) > 1:
        few, many = (f"{size} services" for size in (options.sizes[0], options.sizes[-1]))
        print(f"{many} / {few}: {table.ratio('second run', many, few):.2f}")


if __name__ == "__main__":
    main()
