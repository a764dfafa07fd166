# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One installation at a time: the claim that a run of ``ansible-playbook`` holds for as long as it lives.

No process of ours lives as long as the run does, so the claim is not a lock of the kernel but the identity of
Ansible's own process: it is void the moment that process is gone.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    PrerequisiteError,
    Problem,
    os_problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import write_atomically
from ansible_collections.provisioning.platform.plugins.module_utils._preflight import check_work_dir
from ansible_collections.provisioning.platform.plugins.module_utils._process import (
    ProcessIdentity,
    command_name,
    identify,
    is_alive,
)
from ansible_collections.provisioning.platform.plugins.module_utils._state import locked


def claim(path: Path, *, pid: int, installation: str) -> None:
    """Claim the installation for a process; a claim that it has already is kept.

    :param path: file of the claim.
    :param pid: the process that lives as long as the run.
    :param installation: id of the run, for whoever comes second.
    :raises BusyError: a living process has claimed it.
    :raises PrerequisiteError: the claim cannot be written.
    """
    try:
        _claim(path, pid=pid, installation=installation)
    except OSError as error:
        raise PrerequisiteError(obstacle(path.parent.parent, error)) from error


def refuse_if_claimed(path: Path, *, pid: int) -> None:
    """Do nothing unless another process than the one given has claimed the installation.

    :param path: file of the claim.
    :raises BusyError: it has, and lives.
    """
    holder = _holder(path)
    if holder is not None and holder[0].pid != pid and is_alive(holder[0]):
        identity, run = holder
        raise BusyError(
            Problem(
                str(path.parent.parent),
                f"an installation is in progress: {run}, pid {identity.pid} ({command_name(identity.pid)})",
                "Wait until it has ended, or stop it.",
            )
        )


def obstacle(work_dir: Path, error: OSError) -> Problem:
    """Say in words why nothing can be written in a work dir on this machine.

    :param error: what came of the attempt.
    """
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        for problem in check_work_dir(work_dir):
            return problem
    return os_problem(f"work_dir {work_dir}", error)


def _claim(path: Path, *, pid: int, installation: str) -> None:
    with locked(path.with_suffix(".lock"), wait=True):
        refuse_if_claimed(path, pid=pid)
        mine = identify(pid)
        if mine is not None:
            document = {**dataclasses.asdict(mine), "installation": installation}
            write_atomically(path, json.dumps(document), durable=False)


def _holder(path: Path) -> tuple[ProcessIdentity, str] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        identity = ProcessIdentity(document["pid"], document["start_time"], document["boot_id"])
        return identity, str(document["installation"])
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
