# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tools.errors``: writes docs/errors.md from the source and cures.yml."""

from __future__ import annotations

import sys

from tools.errors.page import faults, load, write
from tools.errors.source import ROOT, Source

PAGE = ROOT / "docs" / "errors.md"


def main() -> int:
    """Write the page, or say what is missing."""
    source, cures = Source(), load()
    messages = source.messages()
    missing = [*(f"{place}: the message cannot be read from the source" for place in source.unread())]
    missing += faults(messages, cures)
    if missing:
        print(*missing, sep="\n", file=sys.stderr)
        return 1
    PAGE.write_text(write(messages, cures), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(messages)} messages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
