# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be seen of an installation."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceOperation
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings

from tests.fixtures.definitions import service
from tests.fixtures.ports import free_port
from tests.fixtures.small_platform import Platform, web


def test_the_status_tells_what_is_and_why(platform: Platform) -> None:
    platform.start("b")
    a, b, c = platform.manager().status()
    assert (a.name, a.status, a.health, a.reason) == ("a", "running", "healthy", "new")
    assert a.address == f"http://127.0.0.1:{platform.ports['a']}"
    assert a.health_reason == f"http://127.0.0.1:{platform.ports['a']}/ answered 404"
    assert (c.status, c.health, c.since) == ("absent", "unknown", None)
    assert b.since is not None
    assert abs(time.time() - b.since) < 60
    os.kill(int(str(b.id)), signal.SIGSTOP)
    stuck = web("b", ["a"], port=platform.ports["b"], health={"type": "tcp", "port": free_port(), "timeout": 0.2})
    (status,) = platform.manager(b=stuck).status(["b"])
    assert (status.status, status.health) == ("running", "unhealthy")
    assert status.health_reason.endswith("refused the connection")
    json.dumps([found.to_dict() for found in (a, b, c)])
    os.kill(int(str(b.id)), signal.SIGCONT)


def test_what_is_installed_is_known_from_its_records_alone(platform: Platform) -> None:
    platform.start()
    found = Manager.open(platform.folder)
    assert list(found.services()) == ["a", "b", "c"]
    assert found.services() == platform.definitions
    assert found.is_running("a")
    assert sorted(found.running()) == ["a", "b", "c"]
    assert {status.health for status in found.status()} == {"healthy"}
    assert found.wait_for("c").healthy
    assert found.plan(dict.fromkeys("abc", "started")).changes == []


def test_settings_that_are_damaged_are_an_error_with_their_path(platform: Platform) -> None:
    platform.start("a")
    settings = WorkDir(platform.folder).root / "services" / "settings.json"
    settings.write_text("{")
    with pytest.raises(ConfigurationError, match=f"{settings}: is damaged"):
        Manager.open(platform.folder)
    settings.unlink()


def test_settings_are_kept_for_those_who_come_without_configuration(tmp_path: Path) -> None:
    settings = Settings(project="mine", env={"LOG_LEVEL": "debug", "NUMBER": 7})
    Manager(tmp_path, {}, settings).save_settings()
    assert Manager.open(tmp_path).settings == settings


@pytest.mark.parametrize(
    "ask",
    [
        lambda manager: manager.definition("x"),
        lambda manager: manager.is_running("x"),
        lambda manager: manager.status(["x"]),
        lambda manager: manager.check_health(["x"]),
        lambda manager: manager.wait_for("x"),
        lambda manager: manager.verify(["x"]),
        lambda manager: manager.logs("x"),
        lambda manager: manager.preflight(["x"]),
        lambda manager: manager.plan({"x": "started"}),
        lambda manager: manager.goals_of(ServiceOperation(operation="stop", services=("x",))),
        lambda manager: manager.goals_of(ServiceOperation(operation="start", services=("x",))),
    ],
)
def test_an_unknown_name_is_the_same_error_everywhere(platform: Platform, ask: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"x: there is no such service. Known services: a, b, c"):
        ask(platform.manager())


def test_the_output_of_a_service_can_be_read(platform: Platform) -> None:
    talker = service("a", command="sh", args=["-c", "echo one; echo two; exec sleep 1000"])
    platform.start("a", a=talker)
    assert [line.text for line in platform.manager().logs("a", tail=1)] == ["two"]
