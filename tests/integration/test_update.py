# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    ConfigurationError,
    PrerequisiteError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import read_generation
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    ConfigFile,
    Dependency,
    ServiceDefinition,
    ServiceOperation,
)
from ansible_collections.provisioning.platform.plugins.module_utils._operations import operate
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation, Settings
from ansible_collections.provisioning.platform.plugins.module_utils._state import StateStore, locked
from ansible_collections.provisioning.platform.plugins.module_utils._update import Update, Updated

from tests.fixtures.definitions import service, services

NOT_WELL = {"type": "command", "command": ["/bin/false"]}


class Installed:
    """Three services that run: ``base``, ``middle`` that needs it, and ``top`` that is restarted with ``middle``."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        config = [ConfigFile(dest=str(work_dir / "config" / "middle" / "greeting"), content="hello\n")]
        middle = dataclasses.replace(version("middle", 1, "base"), config=config)
        top = version("top", 1)
        top = dataclasses.replace(top, depends_on={"middle": Dependency(restart=True)})
        self.wanted = services(version("base", 1), middle, top)
        config_folder = work_dir / "config" / "middle"
        config_folder.mkdir(parents=True)
        (config_folder / "greeting").write_text("hello\n")
        manager = Manager(work_dir, self.wanted)
        operate(manager, ServiceOperation(operation="start"))
        manager.save_settings()

    def ids(self) -> dict[str, str | None]:
        return {status.name: status.id for status in self.manager().status(health=False)}

    def manager(self) -> Manager:
        return Manager.open(self.work_dir)

    def arguments(self) -> dict[str, list[str]]:
        """What each service is started with, as it is written down."""
        states = StateStore(self.manager().work_dir).read_all()
        return {name: state.definition["deployment"]["binary"]["args"] for name, state in states.items()}

    def update(self, changed: Mapping[str, ServiceDefinition], *names: str, settings: Settings | None = None) -> Update:
        return Update(self.work_dir, {**self.wanted, **changed}, settings or Settings(), names=names, run="update-1")


def version(name: str, number: int, *needs: str, **more: object) -> ServiceDefinition:
    return service(name, needs, args=[f"10{number}"], startup={"timeout": 20.0, "stop_timeout": 5.0}, **more)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    made = Installed(tmp_path / "work")
    yield made
    operate(made.manager(), ServiceOperation(operation="remove", force=True))


def results(updated: list[Updated]) -> dict[str, str]:
    return {one.service: one.result for one in updated}


def test_what_has_changed_is_updated_in_order_and_nothing_else_is_touched(installed: Installed) -> None:
    before = installed.ids()
    update = installed.update({"middle": dataclasses.replace(installed.wanted["middle"], port=None, **_args("102"))})
    assert [(step.service, step.is_new) for step in update.plan()] == [
        ("base", False),
        ("middle", True),
        ("top", False),
    ]
    assert installed.ids() == before
    assert results(update.carry_out()) == {"base": "unchanged", "middle": "updated", "top": "unchanged"}
    after = installed.ids()
    assert after["base"] == before["base"]
    assert after["middle"] != before["middle"]
    assert after["top"] != before["top"]  # it depends on middle with restart: true
    assert installed.arguments()["middle"] == ["102"]
    recorded = read_generation(installed.manager().work_dir)
    assert recorded is not None
    assert {one["name"] for one in recorded["services"]} == {"base", "middle", "top"}
    assert not any(step.is_new for step in update.plan())


@pytest.mark.parametrize("fault", ["it does not start", "it is not healthy", "it does not do its work"])
def test_a_version_that_fails_goes_back_and_what_comes_after_is_not_touched(installed: Installed, fault: str) -> None:
    before = installed.ids()
    broken = {
        "it does not start": service("middle", ["base"], command="/bin/false", args=[]),
        "it is not healthy": version("middle", 2, "base", health={**NOT_WELL, "retries": 1, "interval": 0.1}),
        "it does not do its work": version("middle", 2, "base", verify=[NOT_WELL]),
    }[fault]
    broken = dataclasses.replace(broken, startup=dataclasses.replace(broken.startup, timeout=1.0), config=[])
    update = installed.update({"base": version("base", 2), "middle": broken, "top": version("top", 2, "middle")})
    updated = update.carry_out()
    assert results(updated) == {"base": "updated", "middle": "restored", "top": "not reached"}
    assert updated[1].error
    after = installed.ids()
    assert after["base"] != before["base"]
    assert installed.arguments() == {"base": ["102"], "middle": ["101"], "top": ["101"]}
    assert {status.status for status in installed.manager().status()} == {"running"}
    assert (installed.work_dir / "config" / "middle" / "greeting").read_text() == "hello\n"


def test_what_somebody_stopped_stays_so_unless_it_is_named(installed: Installed) -> None:
    operate(installed.manager(), ServiceOperation(operation="stop", services=("top",)))
    changed = {"top": dataclasses.replace(installed.wanted["top"], **_args("102"))}
    assert results(installed.update(changed).carry_out())["top"] == "left out"
    assert installed.arguments()["top"] == ["101"]
    assert results(installed.update(changed, "top").carry_out()) == {"top": "updated"}
    assert "top" in installed.manager().running()


def test_what_touches_nothing_that_runs_is_written_down(installed: Installed) -> None:
    before = installed.ids()
    changed = {"base": dataclasses.replace(installed.wanted["base"], description="The base")}
    settings = Settings(operations={"backup": Operation(requires=["base"])})
    installed.update(changed, settings=settings).carry_out()
    assert installed.ids() == before
    assert installed.manager().definition("base").description == "The base"
    assert installed.manager().settings == settings


def test_what_is_not_an_update_is_refused(installed: Installed) -> None:
    more = {"extra": version("extra", 1)}
    assert installed.update(more).not_installed == ["extra"]
    with pytest.raises(PrerequisiteError, match="extra: is not installed"):
        installed.update(more, "extra")
    with pytest.raises(ConfigurationError, match="nobody: there is no such service"):
        installed.update({}, "nobody")
    with pytest.raises(ConfigurationError, match="env_vars: has changed, which concerns all services"):
        installed.update({}, settings=Settings(env={"A": "1"}))
    with locked(installed.manager().work_dir.locks / "run.lock"), pytest.raises(BusyError):
        installed.update({}).carry_out()


def _args(*arguments: str) -> dict[str, object]:
    return {"deployment": service("any", args=arguments).deployment}
