"""What the files of the repository say about each other."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FARM = ROOT / "playbooks/collections/ansible_collections/provisioning/platform"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_commands_name_the_version_that_is_shipped() -> None:
    assert importlib.import_module("provisioning_platform").__version__ == read_yaml("galaxy.yml")["version"]


def test_the_changelog_tells_of_the_version_that_is_shipped() -> None:
    assert read_yaml("galaxy.yml")["version"] in read_yaml("changelogs/changelog.yaml")["releases"]


def test_the_farm_links_to_all_that_a_collection_has_relatively_and_never_to_itself() -> None:
    links = {entry.name: entry for entry in FARM.iterdir()}

    assert set(links) == {"galaxy.yml", "meta", "plugins", "roles"}
    for name, link in links.items():
        assert not link.readlink().is_absolute()
        assert link.resolve() == ROOT / name


def test_the_farm_is_in_no_artefact() -> None:
    assert "playbooks/collections" in read_yaml("galaxy.yml")["build_ignore"]
    assert "/playbooks/collections" in PROJECT["tool"]["hatch"]["build"]["exclude"]


def test_the_action_group_holds_every_module_that_works_on_a_host() -> None:
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("[a-z]*.py")}

    assert set(read_yaml("meta/runtime.yml")["action_groups"]["platform"]) == modules - {
        "platform_config",
        "compose_export",
    }


def test_an_execution_environment_gets_what_the_package_needs_except_ansible_itself() -> None:
    needed = {name for name in PROJECT["project"]["dependencies"] if not name.startswith(("ansible", "rich", "typer"))}
    listed = {line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")}

    assert listed == needed
    assert read_yaml("meta/execution-environment.yml")["dependencies"]["python"] == "requirements.txt"


@pytest.mark.parametrize(("command", "target"), PROJECT["project"]["scripts"].items())
def test_each_command_has_something_to_run(command: str, target: str) -> None:
    module, _, function = target.partition(":")

    assert callable(getattr(importlib.import_module(module), function)), command


@pytest.mark.parametrize(
    "path",
    sorted(
        path.relative_to(ROOT).as_posix() for path in (ROOT / "plugins").rglob("*.py") if path.name != "__init__.py"
    ),
)
def test_each_file_of_the_collection_names_its_licence(path: str) -> None:
    beginning = (ROOT / path).read_text()[:600]

    if not beginning:
        return  # an empty __init__.py
    assert "GNU General Public License v3.0+ (see " in beginning
    assert "https://www.gnu.org/licenses/gpl-3.0.txt" in beginning


@pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "roles").iterdir()) if path.is_dir()])
def test_each_role_says_what_it_takes_and_what_it_is_for(name: str) -> None:
    role = ROOT / "roles" / name

    assert (role / "meta/argument_specs.yml").is_file()
    assert (role / "tasks/main.yml").is_file()
    assert (role / "README.md").read_text().startswith("# ")
