# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an installation is."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from provisioning_platform.cli.context import name_of, not_ours, refuse_others
from provisioning_platform.discovery import find_work_dir

_NOBODY = 64_123


def test_root_changes_nothing_in_what_another_user_has_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_others(tmp_path)
    state = WorkDir(tmp_path).state
    state.mkdir(parents=True)
    if os.geteuid() == 0:
        refuse_others(tmp_path)
        os.chown(state, _NOBODY, -1)
    owner = name_of(state.stat().st_uid)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(PrerequisiteError, match=rf"belongs to {owner}, who .*Run as {owner}: sudo -u {owner} "):
        refuse_others(tmp_path)


def test_a_work_dir_that_cannot_be_read_is_told_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = PermissionError(errno.EACCES, "Permission denied", "state")
    assert not_ours(tmp_path, refused).why == "cannot be read: state: Permission denied"
    owner = name_of(tmp_path.stat().st_uid)
    monkeypatch.setattr(os, "geteuid", lambda: _NOBODY)
    assert not_ours(tmp_path, refused).why == f"belongs to {owner}, and {_NOBODY} may not read it"


def test_a_work_dir_below_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=rf"^{tmp_path}/file: is not a folder \({tmp_path}/file/sub is what"):
        find_work_dir(work_dir=tmp_path / "file" / "sub")
