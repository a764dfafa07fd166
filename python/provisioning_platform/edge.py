# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge of both programs: every error that a command may end with becomes a message and an exit code."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError, os_problem

from .exit_codes import ExitCode, of_kind
from .streams import complain


def guarded(command: Callable[[], object]) -> int:
    """Call a command and turn the errors it may end with into messages and exit codes: the one place that does."""
    try:
        code = command()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except ProvisioningError as error:
        for problem in error.problems:
            complain(f"error: {problem}")
        return of_kind(error.kind)
    except KeyboardInterrupt:
        complain("Cancelled.")
        return ExitCode.CANCELLED
    except OSError as error:
        problem = os_problem("this run", error)
        if problem.remedy:
            complain(f"error: {problem}")
            return ExitCode.PREREQUISITES
        return _unexpected(error)
    except Exception as error:  # noqa: BLE001  the program's edge: no traceback reaches a user
        return _unexpected(error)
    return code if isinstance(code, int) else ExitCode.OK


def _unexpected(error: Exception) -> ExitCode:
    from .run_log import record_exception

    path = record_exception(error)
    where = f" Details are in {path}; please report it." if path else ""
    complain(f"error: unexpected: {type(error).__name__}: {' '.join(str(error).split())[:300]}.{where}")
    return ExitCode.FAILED
