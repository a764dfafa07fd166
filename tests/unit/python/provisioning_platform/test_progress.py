# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run is shown."""

from __future__ import annotations

import io
import json
import os

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from provisioning_platform.progress import JsonLines, Live, Output, PlainLines, Silent, choose
from provisioning_platform.run_state import RunView


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("options", "stream", "environ", "kind"),
    [
        ({"as_json": True, "quiet": False}, Terminal(), {"TERM": "xterm"}, JsonLines),
        ({"as_json": True, "quiet": True}, io.StringIO(), {}, JsonLines),
        ({"as_json": False, "quiet": True}, Terminal(), {"TERM": "xterm"}, Silent),
        ({"as_json": False, "quiet": False}, Terminal(), {"TERM": "xterm"}, Live),
        ({"as_json": False, "quiet": False}, Terminal(), {"TERM": "dumb"}, PlainLines),
        ({"as_json": False, "quiet": False}, Terminal(), {}, PlainLines),
        ({"as_json": False, "quiet": False}, io.StringIO(), {"TERM": "xterm"}, PlainLines),
    ],
)
def test_the_way_to_show_fits_the_options_and_the_output(options, stream, environ, kind):
    assert type(choose(**options, output=Output(stream), stream=stream, environ=environ)) is kind


def test_json_lines_are_the_events():
    stream = io.StringIO()
    event = Event("service.started", 1.0, 7, service="ä", data={"reason": "not there"})
    JsonLines(Output(stream)).event(event, RunView())
    assert json.loads(stream.getvalue()) == event.to_dict()


def test_what_was_said_of_a_service_is_not_said_again():
    stream = io.StringIO()
    progress = PlainLines(Output(stream))
    for kind in ("service.started", "service.healthy", "service.healthy"):
        progress.event(Event(kind, 1.0, 1, service="a"), RunView())
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["started", "healthy"]


def test_once_the_reader_has_gone_lines_are_dropped():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        output = Output(stream)
        output.line("one")
        output.line("two")


def test_an_output_that_is_full_is_told_once_and_the_run_goes_on(capsys):
    with open("/dev/full", "w", encoding="utf-8") as stream:
        output = Output(stream)
        for text in ("one", "two", "three"):
            output.line(text)
    assert not output.is_open
    assert capsys.readouterr().err == (
        "warning: standard output: cannot be written: No space left on device. The rest of it is left out.\n"
    )


def test_what_the_output_cannot_encode_is_replaced():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Output(stream).line("größe")
    stream.seek(0)
    assert stream.read() == "gr??e\n"
