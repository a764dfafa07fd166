# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands print."""

from __future__ import annotations

import io
import json

import pytest
import yaml
from provisioning_platform.cli.output import Form, Printer


class Terminal(io.StringIO):
    def isatty(self):
        return True


def printed(form=Form.TABLE, *, stream=None, **environ):
    stream = stream or io.StringIO()
    printer = Printer(form, stream=stream, environ={"TERM": "xterm", **environ})
    rows = [("gitea", "running"), ("postgres", "failed"), ("x", "")]
    document = [{"name": name, "status": status} for name, status in rows]
    printer.show(document, lambda: printer.table(("SERVICE", "STATUS"), rows))
    return stream.getvalue()


def test_people_get_a_table_and_programs_a_document():
    assert printed() == "SERVICE   STATUS\ngitea     running\npostgres  failed\nx         -\n"
    document = [
        {"name": "gitea", "status": "running"},
        {"name": "postgres", "status": "failed"},
        {"name": "x", "status": ""},
    ]
    assert json.loads(printed(Form.JSON)) == document
    assert yaml.safe_load(printed(Form.YAML)) == document


def test_a_terminal_gets_states_in_colour():
    text = printed(stream=Terminal())
    assert "gitea     \033[32mrunning\033[0m\n" in text
    assert "\033[31mfailed\033[0m" in text


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_nothing_is_coloured_where_that_is_not_wanted(environ):
    assert "\033" not in printed(stream=Terminal(), **environ)


def test_programs_never_get_colour():
    json.loads(printed(Form.JSON, stream=Terminal()))


def test_a_narrow_terminal_gets_lines_that_fit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    printer = Printer(stream=Terminal(), environ={"TERM": "xterm", "NO_COLOR": "1"})
    found = printer.table(("SERVICE", "STATUS", "ADDRESS"), [("gitea", "running", "http://127.0.0.1:3000/a/long/path")])
    assert max(map(len, found)) <= 40


def test_one_of_many_documents_is_a_line_or_has_a_separator():
    assert Printer(Form.JSON).encoded({"a": "é"}, compact=True) == ['{"a": "é"}']
    assert Printer(Form.YAML).encoded({"a": 1}, compact=True) == ["---", "a: 1"]


def test_a_reader_who_has_had_enough_is_no_error(tmp_path):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def fileno(self):
            return (tmp_path / "closed").open("w").fileno()

    printer = Printer(stream=Closed(), environ={})
    printer.line("x")
    assert not printer.is_open
