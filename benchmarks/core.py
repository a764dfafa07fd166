"""What the engine's parts cost by themselves."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._graph import resolve_dependencies, startup_order
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceState
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._state import StateStore

from benchmarks.graphs import layered
from benchmarks.report import Table, seconds


def main() -> None:
    """Measure and print."""
    table = Table("the engine's parts", "limit we set")
    services = {
        name: build(
            ServiceDefinition,
            {
                "name": name,
                "deployment": {"mode": "binary", "binary": {"command": "x"}},
                "depends_on": {need: {} for need in needs},
            },
        )
        for name, needs in layered(1000).items()
    }
    last = list(services)[-1]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        store = StateStore(WorkDir(Path(folder)))
        state = ServiceState(name="gitea", mode="docker", definition={"key": "value" * 200})
        plain = Path(folder) / "plain"

        def write_plain() -> None:
            with plain.open("w") as stream:
                stream.write(json.dumps({"key": "value" * 200}))
                stream.flush()
                os.fsync(stream.fileno())

        for _ in range(20):
            table.add("order of 1,000 services", "limit we set", 0.1)
            table.add("order of 1,000 services", "engine", seconds(lambda: startup_order(services)))
            table.add("resolving one of 1,000", "limit we set", 0.1)
            table.add("resolving one of 1,000", "engine", seconds(lambda: resolve_dependencies(services, [last])))
            table.add("writing a state", "limit we set", 0.01)
            table.add("writing a state", "engine", seconds(lambda: store.write(state)))
            table.add("writing a state", "plain write and fsync", seconds(write_plain))
    table.show()


if __name__ == "__main__":
    main()
