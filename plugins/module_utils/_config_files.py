# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files between the controller, which renders them, and the host, which writes them. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from ._model import ConfigFile

#: Stands in a rendered file for a number that rises whenever the rest changes, such as a DNS zone's serial.
SERIAL = "${serial}"

_SOA_SERIAL = re.compile(r"\bSOA\s+\S+\s+\S+\s+\(?(?:\s|;[^\n]*\n)*(\d+)", re.IGNORECASE)
_LARGEST = 2**32 - 1


def fill_serial(new: str, existing: str | None, now: float) -> str:
    """Return the text with its serial in place of ``${serial}``.

    The serial that is there is kept when nothing else changed, so that writing again changes nothing; else it is the
    time, or one more than it was should the clock have gone back (RFC 1912, section 2.2: it only ever rises).

    :param new: the text wanted.
    :param existing: the text that is there, if any.
    :param now: unix time in seconds.
    """
    if SERIAL not in new:
        return new
    if existing is not None and _pattern(new).fullmatch(existing):
        return existing
    serial = min(max(int(now), _serial_in(existing, new) + 1), _LARGEST)
    return new.replace(SERIAL, str(serial))


def file_digest(files: Iterable[ConfigFile]) -> str:
    """Return a digest of files as they are wanted: path, permissions and text, placeholders unfilled.

    So a new serial or the value of a secret does not change it. The order of the files does not either.
    """
    wanted = sorted([file.dest, file.mode, file.content or ""] for file in files)
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


def _pattern(text: str) -> re.Pattern[str]:
    """A pattern for the text with any serial in it, the same in every place."""
    first, *rest = (re.escape(part) for part in text.split(SERIAL))
    return re.compile(first + r"(?P<serial>\d+)" + "(?P=serial)".join(rest))


def _serial_in(existing: str | None, new: str) -> int:
    """The serial in a text of which something else has changed; 0 where there is none."""
    if existing is None:
        return 0
    lines = (re.escape(line).replace(re.escape(SERIAL), r"(\d+)", 1) for line in new.splitlines() if SERIAL in line)
    patterns = [re.compile(rf"^{line.replace(re.escape(SERIAL), '[0-9]+')}$", re.MULTILINE) for line in lines]
    found = [int(match[1]) for pattern in (*patterns, _SOA_SERIAL) for match in pattern.finditer(existing)]
    return max(found, default=0)
