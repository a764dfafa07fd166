# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command's help: of every command, whoever added it."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator

import pytest
import typer
from provisioning_platform.cli.app import PLATFORM, SERVICES, app
from typer.main import get_command

ROOT = get_command(app)
#: Words of an example that begin another command, or say where its output goes.
_SHELL = {">", "|", ";", "&&"}


def commands() -> Iterator[tuple[str, object]]:
    context = typer.Context(ROOT, info_name="provisioning")
    for group_name in ROOT.list_commands(context):
        group = ROOT.get_command(context, group_name)
        if not hasattr(group, "list_commands"):
            yield group_name, group
            continue
        yield group_name, group
        for name in group.list_commands(context):
            yield f"{group_name} {name}", group.get_command(context, name)


ALL = dict(commands())


def help_of(command) -> str:
    return str(command.get_help(typer.Context(command, info_name="provisioning")))


def examples_of(command) -> list[list[str]]:
    found = []
    for line in (command.epilog or "").splitlines():
        if line.strip().startswith("provisioning "):
            words = shlex.split(line.strip(), comments=True)
            end = next((index for index, word in enumerate(words) if word in _SHELL), len(words))
            found.append(words[1:end])
    return found


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_with_an_example(name):
    command = ALL[name]
    assert command.help.strip(), name
    assert command.get_short_help_str(200).strip(), name
    assert re.search(r"Examples?:", help_of(command)), name
    assert examples_of(command), name


@pytest.mark.parametrize("words", [words for command in [ROOT, *ALL.values()] for words in examples_of(command)])
def test_every_example_is_a_command_with_options_that_there_are(words):
    command, context = ROOT, ROOT.make_context("provisioning", list(words), resilient_parsing=False)
    rest = list(words)
    while hasattr(command, "list_commands"):
        with context:
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert command is not None, words
            context = command.make_context(name, rest, parent=context)


def test_every_option_says_what_it_is():
    for name, command in ALL.items():
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


def test_all_that_prints_data_prints_it_for_programs_too():
    for name, command in ALL.items():
        if " " in name:
            options = {option for parameter in command.params for option in parameter.opts}
            assert {"--json", "--output", "--config", "--work-dir"} <= options, name


def test_all_commands_are_where_the_table_says():
    for group, homes in {"platform": PLATFORM, "services": SERVICES}.items():
        for name in homes:
            assert ALL[f"{group} {name}"].name == name


def test_help_of_a_group_fits_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["provisioning", "--help"])
    with pytest.raises(SystemExit):
        ROOT(["--help"], prog_name="provisioning")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_help_fits_a_narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = help_of(ALL["services stop"])
    assert "list[str]" not in text
    examples = text[text.index("Examples:") : text.index("JSON and YAML")]
    assert max(map(len, text.replace(examples, "").splitlines())) <= 40
