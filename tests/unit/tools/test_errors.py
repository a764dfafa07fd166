# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error messages are found in the source, however they are put together, and told with what to do."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tools.errors.page import Cures, Topic, faults, write
from tools.errors.source import Message, Source

SAYS = [
    ("Problem(name, 'is gone', 'Bring it back.')", ("is gone", "Bring it back.")),
    ("Problem('work_dir', f'{path} is full')", ("work_dir: PATH is full", "")),
    ("why = f'port {port} is taken'; Problem(name, why)", ("port PORT is taken", "")),
    ("Problem(name, 'is old' if old else 'is new')", ("is old", "")),
    ("raise ValueError(f'{text!r} is no number')", ("TEXT is no number", "")),
    ("return False, f'{url} answered {status}'", ("URL answered STATUS", "")),
    ("Problem(name, WORDS[kind])", ("is damaged", "")),
    ("for why, remedy in TABLE: Problem(name, why, remedy)", ("has no lid", "Close it.")),
    ("Problem(name, *fault(name))", ("has a fault", "Mend it.")),
    ("helper(name, 'was helped', 'Thank it.')", ("was helped", "Thank it.")),
    ("Problem(name, ', '.join(f'{one} is missing' for one in them))", ("ONE is missing", "")),
]
AROUND = """
WORDS = {"a": "is damaged", "b": "is lost"}
TABLE = (("has no lid", "Close it."), ("has two", "Take one."))

def fault(name):
    return "has a fault", "Mend it."

def helper(name, why, remedy):
    return Problem(name, why, remedy)

def use(name):
    helper(name, "was used", "")

def say(name, port, path, old, text, url, status, kind, them):
"""


def read(folder: Path, code: str) -> Source:
    (folder / "plugins").mkdir()
    (folder / "python").mkdir()
    (folder / "plugins" / "module.py").write_text(code)
    return Source(folder)


@pytest.mark.parametrize(("code", "said"), SAYS, ids=[code for code, _ in SAYS])
def test_a_message_is_followed_to_where_its_words_are(code: str, said: tuple[str, str], tmp_path: Path) -> None:
    source = read(tmp_path, AROUND + textwrap.indent(code, "    "))
    assert said in {(message.text, message.remedy) for message in source.messages()}
    assert source.unread() == []


def test_of_several_assignments_the_one_that_is_in_force_counts(tmp_path: Path) -> None:
    code = """
    def say(name, is_bad):
        why = "is one"
        Problem(name, why, "Do one.")
        if is_bad:
            why = "is bad"
            return Problem(name, why, "Do better.")
        why = "is two"
        return Problem(name, why, "Do two.")
    """
    found = {(message.why, message.remedy) for message in read(tmp_path, textwrap.dedent(code)).messages()}
    assert found == {("is one", "Do one."), ("is bad", "Do better."), ("is two", "Do two.")}


def test_a_message_from_nowhere_is_named(tmp_path: Path) -> None:
    assert read(tmp_path, "def say(name, them):\n    Problem(name, them.pop().text())\n").unread() == [
        "plugins/module.py:2"
    ]


def test_what_another_one_said_is_passed_on(tmp_path: Path) -> None:
    code = "def say(name, error):\n    Problem(name, str(error))\n    Problem(name, error.why, error.remedy)\n"
    assert read(tmp_path, code).unread() == []


CURES = Cures((Topic("Doors", "See doors.", ("plugins/doors.py",)),), {"is shut": "Open it."})


def test_what_is_missing_is_said_with_where_to_add_it() -> None:
    told = faults([Message("plugins/windows.py", "", "is open", "")], CURES)
    assert told == [
        "plugins/windows.py is in no topic: add it to the files of one in tools/errors/cures.yml.",
        (
            "plugins/windows.py says 'is open' without a remedy: give its Problem one, or add a line to cures in "
            "tools/errors/cures.yml."
        ),
        "nothing says 'is shut' any more: take it out of cures in tools/errors/cures.yml.",
    ]


def test_a_row_has_the_message_the_remedy_and_what_people_added() -> None:
    messages = [
        Message("plugins/doors.py", "", "is shut", "Knock."),
        Message("plugins/doors.py", "", "is shut", "Ring."),
    ]
    assert faults(messages, CURES) == []
    assert "| `is shut` | Knock. Or: Ring. Open it. |" in write(messages, CURES)


def test_what_markdown_would_take_for_its_own_is_escaped() -> None:
    messages = [Message("plugins/doors.py", "", "a|b", "Write <NAME> or *`x|y`*.")]
    assert r"| `a\|b` | Write \<NAME\> or \*`x\|y`\*. |" in write(messages, CURES)
