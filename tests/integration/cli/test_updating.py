# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Updates from the command line: from a configuration, on this host and on those of an inventory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from provisioning_platform.cli.loading import load, settings_of

from tests.fixtures.command import PROGRAM, Command, Ended
from tests.fixtures.installations import SERVICES


class Configured:
    """A platform of two services by a configuration, of which one needs the other."""

    def __init__(self, folder: Path, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.file = folder / "platform.yml"
        self.arguments = {"base": "1001", "top": "2001"}
        self.command = "sleep"
        self.write()
        platform = load(self.file, ()).platform
        manager = Manager(work_dir, platform.registry.services, settings_of(platform))
        manager.converge(dict.fromkeys(manager.services(), "started"))
        manager.save_settings()

    def write(self) -> None:
        """Write the configuration as it is wanted now."""
        registry = self.file.with_name("services.yml")
        services = {"base": self.service("base"), "top": {**self.service("top"), "depends_on": ["base"]}}
        registry.write_text(json.dumps({"services": services}))
        chosen = [*({"name": name, "enabled": False} for name in SERVICES), *({"name": name} for name in services)]
        document = {"work_dir": str(self.work_dir), "registry": [str(registry)], "deployment": {"services": chosen}}
        self.file.write_text(json.dumps(document))

    def service(self, name: str) -> dict[str, Any]:
        command = self.command if name == "top" else "sleep"
        binary = {"command": command, "args": [self.arguments[name]]}
        startup = {"timeout": 20, "stop_timeout": 5}
        return {"deployment": {"mode": "binary", "binary": binary}, "startup": startup}

    def manager(self) -> Manager:
        return Manager.open(self.work_dir)

    def close(self) -> None:
        manager = self.manager()
        manager.converge(dict.fromkeys(manager.services(), "absent"), Options(fail_fast=False))


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Configured]:
    found = Configured(tmp_path, tmp_path / "work")
    yield found
    found.close()


class ByConfiguration(Command):
    """Calls the command for the installation that a configuration describes."""

    def __init__(self, file: Path) -> None:
        super().__init__(file.parent)
        self.file = file

    def line(self, *words: str) -> list[str]:
        return [*PROGRAM, "--config", str(self.file), *words]


def call(configured: Configured, *words: str) -> Ended:
    return ByConfiguration(configured.file)(*words)


def test_an_update_shows_what_it_would_do_does_it_and_goes_back_from_what_fails(configured: Configured) -> None:
    nothing = call(configured, "platform", "update", "--check")
    assert (nothing.code, nothing.out.splitlines()[-1]) == (0, "Nothing to update.")

    configured.arguments["base"] = "1002"
    configured.write()
    plan = call(configured, "platform", "update", "--check", "--json")
    assert plan.code == 10
    assert {one["service"]: one["action"] for one in plan.document["services"]} == {"base": "update", "top": "none"}

    updated = call(configured, "platform", "update", "--json")
    assert updated.code == 0
    assert {one["service"]: one["result"] for one in updated.document["services"]} == {
        "base": "updated",
        "top": "unchanged",
    }

    configured.command = "/bin/false"
    configured.write()
    failed = call(configured, "platform", "update")
    assert failed.code == 5
    assert "Nothing was updated; top back on its former version." in failed.out
    assert "error: top: " in failed.err
    assert sorted(configured.manager().running()) == ["base", "top"]


def test_an_update_needs_a_configuration(configured: Configured) -> None:
    missing = Command(configured.work_dir)("platform", "update")
    assert missing.code == 2
    assert missing.err.startswith("error: --config: is missing, and an update needs a configuration.")


def test_a_configuration_is_validated_with_all_its_faults(configured: Configured) -> None:
    assert call(configured, "services", "validate").code == 0
    document = json.loads(configured.file.read_text())
    document["operations"] = {"backup": {"requires": ["bse"]}}
    document["fail_fsat"] = True
    configured.file.write_text(json.dumps(document))
    wrong = call(configured, "services", "validate", "--json")
    assert wrong.code == 2
    assert {one["what"] for one in wrong.document["problems"]} == {"fail_fsat"}
