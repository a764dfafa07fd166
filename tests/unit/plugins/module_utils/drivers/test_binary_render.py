# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.binary import BinaryDriver
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore

from tests.fixtures.definitions import service


def rendered(folder: Path, port: int, replicas: int) -> dict[str, Any]:
    layout = WorkDir(folder)
    definition = service(
        "a",
        args=["--port=${replica.port}"],
        binary={"env": {"NUMBER": "${replica.number}"}, "replicas": replicas},
        port=port,
    )
    return BinaryDriver(Context(layout, SecretStore(layout.secrets))).render(definition)


def test_another_port_is_another_process_though_only_its_replicas_know_the_port(tmp_path: Path) -> None:
    one, other = rendered(tmp_path, 8600, 1), rendered(tmp_path, 8601, 1)
    assert one["args"] == ["--port=8600"]
    assert digest_of(one) != digest_of(other)


def test_several_replicas_are_told_from_others_by_the_ports_of_the_first(tmp_path: Path) -> None:
    one, other = rendered(tmp_path, 8600, 3), rendered(tmp_path, 8700, 3)
    assert (one["env"]["NUMBER"], one["replicas"]) == ("1", 3)
    assert digest_of(one) != digest_of(other)
