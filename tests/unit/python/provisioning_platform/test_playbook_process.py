# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is handed to Ansible, and what is made of what it said."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import yaml
from provisioning_platform.playbook_process import Invocation, Outcome, PlaybookProcess, dump_variables
from provisioning_platform.playbook_run import what_ansible_said
from provisioning_platform.process_tree import children


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!unsafe", lambda loader, node: ("unsafe", node.value))


@pytest.mark.parametrize("text", ["{{ lookup('pipe', 'id') }}", "a {% if b %}", "{# c #}", "{{"])
def test_what_looks_like_a_template_is_marked_as_text(text):
    dumped = dump_variables({"a": {"b": [text]}, "c": "${TOKEN} ${secret.x}"})
    assert yaml.load(dumped, Loader) == {"a": {"b": [("unsafe", text)]}, "c": "${TOKEN} ${secret.x}"}


def test_variables_keep_their_types_and_are_written_out_where_they_repeat():
    shared = {"x": 1}
    variables = {"a": True, "b": None, "c": 1.5, "d": "yes", "e": "1", "f": shared, "g": shared, "h": "ä\n"}
    dumped = dump_variables(variables)
    assert yaml.safe_load(dumped) == variables
    assert "&" not in dumped


def test_the_private_folder_is_the_owners_alone_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process = PlaybookProcess(Invocation(tmp_path / "play.yml", {}))
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    process.close()
    assert list(tmp_path.iterdir()) == []


def test_the_children_of_a_process_are_found():
    code = "import subprocess; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert children(parent.pid) == [child]
        subprocess.run(["kill", str(child)], check=True)
        parent.wait()
        assert parent.returncode == 0
    assert children(parent.pid) == []
    assert signal.SIGTERM


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (
            ("", "\x1b[0;31m[ERROR]: the playbook is not there\x1b[0m", "see the manual"),
            ["[ERROR]: the playbook is not there"],
        ),
        (("ERROR! no such strategy",), ["ERROR! no such strategy"]),
        (
            ("Traceback (most recent call last):", '  File "x", line 1', "ImportError: no module"),
            ["ImportError: no module"],
        ),
        (
            ("Traceback (most recent call last):", '  File "x", line 1', "  x", "KilledBySomething"),
            ["KilledBySomething"],
        ),
        (("The command was not found or was not executable: ansible-playbook.",),) * 2,
        ((), []),
    ],
)
def test_of_what_ansible_said_only_the_error_is_shown(tail, said):
    lines = what_ansible_said(Outcome("failed", 4, tail)).splitlines()
    assert lines[0].startswith("Ansible ended with exit code 4 and no word of what it did")
    assert lines[1:] == list(said)
