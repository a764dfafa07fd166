# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the platform from Python and from the command line: ``run_unattended()`` and ``provisioning-run``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cancellation import Cancellation
    from .exit_codes import ExitCode
    from .unattended import RunResult, run_unattended

__version__ = "1.0.0"

__all__ = ["Cancellation", "ExitCode", "RunResult", "__version__", "run_unattended"]

_HOME = {
    "Cancellation": ".cancellation",
    "ExitCode": ".exit_codes",
    "RunResult": ".unattended",
    "run_unattended": ".unattended",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: what `--help` and the other commands of this package do not need costs them nothing.
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
