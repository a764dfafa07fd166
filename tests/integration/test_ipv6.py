# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services on the IPv6 address of loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition, ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._operations import operate
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.images import IMAGE


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no ::1")


@pytest.fixture
def number() -> int:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return int(probe.getsockname()[1])


def a_service(mode: str, number: int, bind: str = "::1") -> ServiceDefinition:
    document: dict[str, Any] = {
        "name": "web",
        "port": number,
        "bind_address": bind,
        "deployment": {
            "mode": mode,
            "binary": {"command": "busybox", "args": ["httpd", "-f", "-p", f"[{bind}]:{number}"]},
            "docker": {"image": IMAGE, "pull": "never", "ports": [f"{number}:8080"]},
        },
        "health": {"type": "http", "url": f"http://[::1]:{number}/", "expected_status": [200, 404]},
        "startup": {"stop_timeout": 1},
    }
    return build(ServiceDefinition, document)


@pytest.fixture
def image(engine_client: Callable[[str], docker.APIClient]) -> None:
    engine_client("docker")


@pytest.mark.parametrize("bind", ["::1", "::"])
@pytest.mark.parametrize("mode", ["binary", "docker"])
@pytest.mark.usefixtures("image")
def test_a_service_listens_on_ipv6_and_is_healthy(
    tmp_path: Path, docker_url: str, number: int, mode: str, bind: str
) -> None:
    web = a_service(mode, number, bind)
    settings = Settings(project=f"t6{number}", engine="docker", engine_url=docker_url)
    manager = Manager(tmp_path / "work", {"web": web}, settings)
    assert manager.preflight().unavailable() == {}
    try:
        outcomes = operate(manager, ServiceOperation(operation="start"))
        assert outcomes["web"].result == "healthy"
        (status,) = manager.status()
        assert (status.address, status.health) == (f"http://[::1]:{number}", "healthy")
        assert manager.plan({"web": "started"}).changes == []
        other = Manager(tmp_path / "other", {"web": a_service("binary", number, bind)})
        (problem,) = other.preflight().services["web"]
        assert f"port {number} is taken by pid" in problem.why
    finally:
        operate(manager, ServiceOperation(operation="remove", force=True))
        manager.clean()
