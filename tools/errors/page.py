# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the page of all error messages: each with what to do, by topic."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools.errors.source import Message

CURES = Path(__file__).with_name("cures.yml")

_HEAD = """\
# Error messages

Every message that the platform prints, and its cure. A message begins with the thing that it is about: a service, a
setting or a file. Words in CAPITALS stand for what it fills in. The most frequent ones are explained at more length in
[service management](service-management.md#troubleshooting).

<!-- This page is written by `python -m tools.errors` from the source and tools/errors/cures.yml. -->
"""


@dataclass(frozen=True)
class Topic:
    """What messages have in common.

    :param about: what helps against most of them.
    :param files: patterns of the files that say them; the first topic that has a file takes it.
    """

    title: str
    about: str
    files: tuple[str, ...]

    def has(self, path: str) -> bool:
        """Tell whether a file belongs here."""
        return any(fnmatch.fnmatch(path, pattern) for pattern in self.files)


@dataclass(frozen=True)
class Cures:
    """What people wrote about messages.

    :param texts: what to do, by message; said after the remedy where the message has one.
    """

    topics: tuple[Topic, ...]
    texts: dict[str, str]


def load(path: Path = CURES) -> Cures:
    """Read what people wrote."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    topics = tuple(Topic(one["title"], one["about"], tuple(one["files"])) for one in document["topics"])
    return Cures(topics, document["cures"])


def faults(messages: list[Message], cures: Cures) -> list[str]:
    """Return what is missing before the page can be written, each in words that say what to add and where."""
    found = []
    for message in messages:
        if not any(topic.has(message.path) for topic in cures.topics):
            found.append(f"{message.path} is in no topic: add it to the files of one in tools/errors/cures.yml.")
        if not message.remedy and message.text not in cures.texts:
            found.append(
                f"{message.path} says {message.text!r} without a remedy: give its Problem one, "
                f"or add a line to cures in tools/errors/cures.yml."
            )
    said = {message.text for message in messages}
    found += [
        f"nothing says {text!r} any more: take it out of cures in tools/errors/cures.yml."
        for text in cures.texts
        if text not in said
    ]
    return list(dict.fromkeys(found))


def write(messages: list[Message], cures: Cures) -> str:
    """Return the page."""
    left = list(messages)
    sections = []
    for topic in cures.topics:
        mine = [message for message in left if topic.has(message.path)]
        left = [message for message in left if not topic.has(message.path)]
        if mine:
            sections.append(_section(topic, mine, cures))
    titles = [f"[{topic.title}](#{_anchor(topic.title)})" for topic in cures.topics]
    return "\n".join([_HEAD, f"{', '.join(titles)}.", "", *sections])


def _section(topic: Topic, messages: list[Message], cures: Cures) -> str:
    remedies: dict[str, dict[str, None]] = {}
    for message in sorted(messages, key=lambda one: one.text.lower()):
        remedies.setdefault(message.text, {}).setdefault(message.remedy)
    rows = [
        f"| {_code(text)} | {_text(' '.join([' Or: '.join(filter(None, said)), cures.texts.get(text, '')]).strip())} |"
        for text, said in remedies.items()
    ]
    return "\n".join(
        [f"## {topic.title}", "", topic.about.strip(), "", "| message | what to do |", "|---|---|", *rows, ""]
    )


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text.strip()}{fence}".replace("|", "\\|")


def _text(text: str) -> str:
    """Return a text so that nothing in it but code and links is taken for Markdown."""
    parts = re.split(r"(`[^`]*`)", text)
    escaped = [part if part.startswith("`") else re.sub(r"([<>*_|])", r"\\\1", part) for part in parts]
    return "".join(part.replace("|", "\\|") if part.startswith("`") else part for part in escaped)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
