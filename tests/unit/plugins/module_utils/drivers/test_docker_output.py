# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import struct

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import LogLine
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_output import frames, lines


def frame(kind: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", kind, len(data)) + data


def test_a_stream_is_taken_apart_by_its_headers():
    stream = io.BytesIO(frame(1, b"out\n") + frame(2, b"err\n") + frame(0, b"in\n") + frame(1, b""))
    assert list(frames(stream.read)) == [
        ("stdout", b"out\n"),
        ("stderr", b"err\n"),
        ("stdout", b"in\n"),
        ("stdout", b""),
    ]


@pytest.mark.parametrize("rest", [b"", b"\x01\x00", frame(1, b"cut off")[:5]])
def test_a_stream_that_is_cut_off_ends_with_its_last_whole_frame(rest):
    assert list(frames(io.BytesIO(frame(1, b"a\n") + rest).read)) == [("stdout", b"a\n")]


STAMP = b"2026-11-24T07:38:42.5Z "
TIME = 1795505922.5


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([("stdout", STAMP + b"a\n")], [LogLine("web", "a", "stdout", TIME)]),
        ([("stderr", STAMP + b"a\r\n")], [LogLine("web", "a", "stderr", TIME)]),
        ([("stdout", b"2026-11-24T08:38:42+01:00 a\n")], [LogLine("web", "a", "stdout", TIME - 0.5)]),
        ([("stdout", b"no time\n")], [LogLine("web", "no time", "stdout", None)]),
        ([("stdout", STAMP + b"\n")], [LogLine("web", "", "stdout", TIME)]),
        (
            [("stdout", STAMP + b"un"), ("stdout", STAMP + b"finished\n")],
            [LogLine("web", "unfinished", "stdout", TIME)],
        ),
        ([("stdout", STAMP + b"last")], [LogLine("web", "last", "stdout", TIME)]),
        ([("stdout", STAMP + b"\xff\n")], [LogLine("web", "\ufffd", "stdout", TIME)]),
        (
            [("stdout", STAMP + b"o"), ("stderr", STAMP + b"e\n"), ("stdout", STAMP + b"!\n")],
            [LogLine("web", "e", "stderr", TIME), LogLine("web", "o!", "stdout", TIME)],
        ),
    ],
)
def test_frames_become_lines_with_their_stream_and_time(parts, expected):
    assert list(lines(parts, "web")) == expected
