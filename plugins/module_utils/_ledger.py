# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installation has created, so that a failed one can take that away and nothing else."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._errors import ConfigurationError, Problem
from ._paths import WorkDir, write_atomically


@dataclass(frozen=True)
class Created:
    """What one installation has created so far.

    :param paths: files and folders that were not there before, oldest first.
    :param services: services of which nothing was there before.
    """

    paths: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class Ledger:
    """The list of what one installation created, kept in its folder.

    :param installation: its id.
    """

    def __init__(self, work_dir: WorkDir, installation: str) -> None:
        self._root = work_dir.root
        self._path = work_dir.installations / installation / "created.json"

    def read(self) -> Created:
        """Return what has been created; nothing where the installation has left no list.

        :raises ConfigurationError: the list is damaged.
        """
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            return Created(tuple(document["paths"]), tuple(document["services"]))
        except FileNotFoundError:
            return Created()
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(Problem(str(self._path), f"is damaged: {error}", "Remove it.")) from error

    def clear(self) -> None:
        """Begin anew: what an earlier run of the installation created is not this run's to take away."""
        self._path.unlink(missing_ok=True)

    def add(self, *, paths: Iterable[Path] = (), services: Iterable[str] = ()) -> None:
        """Add to the list; what is on it already is not added again.

        :param paths: what was made, or is about to be: where folders have to be made for it, the outermost is noted.
        :raises OSError: it cannot be written.
        """
        before = self.read()
        after = Created(
            tuple(dict.fromkeys([*before.paths, *(str(_outermost_missing(path)) for path in paths)])),
            tuple(dict.fromkeys([*before.services, *services])),
        )
        if after != before:
            document = {"paths": after.paths, "services": after.services}
            write_atomically(self._path, json.dumps(document, indent=2) + "\n")

    def remove_paths(self, *, keep: Iterable[Path] = ()) -> list[str]:
        """Remove the files and folders on the list, youngest first, and the list; return what was removed.

        A folder on the list goes with all that is in it, since that came later than the folder. Only what lies within
        the work dir is touched.

        :param keep: what stays, and the folders it is in.
        """
        kept = [path.resolve() for path in keep]
        removed = []
        for text in reversed(self.read().paths):
            path = Path(text)
            if path != self._root and self._root not in path.parents:
                continue
            if _remove(path, kept):
                removed.append(text)
        self._path.unlink(missing_ok=True)
        return removed


def _outermost_missing(path: Path) -> Path:
    while not path.parent.exists():
        path = path.parent
    return path


def _remove(path: Path, kept: list[Path]) -> bool:
    """Remove a path but for what is kept below it; return whether all of it is gone."""
    here = path.resolve()
    if here in kept or any(keeper in here.parents for keeper in kept):
        return False
    if path.is_symlink() or not path.is_dir():
        existed = path.exists()
        path.unlink(missing_ok=True)
        return existed
    if not any(here in keeper.parents for keeper in kept):
        shutil.rmtree(path)
        return True
    for child in list(path.iterdir()):
        _remove(child, kept)
    with contextlib.suppress(OSError):
        path.rmdir()
    return not path.exists()


def generation_path(work_dir: WorkDir, installation: str) -> Path:
    """Return where the record of a successful installation is."""
    return work_dir.installations / installation / "generation.json"


def write_generation(work_dir: WorkDir, installation: str, document: dict[str, Any]) -> bool:
    """Record a successful installation, unless the current one is the same; return whether it was written.

    :param document: definitions and settings, secrets as placeholders.
    :raises OSError: it cannot be written.
    """
    if read_generation(work_dir) == document:
        return False
    write_atomically(generation_path(work_dir, installation), json.dumps(document, indent=2, sort_keys=True) + "\n")
    write_atomically(work_dir.installations / "current", installation + "\n")
    return True


def current_installation(work_dir: WorkDir) -> str:
    """Return the id of the last successful installation; empty where there is none."""
    try:
        return (work_dir.installations / "current").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def read_generation(work_dir: WorkDir) -> dict[str, Any] | None:
    """Return the record of the last successful installation, or nothing where there is none.

    :raises ConfigurationError: it is damaged.
    """
    try:
        current = (work_dir.installations / "current").read_text(encoding="utf-8").strip()
        document: dict[str, Any] = json.loads(generation_path(work_dir, current).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ConfigurationError(
            Problem(str(work_dir.installations), f"the record is damaged: {error}", "Run the installation again.")
        ) from error
    return document
