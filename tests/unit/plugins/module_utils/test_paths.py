# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._paths import (
    WorkDir,
    make_directory,
    write_atomically,
)

from tests.fixtures.disks import full_disk, umask_of_zero


def test_folders_are_for_the_owner_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    with umask_of_zero():
        assert make_directory(tmp_path / "a" / "b" / "c")
        write_atomically(tmp_path / "d" / "e" / "file", "text")
    for folder in ("a", "a/b", "a/b/c", "d", "d/e"):
        assert (tmp_path / folder).stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "d/e/file").stat().st_mode & 0o7777 == 0o600
    assert not make_directory(tmp_path / "a" / "b" / "c")


def test_a_file_in_the_way_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(FileExistsError):
        make_directory(tmp_path / "a")
    with pytest.raises(OSError, match="a"):
        write_atomically(tmp_path / "a" / "b", "text")


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize(("content", "mode"), [("tëxt", 0o600), (b"\x00\xff", 0o644), ("", 0o400)])
def test_a_file_is_replaced_as_a_whole_and_has_its_mode(
    tmp_path: Path, content: str | bytes, mode: int, durable: bool
) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o666)
    with path.open() as reader:
        write_atomically(path, content, mode=mode, durable=durable)
        assert reader.read() == "before"
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert path.stat().st_mode & 0o7777 == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_else() -> None:
    with full_disk() as folder:
        path = folder / "file"
        write_atomically(path, "before")
        with pytest.raises(OSError, match="No space"):
            write_atomically(path, "x" * (1 << 20))
        assert path.read_text() == "before"
        assert list(folder.iterdir()) == [path]
        write_atomically(path, "after")
        assert path.read_text() == "after"


def test_where_the_new_file_cannot_take_its_place_nothing_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "in it").touch()
    with pytest.raises(OSError, match="folder"):
        write_atomically(path, "text")
    assert os.listdir(tmp_path) == ["folder"]


def test_everything_has_its_place_in_the_work_dir() -> None:
    layout = WorkDir(Path("/w"))
    assert [str(path) for path in (layout.pids, layout.state, layout.logs, layout.locks)] == [
        "/w/services/pids",
        "/w/services/state",
        "/w/services/logs",
        "/w/services/locks",
    ]
    assert str(layout.service_data("gitea")) == "/w/data/gitea"
    assert str(layout.service_config("gitea")) == "/w/config/gitea"
