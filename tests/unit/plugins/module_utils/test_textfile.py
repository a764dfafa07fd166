# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._textfile import remove_textfile, write_textfile


def test_the_file_is_readable_by_node_exporter_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "provisioning.prom"
    before = os.umask(0o077)
    try:
        write_textfile(path, "a 1\n")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.read_text() == "a 1\n"


def test_a_new_file_takes_the_old_one_s_place_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "provisioning.prom"
    write_textfile(path, "a 1\n")
    with path.open() as reader:
        write_textfile(path, "a 2\n")
        assert reader.read() == "a 1\n"
    assert path.read_text() == "a 2\n"
    assert [file.name for file in tmp_path.iterdir()] == ["provisioning.prom"]


def test_a_link_is_replaced_and_what_it_leads_to_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    path = tmp_path / "provisioning.prom"
    path.symlink_to(mine)
    write_textfile(path, "a 1\n")
    assert mine.read_text() == "mine"
    assert path.read_text() == "a 1\n"


def test_a_folder_that_is_not_there_is_named_with_the_remedy_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match=r"deployment\.metrics\.textfile: there is no folder .*none") as raised:
        write_textfile(tmp_path / "none" / "a.prom", "")
    assert "--collector.textfile.directory=" in str(raised.value)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be_written_is_an_error_with_the_remedy() -> None:
    with pytest.raises(PrerequisiteError, match=r"Let who supervises write to /proc/self"):
        write_textfile(Path("/proc/self/a.prom"), "")


def test_removing_it_twice_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    write_textfile(path, "a 1\n")
    remove_textfile(path)
    remove_textfile(path)
    assert not path.exists()
