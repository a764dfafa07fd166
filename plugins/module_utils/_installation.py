# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of an installation as a whole: begun, completed, removed."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import _supervised
from ._build import to_dict
from ._drivers import _podman_service
from ._errors import PrerequisiteError, Problem
from ._ledger import Ledger, read_generation, write_generation
from ._model import ServiceDefinition
from ._paths import WorkDir, make_directory
from ._settings import Settings


def folders(layout: WorkDir) -> list[Path]:
    """Return the folders of a work dir, outer ones first."""
    services = layout.pids.parent
    return [
        layout.root,
        layout.config,
        layout.secrets,
        layout.data,
        layout.bin,
        services,
        layout.pids,
        layout.state,
        layout.logs,
        layout.locks,
        layout.installations,
    ]


def begin(layout: WorkDir, installation: str, *, dry: bool = False) -> bool:
    """Make the work dir, for its owner alone, and begin to note what the run makes; return whether it made anything.

    :param installation: id of the run, or nothing to note nothing.
    :param dry: only tell.
    :raises OSError: a folder cannot be made.
    """
    missing = [folder for folder in folders(layout) if not folder.is_dir()]
    if not dry:
        if installation:
            Ledger(layout, installation).clear()
        for folder in missing:
            make_directory(folder)
        if installation and missing:
            Ledger(layout, installation).add(paths=missing)
    return bool(missing)


def complete(
    layout: WorkDir,
    services: Sequence[ServiceDefinition],
    settings: Settings,
    installation: str,
    *,
    dry: bool = False,
) -> bool:
    """Record what is installed as the current generation; return whether that is news.

    :param services: definitions with secrets as placeholders.
    :raises OSError: it cannot be written.
    """
    document = {
        "settings": dataclasses.asdict(settings),
        "services": [to_dict(service, sparse=True) for service in services],
    }
    if dry:
        return read_generation(layout) != document
    return write_generation(layout, installation, document)


def remove(layout: WorkDir, *, purge: bool = False, dry: bool = False) -> list[str]:
    """Remove the files of an installation whose services are gone; return what was removed.

    :param purge: remove data and secrets, too. Otherwise data stays, and the secrets of services that have any.
    :raises PrerequisiteError: the folder is none that we made.
    """
    if layout.root.is_dir() and not is_ours(layout):
        raise PrerequisiteError(
            Problem("work_dir", f"{layout.root} holds no installation; nothing was removed", "Correct work_dir.")
        )
    doomed = list(_doomed(layout, purge=purge))
    if not dry:
        _supervised.stop(layout)  # in case it is removed without the playbook
        _podman_service.stop(layout)  # in case no service in a container was left to end it with
        for path in doomed:
            _remove(path)
        for folder in (layout.data, layout.secrets, layout.root):
            with contextlib.suppress(OSError):
                folder.rmdir()
    return [str(path) for path in doomed]


def is_ours(layout: WorkDir) -> bool:
    """Whether a folder is a work dir: it has our records, or it is what an uninstallation leaves of one."""
    if layout.state.is_dir() or layout.installations.is_dir() or layout.locks.is_dir():
        return True
    entries = list(layout.root.iterdir())
    leftovers = (layout.data, layout.secrets)
    return all(entry in leftovers and entry.stat().st_mode & 0o066 == 0 for entry in entries)


def left(layout: WorkDir) -> list[str]:
    """Return what there still is in a work dir."""
    return sorted(str(path) for path in layout.root.iterdir()) if layout.root.is_dir() else []


def _doomed(layout: WorkDir, *, purge: bool) -> Iterator[Path]:
    supervisor = _supervised.folder_of(layout)
    parts = [layout.config, layout.bin, layout.pids.parent, supervisor, layout.installations, layout.audit]
    yield from (path for path in parts if path.exists())
    if purge:
        yield from (path for path in (layout.data, layout.secrets) if path.exists())
        return
    for folder in sorted(layout.data.glob("*")):
        if folder.is_dir() and not any(folder.iterdir()):
            yield folder
    for secret in sorted(layout.secrets.glob("*.json")):
        data = layout.service_data(secret.stem)
        if not data.is_dir() or not any(data.iterdir()):
            yield secret


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
