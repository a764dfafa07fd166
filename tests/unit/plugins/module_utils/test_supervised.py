# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils import _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir


def installed(tmp_path: Path, settings: str) -> WorkDir:
    layout = WorkDir(tmp_path / "work")
    _supervised.folder_of(layout).mkdir(parents=True)
    _supervised.settings_path(layout).write_text(settings)
    return layout


def test_the_files_for_node_exporter_go_with_the_supervisor_and_others_stay(tmp_path: Path) -> None:
    for name in ("a.prom", "a-installation.prom", "others.prom"):
        (tmp_path / name).touch()
    layout = installed(tmp_path, json.dumps({"metrics": {"textfile": str(tmp_path / "a.prom")}}))
    _supervised.forget(layout)
    assert [path.name for path in tmp_path.glob("*.prom")] == ["others.prom"]
    assert not _supervised.settings_path(layout).exists()


def test_settings_that_are_damaged_are_taken_away_too(tmp_path: Path) -> None:
    layout = installed(tmp_path, "{")
    _supervised.forget(layout)
    assert not _supervised.settings_path(layout).exists()


def test_of_the_environment_it_keeps_where_engines_are_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_PASSWORD", "CONTAINERS_TOKEN", "KUBECONFIG"):
        monkeypatch.setenv(name, f"of {name}")
    kept = _supervised.settings_for(code="1", webhook=None, metrics={}).environment
    assert (kept["DOCKER_HOST"], kept["KUBECONFIG"]) == ("of DOCKER_HOST", "of KUBECONFIG")
    assert not {"DOCKER_PASSWORD", "CONTAINERS_TOKEN"} & kept.keys()
