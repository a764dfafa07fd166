# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages for users name exists: commands and options, playbooks, modules, events, paths, links."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from ansible_collections.provisioning.platform.plugins.module_utils import _events
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping, from_variables
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import (
    NotificationPayload,
    PayloadEvent,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.scopes import Surroundings
from provisioning_platform.cli.app import app as operating
from provisioning_platform.exit_codes import ExitCode
from provisioning_platform.run_cli import app

from tests.fixtures.docs import PAGES, ROOT, anchors, blocks, first_cells, links, prose, quoted, tables

DOCS = ROOT / "docs"
WEBHOOKS = DOCS / "webhooks.md"
KINDS_OF_PLUGINS = ("modules", "action", "callback", "filter", "lookup")


# --- commands, playbooks, modules ------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    command: Any = typer.main.get_command(app)
    inner = {
        f"{name} {sub}": found
        for name, group in command.commands.items()
        for sub, found in getattr(group, "commands", {}).items()
    }
    return {"": command, **command.commands, **inner}


def options() -> set[str]:
    return {option for command in commands().values() for param in command.params for option in param.opts} | {
        "--help",
        "-h",
    }


def test_every_option_of_the_command_is_in_the_table_and_nothing_else_is() -> None:
    rows = tables(DOCS / "configuration.md")["options"]
    named = {word.split()[0] for row in rows for word in quoted(row[0])}
    assert named == options()


def test_every_subcommand_is_named() -> None:
    text = prose(DOCS / "configuration.md")
    assert all(f"`{name}`" in text for name in commands() if name)


def test_every_exit_code_is_in_the_table_but_that_of_a_roll_back_which_there_is_not_yet() -> None:
    rows = tables(DOCS / "configuration.md")["exit codes"]
    assert {int(row[0]) for row in rows} == {code.value for code in ExitCode} - {ExitCode.ROLLED_BACK}


def shell_lines() -> Iterator[tuple[str, str]]:
    """Yield where each command line is shown, and the line."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "console":
                yield from ((block.where, line[2:]) for line in block.text.splitlines() if line.startswith("$ "))
        yield from ((page.name, word) for word in quoted(prose(page)))


def test_a_command_that_is_shown_has_the_options_it_is_given() -> None:
    for where, line in shell_lines():
        for part in line.partition("#")[0].split("|"):
            words = part.split()
            if words and words[0] == "provisioning-run":
                used = {word for word in words[1:] if word.startswith("-")}
                assert used <= options(), f"{where}: {line}"


def test_what_is_shown_of_the_other_command_is_one_of_its_commands_with_options_that_there_are() -> None:
    root: Any = typer.main.get_command(operating)
    context = typer.Context(root)
    groups = {name: root.get_command(context, name) for name in root.list_commands(context)}
    known = {
        name: {sub: one.get_command(context, sub) for sub in one.list_commands(context)} for name, one in groups.items()
    }
    every = [root, *groups.values(), *(one for group in known.values() for one in group.values())]
    there_are = {option for one in every for param in one.params for option in param.opts} | {"--help", "-h"}
    for where, line in shell_lines():
        words = line.partition("#")[0].partition("|")[0].partition(" -- ")[0].split()
        if words[:1] == ["provisioning"]:
            assert {word.partition("=")[0] for word in words if word.startswith("-")} <= there_are, f"{where}: {line}"
            if len(words) > 2 and not words[1].startswith("-"):
                assert words[2] in known.get(words[1], ()), f"{where}: {line}"


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for where, line in shell_lines():
        match = re.match(r"make ([a-z0-9-]+)", line)
        assert match is None or match[1] in targets, f"{where}: {line}"


def test_the_table_of_playbooks_has_all_and_nothing_else() -> None:
    rows = tables(DOCS / "operations.md")["playbooks"]
    assert {quoted(row[0])[0] for row in rows} == {
        f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")
    }
    for row in rows:
        text = (ROOT / quoted(row[0])[0]).read_text()
        if "operate.yml" in text:
            text += (ROOT / "roles/platform/tasks/operate_round.yml").read_text()
        for variable in quoted(row[2]):
            assert re.search(rf"\b{variable}\b", text), f"{row[0]} knows no {variable}"


def test_the_table_of_modules_has_all_and_nothing_else() -> None:
    rows = tables(DOCS / "operations.md")["modules"]
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py")}
    assert {quoted(row[0])[0] for row in rows} == modules


def test_everything_with_the_name_of_the_collection_exists() -> None:
    places = [
        (ROOT / "playbooks", ".yml"),
        (ROOT / "roles", ""),
        *((ROOT / "plugins" / kind, ".py") for kind in KINDS_OF_PLUGINS),
    ]
    for page in PAGES:
        for name in re.findall(r"provisioning\.platform\.([a-z_]+)", page.read_text()):
            assert any((folder / f"{name}{suffix}").exists() for folder, suffix in places), f"{page}: {name}"


def test_every_path_of_the_repository_exists() -> None:
    for page in PAGES:
        text = page.read_text()
        for path in re.findall(r"(?<![\w/.-])@?((?:playbooks|examples|inventories)/[\w./-]*\w)", text):
            assert (ROOT / path).exists(), f"{page}: {path}"


# --- names -----------------------------------------------------------------------------------------------------------


def test_the_payload_is_told_field_by_field() -> None:
    fields = [field.name for field in dataclasses.fields(NotificationPayload)]
    assert first_cells(tables(WEBHOOKS)["keys: NotificationPayload"]) == fields
    example = next(json.loads(block.text) for block in blocks(WEBHOOKS) if block.kind == "payload")
    assert list(example) == fields
    assert first_cells(tables(WEBHOOKS)["names: events"]) == list(get_args(PayloadEvent))


def test_every_kind_of_event_is_named() -> None:
    kinds = {
        value for name, value in vars(_events).items() if name.isupper() and isinstance(value, str) and "." in value
    }
    assert kinds <= set(quoted(prose(DOCS / "operations.md")))
    statuses = {kind.removeprefix("service.") for kind in kinds if kind.startswith("service.")}
    assert set(first_cells(tables(WEBHOOKS)["names: statuses"])) == statuses


def test_what_a_placeholder_can_ask_of_the_installation_is_listed() -> None:
    known = Surroundings(from_mapping({}, env={}, base_dir=ROOT), "/srv", {}).deployment()
    assert set(first_cells(tables(DOCS / "services.md")["names: deployment"])) == set(known)


def test_a_message_that_is_explained_is_one_of_the_product() -> None:
    code = [path for folder in ("plugins", "python") for path in (ROOT / folder).rglob("*.py")]
    # What a message fills in stands on the pages as a name in capitals or a number.
    source = " ".join(re.sub(r"\{[^{}]*\}", "X", re.sub(r'"\s+f?"', "", path.read_text())) for path in code)
    for page in DOCS.glob("*.md"):
        _head, _heading, trouble = prose(page).partition("## When something is wrong")
        for row in re.findall(r"^\| `([^`]+)` \|", trouble, re.MULTILINE):
            words = re.sub(r"\b([A-Z]+|\d+)\b", "X", row).split()
            runs = [" ".join(words[place : place + 3]) for place in range(max(1, len(words) - 2))]
            assert any(run in source for run in runs), f"{page.name}: {row}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _hash, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


def test_the_readme_leads_to_every_page() -> None:
    assert {f"docs/{path.name}" for path in DOCS.glob("*.md")} <= set(links(ROOT / "README.md"))


def test_variables_of_ansible_are_taken_as_the_page_says() -> None:
    loaded = from_variables({"fail_fsat": True}, env={}, base_dir=ROOT)
    assert loaded.warnings[0] in " ".join(prose(DOCS / "configuration.md").split())
