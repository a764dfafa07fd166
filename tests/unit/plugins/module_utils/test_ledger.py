# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _installation
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import Ledger, read_generation
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings


@pytest.fixture
def layout(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path / "work")


def test_what_was_created_is_noted_once_and_in_order(layout: WorkDir) -> None:
    for folder in (layout.config, layout.data, layout.logs):
        folder.mkdir(parents=True)
    ledger = Ledger(layout, "run")
    ledger.add(paths=[layout.config, layout.data], services=["a"])
    ledger.add(paths=[layout.data, layout.logs], services=["b", "a"])
    assert ledger.read().paths == tuple(map(str, (layout.config, layout.data, layout.logs)))
    assert ledger.read().services == ("a", "b")


def test_of_what_is_about_to_be_made_the_outermost_folder_is_noted(layout: WorkDir) -> None:
    layout.config.mkdir(parents=True)
    ledger = Ledger(layout, "run")
    ledger.add(paths=[layout.config / "gitea" / "conf" / "app.ini"])
    assert ledger.read().paths == (str(layout.config / "gitea"),)


def test_only_what_is_on_the_list_and_in_the_work_dir_is_removed(layout: WorkDir, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.write_text("mine")
    for folder in (layout.config, layout.data / "gitea"):
        folder.mkdir(parents=True)
    (layout.data / "gitea" / "repository").write_text("mine")
    (layout.config / "app.ini").write_text("ours")
    ledger = Ledger(layout, "run")
    ledger.add(paths=[layout.config, outside])
    assert ledger.remove_paths() == [str(layout.config)]
    assert outside.read_text() == "mine"
    assert (layout.data / "gitea" / "repository").exists()
    assert not layout.config.exists()


def test_what_is_to_be_kept_stays_with_the_folders_it_is_in(layout: WorkDir) -> None:
    journal = layout.installations / "run" / "events.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text("{}\n")
    (layout.installations / "other").mkdir()
    ledger = Ledger(layout, "run")
    ledger.add(paths=[layout.root, layout.installations])
    assert ledger.remove_paths(keep=[journal.parent]) == []
    assert journal.exists()
    assert not (layout.installations / "other").exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_list_is_a_clear_error(layout: WorkDir, content: str) -> None:
    path = layout.installations / "run" / "created.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="is damaged"):
        Ledger(layout, "run").read()


def test_beginning_makes_the_folders_for_their_owner_alone_and_notes_them(layout: WorkDir) -> None:
    assert _installation.begin(layout, "run", dry=True)
    assert not layout.root.exists()
    assert _installation.begin(layout, "run")
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in _installation.folders(layout))
    assert Ledger(layout, "run").read().paths == tuple(map(str, _installation.folders(layout)))
    assert not _installation.begin(layout, "again")


def service(name: str) -> ServiceDefinition:
    return build(ServiceDefinition, {"name": name, "deployment": {"mode": "binary", "binary": {"command": name}}})


def test_a_generation_is_recorded_once_as_long_as_nothing_changes(layout: WorkDir) -> None:
    assert _installation.complete(layout, [service("a")], Settings(), "first")
    assert not _installation.complete(layout, [service("a")], Settings(), "second")
    assert (layout.installations / "current").read_text() == "first\n"
    assert _installation.complete(layout, [service("a"), service("b")], Settings(), "third")
    generation = read_generation(layout)
    assert generation is not None
    assert [document["name"] for document in generation["services"]] == ["a", "b"]


def test_removing_keeps_data_and_the_secrets_it_depends_on(layout: WorkDir) -> None:
    _installation.begin(layout, "")
    (layout.data / "gitea").mkdir()
    (layout.data / "gitea" / "repository").write_text("mine")
    (layout.data / "empty").mkdir()
    (layout.secrets / "gitea.json").write_text("{}")
    (layout.secrets / "empty.json").write_text("{}")
    layout.audit.write_text("")
    _installation.remove(layout)
    left = sorted(str(path.relative_to(layout.root)) for path in layout.root.rglob("*"))
    assert left == ["data", "data/gitea", "data/gitea/repository", "secrets", "secrets/gitea.json"]
    _installation.remove(layout, purge=True)
    assert not layout.root.exists()


def test_removing_what_is_not_there_is_no_news(layout: WorkDir) -> None:
    assert _installation.remove(layout) == []
    assert _installation.left(layout) == []


@pytest.mark.parametrize("purge", [False, True])
def test_a_folder_that_is_no_installation_is_left_alone(layout: WorkDir, *, purge: bool) -> None:
    for folder in (layout.config, layout.data, layout.bin):
        (folder / "mine").mkdir(parents=True)
    with pytest.raises(PrerequisiteError, match="holds no installation"):
        _installation.remove(layout, purge=purge)
    assert (layout.config / "mine").is_dir()
    assert (layout.data / "mine").is_dir()
