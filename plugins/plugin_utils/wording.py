# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that messages about configuration share: suggestions, kinds of values, values shown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Any

#: Names that hold what must not be shown, here and in warnings about files that others can read.
SECRET_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|(api|private|access|routing)[_-]?key|authorization|credential", re.IGNORECASE
)

# What other tools, and the document this product grew from, call our settings.
_OTHER_NAMES = {
    "arguments": "args",
    "binary_path": "command",
    "dependencies": "depends_on",
    "endpoint": "url",
    "environment": "env",
    "executable": "command",
    "health_check": "health",
    "healthcheck": "health",
    "profile": "mode",
    "repository": "registry",
    "start_timeout": "timeout",
    "webhook": "webhook_url",
    "working_directory": "working_dir",
}


def suggestion(word: str, known: Collection[str]) -> str:
    """Return a sentence that names what was probably meant, or nothing."""
    meant = _OTHER_NAMES.get(word)
    if meant not in known:
        meant = nearest(word, known)
    return f"Did you mean {meant}?" if meant else ""


def nearest(word: str, known: Collection[str], *, likeness: float = 0.6) -> str | None:
    """Return the known word that is most like this one, in any letter case.

    :param likeness: how alike they must be at least, from 0 to 1.
    """
    folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=likeness)
    return folded[found[0]] if found else None


def suggest_or_list(word: str, known: Collection[str]) -> str:
    """Return the suggestion if there is one, else what is known, as a sentence."""
    return suggestion(word, known) or (f"Known: {', '.join(sorted(known))}." if known else "")


def kind_of(value: Any) -> str:
    """Return in words what kind of value it is, as a writer of TOML or YAML sees it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    kinds: tuple[tuple[type, str], ...] = (
        (str, "a text"),
        (int, "a whole number"),
        (float, "a number"),
        (dict, "a mapping"),
        (list, "a list"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), type(value).__name__)


def shown(value: Any, path: str) -> str:
    """Return a value for a message: short, and only its kind where it may be a secret."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        if SECRET_NAME.search(path):
            return kind_of(value)
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return kind_of(value)


def join(path: str, key: object) -> str:
    """Return the path of a member: ``gitea.health.url``, ``deployment.services[2]``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)
