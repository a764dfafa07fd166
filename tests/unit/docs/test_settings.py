# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of settings on the pages for users have every setting of the schema, with its default, and no other."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._registry import DRIVERS
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    HealthCheck,
    Mode,
    ServiceDefinition,
    ServiceDeployment,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    DeploymentConfig,
    NotificationConfig,
    ServiceOverride,
    UnattendedInstallConfig,
)

from tests.fixtures.docs import PAGES, ROOT, prose, quoted, tables

DOCS = ROOT / "docs"
ROLES = ROOT / "roles"


def schema(modes: Collection[str] = DRIVERS) -> Iterator[type]:
    """Yield the classes that users write, those of modes that this version does not have left out."""
    left: list[type] = [UnattendedInstallConfig, ServiceDefinition]
    seen: set[type] = set()
    while left:
        cls = left.pop()
        if cls in seen:
            continue
        seen.add(cls)
        yield cls
        for name in settings(cls, modes):
            left += classes_in(get_type_hints(cls)[name])


def settings(cls: type, modes: Collection[str] = DRIVERS) -> list[str]:
    """Return the settings that the table of a class has: those that checks share are in a table of their own."""
    names = [field.name for field in dataclasses.fields(cls) if not field.metadata.get("filled_in")]
    if cls is ServiceOverride:
        return ["name"]  # a definition's settings stand beside it
    if cls is ServiceDeployment:
        return [name for name in names if name == "mode" or name in modes]
    shared = [field.name for field in dataclasses.fields(HealthCheck)] if issubclass(cls, HealthCheck) else []
    return names if cls is HealthCheck else [name for name in names if name not in shared]


def classes_in(hint: Any) -> list[type]:
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return [hint, HealthCheck] if issubclass(hint, HealthCheck) else [hint]
    return [cls for part in get_args(hint) for cls in classes_in(part)]


SCHEMA = sorted(schema(), key=lambda cls: cls.__name__)
KEYS = {
    about.removeprefix("keys: "): rows
    for page in PAGES
    for about, rows in tables(page).items()
    if about.startswith("keys: ")
}


@pytest.mark.parametrize("cls", SCHEMA, ids=lambda cls: cls.__name__)
def test_every_setting_is_in_a_table_and_nothing_else_is(cls: type) -> None:
    assert [quoted(row[0])[0] for row in KEYS[cls.__name__]] == settings(cls)
    assert all(row[2] for row in KEYS[cls.__name__])


def test_every_table_of_settings_is_one_of_the_schema() -> None:
    names = {cls.__name__ for cls in schema(get_args(Mode))}
    assert {cls.__name__ for cls in SCHEMA} <= KEYS.keys() <= {*names, "NotificationPayload"}


@pytest.mark.parametrize("cls", SCHEMA, ids=lambda cls: cls.__name__)
def test_the_default_of_a_setting_is_the_one_that_is_used(cls: type) -> None:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key, shown, *_rest in KEYS[cls.__name__]:
        wanted = default_of(fields[quoted(key)[0]])
        if wanted is None:
            assert shown, f"{key} says nothing of its default"
        elif (cls, key) != (ServiceDefinition, "`name`"):
            assert shown == wanted, f"{key} of {cls.__name__}"


def default_of(field: dataclasses.Field[Any]) -> str | None:
    """Return what the table must say; nothing where it may say it in its own words."""
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "required"
    value = field.default_factory() if field.default is dataclasses.MISSING else field.default  # type: ignore[misc]
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"`{value:g}`"
    if isinstance(value, list) and value:
        return f"`{json.dumps(value)}`"
    return f"`{value}`" if isinstance(value, str) and value else None


@pytest.mark.parametrize("cls", SCHEMA, ids=lambda cls: cls.__name__)
def test_every_value_that_can_be_chosen_is_named(cls: type) -> None:
    pages = {word for page in DOCS.glob("*.md") for word in quoted(prose(page))}
    for name in settings(cls):
        hint = get_type_hints(cls)[name]
        values = set(get_args(hint)) if get_origin(hint) is Literal else set()
        if cls is ServiceDeployment:
            values &= DRIVERS.keys()
        assert values <= pages, f"{name} of {cls.__name__}"


@pytest.mark.parametrize(
    ("cls", "section"),
    [(UnattendedInstallConfig, ""), (DeploymentConfig, "deployment"), (NotificationConfig, "notifications")],
)
def test_the_examples_of_settings_are_valid(cls: type, section: str, tmp_path: Path) -> None:
    examples = [quoted(row[3])[0] for row in KEYS[cls.__name__]]
    document = tomllib.loads("\n".join([f"[{section}]" if section else "", *examples]))
    assert list(document[section] if section else document) == settings(cls)
    from_mapping(document, env={"TOKEN": "x"}, base_dir=tmp_path)


def test_the_variables_in_a_roles_tables_are_its_own() -> None:
    for page in PAGES[1:]:
        if page.parent.parent != ROLES or page.parent.name == "platform":
            continue
        options = yaml.safe_load((page.parent / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]
        definition = yaml.safe_load((page.parent / "meta" / "service.yml").read_text())
        own = set(definition.get("variables") or {})
        table = re.search(r"^\| variable \|.*\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
        assert table is not None, page
        named = {quoted(line.split("|")[1])[0] for line in table[1].splitlines()[1:]}
        assert own <= named <= own | set(options["options"]), page
