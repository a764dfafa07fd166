# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._settings import (
    Operation,
    Settings,
    read_settings,
    write_settings,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.operations import (
    built_in_operations,
    operation_problems,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform, resolve

ROLES = Path(__file__).parents[4] / "roles"


def platform(operations: dict[str, Any]) -> Platform:
    config = from_mapping({"operations": operations}, env={}, base_dir=Path("/"))
    return resolve(config, home="/home/me", roles_dir=ROLES, env={})


def test_the_operations_of_the_source_come_with_the_collection_and_need_the_orchestrator() -> None:
    assert {name: one.requires for name, one in built_in_operations(ROLES).items()} == {
        "server": ["orchestrator"],
        "workflow": ["orchestrator"],
        "test": ["orchestrator"],
    }


def test_an_operation_of_a_configuration_stands_beside_them_or_in_the_place_of_one() -> None:
    found = platform({"backup": {"requires": ["gitea"], "may_start": "false"}, "test": {"requires": ["gitea"]}})
    assert found.operations["backup"] == Operation(requires=["gitea"], may_start=False)
    assert found.operations["test"].requires == ["gitea"]
    assert found.operations["server"].requires == ["orchestrator"]
    assert found.to_module_args()["operations"]["backup"] == {"requires": ["gitea"], "may_start": False}


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ({"backup": {"requires": ["gitae"]}}, r"operations.backup.requires\[0\]: there is no service gitae. Did you"),
        ({"backup": {"requires": ["gitea", "tempo"]}}, r"operations.backup.requires\[1\]: tempo is not installed"),
        ({"backup": {"requires": []}}, "operations.backup.requires: is empty"),
        ({"backup": {}}, "operations.backup.requires: is missing"),
        ({"backup": {"requires": "gitea"}}, "operations.backup.requires: expected a list"),
        ({"backup": {"requires": ["gitea"], "may": True}}, "operations.backup.may: is not a known setting"),
        ({"back up": {"requires": ["gitea"]}}, "operations.back up: 'back up' cannot be an operation's name"),
    ],
)
def test_what_is_wrong_with_an_operation_is_told_with_its_place(operations: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        platform(operations)


def test_every_fault_is_told_at_once() -> None:
    operations = {"a": Operation(requires=["x"]), "b": Operation(requires=[])}
    assert len(list(operation_problems(operations, known=["y"], installed=["y"]))) == 2


@pytest.fixture
def layout(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path / "work")


def test_operations_are_kept_with_the_installation_and_one_from_before_has_none(layout: WorkDir) -> None:
    settings = Settings(operations={"backup": Operation(requires=["gitea"], may_start=False)})
    write_settings(layout, settings)
    assert read_settings(layout) == settings
    file = layout.root / "services" / "settings.json"
    document = json.loads(file.read_text())
    del document["operations"]
    file.write_text(json.dumps(document))
    assert read_settings(layout) == Settings()
