# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers mount from the host: made, and handed over to the user that the container runs as.

Containers run without the capability to override permissions, so their user must own what is theirs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .._errors import DriverError, Problem
from .._model import ServiceDefinition
from .._paths import WorkDir, make_directory
from ._docker_engine import Engine
from ._docker_render import Volume, block, is_below


def check_mounts(
    service: ServiceDefinition, mounts: Sequence[Volume], work_dir: WorkDir, engine: Engine
) -> list[Problem]:
    """Return what a container could not mount or use; nothing where the engine is on another machine."""
    if not engine.is_local:
        return []
    problems = [
        Problem(
            service.name,
            f"{mount.source}, which is to be mounted, does not exist",
            f"Create it, or correct docker.volumes of {service.name}.",
        )
        for mount in _binds(mounts)
        if not is_below(Path(mount.source), work_dir.root) and not Path(mount.source).exists()
    ]
    if any(_is_own(Path(mount.source), service.name, work_dir) for mount in _binds(mounts)):
        problems += _check_user(service, engine)
    return problems


def prepare_mounts(service: ServiceDefinition, mounts: Sequence[Volume], work_dir: WorkDir, engine: Engine) -> None:
    """Make the folders of the work dir that a container mounts, for its user alone.

    :raises DriverError: a mounted path does not exist and is not ours to make.
    :raises OSError: a folder cannot be made or handed over.
    """
    if not engine.is_local:
        return
    user = numeric_user(block(service).user)
    for mount in _binds(mounts):
        source = Path(mount.source)
        if is_below(source, work_dir.data) or source == work_dir.service_config(service.name):
            make_directory(source)
        elif not source.exists():  # Podman would make a folder of it, and the container would find that empty
            why = f"{source}, which is to be mounted, does not exist"
            raise DriverError(Problem(service.name, why, f"Create it, or correct docker.volumes of {service.name}."))
        if user is not None and os.geteuid() == 0 and _is_own(source, service.name, work_dir):
            _hand_over(source, user, everything=is_below(source, work_dir.config))


def numeric_user(user: str | None) -> tuple[int, int] | None:
    """Return uid and gid of ``uid`` or ``uid:gid``; the gid is -1, which changes nothing, where it is not said."""
    uid, _colon, gid = (user or "").partition(":")
    if not uid.isdigit() or (gid and not gid.isdigit()):
        return None
    return int(uid), int(gid) if gid else -1


def _check_user(service: ServiceDefinition, engine: Engine) -> list[Problem]:
    """Without root nothing can be handed over: then the container must run as who owns the work dir."""
    user = numeric_user(block(service).user)
    me = os.geteuid()
    if user is None or me == 0 or sys.platform == "darwin":  # on macOS the engine's file sharing maps every user
        return []
    here = 0 if engine.owner == me else me  # an engine without root maps its own user to the container's root
    if user[0] == here:
        return []
    return [
        Problem(
            service.name,
            f"its container runs as uid {user[0]}, which may not use the files of uid {me}",
            f'Install as root, or set docker.user of {service.name} to "{here}:{0 if here == 0 else os.getegid()}".',
        )
    ]


def _hand_over(path: Path, user: tuple[int, int], *, everything: bool) -> None:
    """Give a folder to a user; with what is in it where that was written by us, as configuration is."""
    uid, gid = user
    for item in _tree(path) if everything else [path]:
        status = item.lstat()
        if status.st_uid != uid or (gid != -1 and status.st_gid != gid):
            os.chown(item, uid, gid, follow_symlinks=False)


def _tree(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        yield from path.rglob("*")


def _binds(mounts: Sequence[Volume]) -> list[Volume]:
    return [mount for mount in mounts if mount.is_bind]


def _is_own(path: Path, name: str, work_dir: WorkDir) -> bool:
    return is_below(path, work_dir.service_data(name)) or is_below(path, work_dir.service_config(name))
