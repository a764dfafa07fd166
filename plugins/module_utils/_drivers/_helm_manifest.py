# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as Helm writes them, in a form in which they may be shown. Pure."""

from __future__ import annotations

import hashlib
import re
import secrets

# Digests are compared within one process; from what it showed nobody can try out values.
_KEY = secrets.token_bytes(16)
_DOCUMENT = re.compile(r"^---[^\n]*$", re.MULTILINE)
_IS_SECRET = re.compile(r"^kind:\s*[\"']?Secret[\"']?\s*$", re.MULTILINE)
_BLOCK = re.compile(r"^(data|stringData):\s*$")
_ENTRY = re.compile(r"^(?P<indent>\s+)(?P<key>[^\s:#][^:]*):(?P<value>.*)$")


def masked_manifest(text: str) -> list[str]:
    """Return the lines of a manifest in which each value of a Secret is a digest: it can be seen to have changed."""
    lines: list[str] = []
    for document in _DOCUMENT.split(text):
        content = [line.rstrip() for line in document.splitlines() if line.strip()]
        if content:
            lines += ["---", *(_masked_secret(content) if _IS_SECRET.search(document) else content)]
    return lines


def _masked_secret(lines: list[str]) -> list[str]:
    shown: list[str] = []
    value: list[str] = []
    key, indent, inside = "", "", False

    def close() -> None:
        if key:
            digest = hashlib.blake2b("\n".join(value).encode(), key=_KEY, digest_size=4).hexdigest()
            shown.append(f"{indent}{key}: *** ({digest})")

    for line in lines:
        if not line.startswith((" ", "\t")):
            close()
            key = ""
            # What stands on the line itself, {} or {a: b}, is not taken apart.
            inside = bool(_BLOCK.match(line))
            in_line = re.match(r"^(data|stringData):\s*\S", line)
            shown.append(f"{line.partition(':')[0]}: ***" if in_line else line)
            continue
        entry = _ENTRY.match(line) if inside else None
        if entry and (not key or len(entry["indent"]) <= len(indent)):
            close()
            key, indent, value = entry["key"], entry["indent"], [entry["value"]]
        elif inside:
            value.append(line)
        else:
            shown.append(line)
    close()
    return shown
