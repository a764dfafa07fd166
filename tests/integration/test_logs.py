# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs of processes that never stop writing: rotated, read and followed without losing or doubling a line.

On ext4 the head of a file is collapsed, on tmpfs a hole is punched into it; both are tried.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._logs import (
    Rotation,
    follow_lines,
    remove_logs,
    rotate,
    rotated_files,
    tail_lines,
)
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    BinaryDeployment,
    LogSettings,
    ServiceDefinition,
    ServiceDeployment,
)

from tests.fixtures.disks import full_disk, small_disk

SMALL = Rotation(size=64 * 1024, count=1000)
LINES = 120_000

# Lines of different length, some longer than a block, written as fast as can be, a few in each write.
_WRITER = """
import os, sys
descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
number, count = 0, int(sys.argv[2])
while number < count:
    piece = b"".join(b"%d %s\\n" % (n, b"x" * (6000 if n % 1000 == 0 else n % 60)) for n in range(number, number + 7))
    number += 7
    os.write(descriptor, piece)
"""


@pytest.fixture(params=["collapsed", "punched"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of each kind."""
    if request.param == "punched":
        with small_disk("1g") as disk:
            yield disk
    else:
        if _file_system(tmp_path) not in ("ext2/ext3", "xfs"):
            pytest.skip("the temporary folder is on a file system that cannot collapse files")
        yield tmp_path


def _file_system(path: Path) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def _writing(path: Path, count: int = LINES) -> Iterator[subprocess.Popen[bytes]]:
    path.touch()
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path), str(count)]) as writer:
        try:
            yield writer
        finally:
            writer.kill()


def _numbers(lines: Iterator[str] | list[str]) -> list[int]:
    return [int(line.split(" ", 1)[0]) for line in lines]


def _written(count: int = LINES) -> int:
    """How many lines the writer writes: whole pieces of seven."""
    return -(-count // 7) * 7


def test_rotation_under_a_writer_at_full_speed_loses_and_doubles_nothing(folder: Path) -> None:
    path = folder / "a.log"
    rotations = 0
    with _writing(path) as writer:
        while writer.poll() is None:
            rotations += rotate(path, SMALL)
    assert rotations > 5
    assert len(rotated_files(path)) == rotations
    assert _numbers(tail_lines(path, None)) == list(range(_written()))
    used = path.stat().st_blocks * 512
    assert used < SMALL.size + (8 << 20)


@pytest.mark.parametrize("compress", [True, False], ids=["gzip", "plain"])
def test_fifty_rotations_under_a_writer_keep_every_line_once_in_files_anybody_can_read(
    folder: Path, compress: bool
) -> None:
    path = folder / "a.log"
    limits = Rotation(size=64 * 1024, count=1000, compress=compress)
    rotations = 0
    with _writing(path, 1 << 30) as writer:
        while rotations < 50:
            rotations += rotate(path, limits)
        writer.terminate()
        writer.wait()
    files = [*reversed(rotated_files(path)), path]
    assert len(files) == 51
    assert {file.suffix for file in files[:-1]} == ({".gz"} if compress else {f".{number}" for number in range(1, 51)})
    rotated = [gzip.decompress(file.read_bytes()) if compress else file.read_bytes() for file in files[:-1]]
    live = path.read_bytes().lstrip(b"\0")  # what was punched out reads as nothing, also in the middle of a line
    lines = b"".join([*rotated, live]).split(b"\n")
    lines.pop()  # the kernel cuts short what a process that is ended was just writing
    assert len(lines) > 1000
    assert [int(line.split(b" ", 1)[0]) for line in lines] == list(range(len(lines)))


def test_the_file_is_shortened_or_its_space_given_back(folder: Path) -> None:
    path = folder / "a.log"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(30_000)))
    size = path.stat().st_size
    assert rotate(path, SMALL)
    found = path.stat()
    assert found.st_blocks * 512 <= 8192
    assert found.st_size == (size if _file_system(folder) == "tmpfs" else size % 4096)
    assert not rotate(path, SMALL)
    with path.open("ab") as stream:
        stream.write(b"30000\n")
    assert _numbers(tail_lines(path, None)) == list(range(30_001))
    assert _numbers(tail_lines(path, 2)) == [29_999, 30_000]


@pytest.mark.parametrize("size", [65536, 65537, 65536 + 4096])
def test_a_log_of_whole_blocks_is_rotated_too_and_read_as_empty(folder: Path, size: int) -> None:
    path = folder / "a.log"
    path.write_bytes(b"x" * (size - 1) + b"\n")
    assert rotate(path, SMALL)
    assert [len(line) for line in tail_lines(path, None)] == [size - 1]
    with path.open("ab") as stream:
        stream.write(b"after\n" + b"y" * 70_000 + b"\n")
    assert list(tail_lines(path, 2)) == ["after", "y" * 70_000]
    assert rotate(path, SMALL)
    assert [len(line) for line in tail_lines(path, None)] == [size - 1, 5, 70_000]
    assert list(tail_lines(path, 2)) == ["after", "y" * 70_000]


def test_only_so_many_rotated_files_are_kept(folder: Path) -> None:
    path = folder / "a.log"
    for turn in range(6):
        with path.open("ab") as stream:
            stream.write(b"%d\n" % turn * 40_000)
        assert rotate(path, Rotation(size=64 * 1024, count=3))
    assert [file.name for file in rotated_files(path)] == ["a.log.1.gz", "a.log.2.gz", "a.log.3.gz"]
    assert {file.stat().st_mode & 0o777 for file in rotated_files(path)} == {0o600}
    # What is left of the third turn is the rest of a block that was not cut.
    assert sorted(set(_numbers(line for line in tail_lines(path, None) if line))) == [2, 3, 4, 5]


def test_rotated_files_are_kept_for_so_long_also_where_nothing_more_is_written(folder: Path) -> None:
    path = folder / "a.log"
    for _turn in range(3):
        with path.open("ab") as stream:
            stream.write(b"x\n" * 40_000)
        assert rotate(path, SMALL)
    old, older = rotated_files(path)[1:]
    os.utime(old, (time.time() - 7200,) * 2)
    os.utime(older, (time.time() - 9000,) * 2)
    assert not rotate(path, Rotation(age=10_000))
    assert len(rotated_files(path)) == 3
    assert not rotate(path, Rotation(age=3600)), "it is not large enough"
    assert [file.name for file in rotated_files(path)] == ["a.log.1.gz"]


def test_fewer_files_are_kept_as_soon_as_the_setting_says_so(folder: Path) -> None:
    path = folder / "a.log"
    for _turn in range(3):
        with path.open("ab") as stream:
            stream.write(b"x\n" * 40_000)
        assert rotate(path, SMALL)
    assert not rotate(path, Rotation(count=1))
    assert [file.name for file in rotated_files(path)] == ["a.log.1.gz"]


def test_files_that_were_rotated_before_the_setting_changed_are_read_and_counted_too(folder: Path) -> None:
    path = folder / "a.log"
    for turn, compress in enumerate((True, False, True)):
        with path.open("ab") as stream:
            stream.write(b"".join(b"%d\n" % number for number in range(turn * 20_000, (turn + 1) * 20_000)))
        assert rotate(path, Rotation(size=64 * 1024, count=9, compress=compress))
    assert [file.name for file in rotated_files(path)] == ["a.log.1.gz", "a.log.2", "a.log.3.gz"]
    assert _numbers(tail_lines(path, None)) == list(range(60_000))
    assert _numbers(tail_lines(path, 30_000)) == list(range(30_000, 60_000))
    remove_logs(path)
    assert not list(folder.glob("a.log*"))


def test_a_rotated_file_larger_than_what_is_wanted_is_not_kept_in_memory(folder: Path) -> None:
    path = folder / "a.log"
    path.write_bytes(b"".join(b"%d %s\n" % (number, b"x" * 90) for number in range(200_000)))
    assert rotate(path, SMALL)
    tracemalloc.start()
    try:
        assert _numbers(tail_lines(path, 3)) == [199_997, 199_998, 199_999]
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_following_across_rotations_at_full_speed_loses_and_doubles_nothing(folder: Path) -> None:
    path = folder / "a.log"
    with _writing(path) as writer:
        rotating = threading.Event()

        def rotate_all_the_time() -> None:
            while not rotating.wait(0.005):
                rotate(path, SMALL)

        rotator = threading.Thread(target=rotate_all_the_time)
        rotator.start()
        try:
            found = _numbers(follow_lines(path, tail=None, ended=lambda: writer.poll() is not None))
        finally:
            rotating.set()
            rotator.join()
    assert found == list(range(_written()))
    assert rotated_files(path)


def test_following_begins_with_the_last_lines_and_leaves_no_gap_after_them(folder: Path) -> None:
    path = folder / "a.log"
    with _writing(path, 1_000_000):
        while path.stat().st_size < 100_000:
            time.sleep(0.001)
        found = _numbers(list(itertools.islice(follow_lines(path, tail=10), 20_000)))
    assert found == list(range(found[0], found[0] + 20_000))


def test_a_follower_that_comes_late_reads_what_was_rotated_away_meanwhile(folder: Path) -> None:
    path = folder / "a.log"
    path.write_bytes(b"before\n")
    lines = follow_lines(path, tail=1)
    assert next(lines) == "before"
    for turn in range(3):
        with path.open("ab") as stream:
            stream.write(b"".join(b"%d\n" % number for number in range(turn * 20_000, (turn + 1) * 20_000)))
        assert rotate(path, SMALL)
    assert _numbers(list(itertools.islice(lines, 60_000))) == list(range(60_000))


def test_a_log_that_was_made_anew_is_followed_from_its_beginning(folder: Path) -> None:
    path = folder / "a.log"
    path.write_text("old\nunfinished")
    over: list[bool] = []
    lines = follow_lines(path, tail=5, ended=lambda: bool(over))
    assert next(lines) == "old"
    path.rename(folder / "elsewhere")
    path.write_text("new\nlast")
    assert next(lines) == "new"
    over.append(True)
    assert list(lines) == ["last"]


def test_a_log_that_somebody_cut_is_followed_from_its_beginning(folder: Path) -> None:
    path = folder / "a.log"
    path.write_text("one\n" * 100)
    lines = follow_lines(path, tail=1)
    next(lines)
    os.truncate(path, 0)
    with path.open("a") as stream:
        stream.write("two\n")
    assert next(lines) == "two"


def test_a_log_that_is_not_there_yet_is_waited_for(folder: Path) -> None:
    path = folder / "a.log"
    lines = follow_lines(path, tail=10)
    threading.Timer(0.05, path.write_text, ["first\n"]).start()
    assert next(lines) == "first"
    assert list(tail_lines(folder / "none.log", 5)) == []
    assert not rotate(folder / "none.log")


@pytest.mark.parametrize(
    ("text", "count", "lines"),
    [
        ("", 5, []),
        ("\n", 5, [""]),
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb\nc", 2, ["b", "c"]),
        ("a\nb\nc", 0, []),
        ("a\nb\nc", 10, ["a", "b", "c"]),
        ("a\n\n\n", 2, ["", ""]),
        ("grün\xff\n", None, ["grün\xff"]),
        ("a\r\n", None, ["a\r"]),
    ],
)
def test_the_last_lines_of_a_log(tmp_path: Path, text: str, count: int | None, lines: list[str]) -> None:
    path = tmp_path / "a.log"
    path.write_text(text)
    assert list(tail_lines(path, count)) == lines


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"a\xff\xfeb\n")
    assert list(tail_lines(path, 1)) == ["a��b"]


def test_the_last_lines_come_from_rotated_files_where_the_live_one_has_too_few(folder: Path) -> None:
    path = folder / "a.log"
    for turn in range(3):
        with path.open("ab") as stream:
            stream.write(b"".join(b"%d\n" % number for number in range(turn * 20_000, (turn + 1) * 20_000)))
        assert rotate(path, SMALL)
    for count in (1, 10, 5_000, 19_999, 20_001, 45_000, 60_000, 70_000):
        assert _numbers(tail_lines(path, count)) == list(range(60_000))[-count:]


def test_a_log_is_not_rotated_while_somebody_reads_it(folder: Path) -> None:
    path = folder / "a.log"
    path.write_bytes(b"x\n" * 50_000)
    lines = tail_lines(path, None)
    next(lines)
    assert not rotate(path, SMALL)
    assert len(list(lines)) == 49_999
    assert rotate(path, SMALL)


def test_where_a_rotated_file_cannot_be_written_nothing_is_lost() -> None:
    with full_disk() as folder:
        path = folder / "a.log"
        path.write_bytes(os.urandom(200_000))  # which compresses to no less
        before = path.read_bytes()
        with pytest.raises(OSError, match="No space"):
            rotate(path, SMALL)
        assert path.read_bytes() == before
        assert [file.name for file in folder.iterdir()] == ["a.log"]


def test_each_log_is_rotated_as_its_service_says_those_of_replicas_too(tmp_path: Path) -> None:
    block = ServiceDeployment(mode="binary", binary=BinaryDeployment(command="true"))
    own = LogSettings(max_size="64k", compress=False)
    services = [
        ServiceDefinition(name="a", deployment=block, logs=own),
        ServiceDefinition(name="b", deployment=block),
    ]
    manager = Manager(tmp_path, {service.name: service for service in services})
    logs = manager.work_dir.logs
    logs.mkdir(parents=True)
    for name in ("a.log", "a.2.log", "b.log", "gone.log"):
        (logs / name).write_bytes(b"x\n" * 50_000)
    assert manager.rotate_logs() == ["a.2", "a"]
    assert sorted(file.name for file in logs.glob("*.1*")) == ["a.2.log.1", "a.log.1"]


def test_removing_takes_rotated_files_and_replicas_and_nobody_else_s(tmp_path: Path) -> None:
    mine = ["a.log", "a.log.1.gz", "a.log.12.gz", "a.2.log", "a.2.log.1.gz", ".a.log.1.gz"]
    others = ["b.log", "ab.log", "a-b.log", "b-a.log", "a.log.bak", "aa.2.log"]
    for name in (*mine, *others):
        (tmp_path / name).touch()
    remove_logs(tmp_path / "a.log")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(others)
    remove_logs(tmp_path / "nowhere" / "a.log")
