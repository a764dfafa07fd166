# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics as a file for the textfile collector of node-exporter."""

from __future__ import annotations

from pathlib import Path

from ._errors import PrerequisiteError, Problem, os_problem
from ._paths import write_atomically

SETTING = "deployment.metrics.textfile"
#: node-exporter reads no other files; those being written are called otherwise.
SUFFIX = ".prom"
_READABLE_BY_ALL = 0o644  # node-exporter is another user


def write_textfile(path: Path, text: str) -> None:
    """Write metrics so that node-exporter sees the old ones or the new ones, and never a part.

    :param path: absolute, its name ends with ``.prom``; its folder is node-exporter's, and is not made here.
    :raises PrerequisiteError: there is no such folder, or it cannot be written.
    """
    if not path.parent.is_dir():
        remedy = f"Make it, start node-exporter with --collector.textfile.directory={path.parent}, or correct the path."
        raise PrerequisiteError(Problem(SETTING, f"there is no folder {path.parent}", remedy))
    try:
        write_atomically(path, text, mode=_READABLE_BY_ALL, durable=False)
    except OSError as error:
        problem = os_problem(SETTING, error)
        remedy = f"Let who supervises write to {path.parent}, or name another folder."
        raise PrerequisiteError(Problem(SETTING, problem.why, remedy)) from error


def installation_file(path: Path) -> Path:
    """Return the file of who installs, which lies beside that of the supervisor."""
    return path.with_name(f"{path.name.removesuffix(SUFFIX)}-installation{SUFFIX}")


def remove_textfile(path: Path) -> None:
    """Take the file away, so that node-exporter tells nothing of what is gone; nothing where there is none.

    :raises PrerequisiteError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise PrerequisiteError(os_problem(SETTING, error)) from error
