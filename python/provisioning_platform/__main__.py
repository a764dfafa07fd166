# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m provisioning_platform`` is ``provisioning-run``."""

from __future__ import annotations

from .cancellation import end_with_a_word


def main() -> None:
    """Run the command and exit; a signal has it say that it was cancelled, even while it is still being loaded."""
    end_with_a_word()
    from . import run_cli

    run_cli.main()


if __name__ == "__main__":
    main()
