# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down about services: pid records, states, and the locks that keep two runs apart."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._build import build
from ._errors import BusyError, ConfigurationError, Problem, ProvisioningError
from ._model import ServiceState
from ._paths import FILE_MODE, WorkDir, make_directory, read_whole, write_atomically
from ._process import ProcessIdentity, command_name

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def valid_name(name: str) -> bool:
    """Whether a service may be called so: what DNS accepts as a label, so that every mode accepts it."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True)
class PidRecord:
    """A process we started, by what tells it from any other.

    :param group: its process group, which is also its session.
    :param digest: of what was asked for when it was started.
    :param exit_code: how it ended, once that is known.
    :param stopped: whether it ended because it was asked to.
    :param unit: the unit of systemd that runs it; empty where it is a process of ours.
    :param restarts: how often systemd had started it again by then.
    """

    identity: ProcessIdentity
    group: int
    digest: str
    replica: int = 1
    exit_code: int | None = None
    stopped: bool = False
    unit: str = ""
    restarts: int = 0


class PidStore:
    """The records of the processes of a service, one JSON file each.

    They are written without waiting for the disk: a crash of the machine ends the processes too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the services that have records."""
        return sorted(path.stem for path in self._folder.glob("*.json") if valid_name(path.stem))

    def read(self, service: str) -> list[PidRecord]:
        """Return the records of a service by replica; none when there are none or the file is damaged."""
        try:
            documents = json.loads(read_whole(self._path(service)))
            return [_record(document) for document in documents]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (ValueError, KeyError, TypeError, AttributeError):
            return []

    def write(self, service: str, records: list[PidRecord]) -> None:
        """Replace the records of a service.

        :raises OSError: the file cannot be written.
        """
        documents = [
            {
                **dataclasses.asdict(record.identity),
                "group": record.group,
                "digest": record.digest,
                "replica": record.replica,
                "exit_code": record.exit_code,
                "stopped": record.stopped,
                **({"unit": record.unit, "restarts": record.restarts} if record.unit else {}),
            }
            for record in records
        ]
        write_atomically(self._path(service), json.dumps(documents), durable=False)

    def remove(self, service: str) -> None:
        """Forget the processes of a service."""
        self._path(service).unlink(missing_ok=True)

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}.json"


def _record(document: dict[str, Any]) -> PidRecord:
    """Read one record; who signals what it says must be able to trust its types."""
    code = document.get("exit_code")
    unit, restarts = document.get("unit", ""), document.get("restarts", 0)
    numbers = [document["pid"], document["start_time"], document["group"], document["replica"], code or 0, restarts]
    texts = [document["boot_id"], document["digest"], unit]
    if not (all(type(number) is int for number in numbers) and all(isinstance(text, str) for text in texts)):
        raise TypeError
    if document["pid"] < 2 or document["group"] < 2:
        raise ValueError
    identity = ProcessIdentity(document["pid"], document["start_time"], document["boot_id"])
    stopped = bool(document.get("stopped"))
    group, digest, replica = document["group"], document["digest"], document["replica"]
    return PidRecord(identity, group, digest, replica, code, stopped, unit, restarts)


class StateStore:
    """The states of services, one JSON file each.

    A file that has not changed is read once: what changes it puts a new one in its place, so its stamp tells.
    """

    def __init__(self, work_dir: WorkDir) -> None:
        self._folder = work_dir.state
        self._read: dict[str, tuple[tuple[int, ...], ServiceState]] = {}

    def read(self, service: str) -> ServiceState | None:
        """Return the state of a service, or nothing if it has none.

        :raises ConfigurationError: the file is not one of ours.
        """
        path = self._path(service)
        try:
            found = os.stat(path)
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._read.get(service)
            if known is None or known[0] != stamp:
                known = self._read[service] = stamp, build(ServiceState, json.loads(read_whole(path)))
            return known[1]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, ProvisioningError, IsADirectoryError) as error:
            raise ConfigurationError(self.damage(service, error)) from error

    def damage(self, service: str, error: Exception) -> Problem:
        """Say that the state of a service cannot be used.

        :param error: what is wrong with it.
        """
        remedy = "Install again: provisioning-run sets it aside and takes over what runs."
        path = self._path(service)
        said = "it holds no JSON" if isinstance(error, ValueError) else " ".join(str(error).split())
        return Problem(service, f"{path} is damaged: {said}", remedy)

    def survey(self) -> tuple[dict[str, ServiceState], dict[str, Problem]]:
        """Return the states that can be used, and what is wrong with the others, both by name."""
        states: dict[str, ServiceState] = {}
        damaged: dict[str, Problem] = {}
        names = sorted(path.stem for path in self._folder.glob("*.json")) if self._folder.is_dir() else ()
        for name in names:
            try:
                state = self.read(name)
            except ConfigurationError as error:
                damaged[name] = error.problems[0]
            else:
                states |= {name: state} if state is not None else {}
        return states, damaged

    def read_all(self) -> dict[str, ServiceState]:
        """Return all states that can be used, by name."""
        return self.survey()[0]

    def set_aside(self, service: str) -> Path | None:
        """Give a damaged file another name, under which nobody reads it, and return that; nothing where it is gone.

        :raises OSError: it cannot be renamed.
        """
        path = self._path(service)
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
        number = 1
        while aside.exists():
            aside = aside.with_name(f"{aside.name.partition('~')[0]}~{number}")
            number += 1
        try:
            path.rename(aside)
        except FileNotFoundError:
            return None
        return aside

    def write(self, state: ServiceState) -> None:
        """Write the state of a service.

        :raises OSError: the file cannot be written.
        """
        write_atomically(self._path(state.name), json.dumps(vars(state)))

    def update(self, service: str, **changes: Any) -> None:
        """Change some fields of a state that exists; nothing happens where none does, or where it is damaged."""
        try:
            state = self.read(service)
        except ConfigurationError:  # nothing is written over it: somebody may still want to read it
            return
        if state is not None:
            self.write(dataclasses.replace(state, **changes))

    def remove(self, service: str) -> None:
        """Forget a service."""
        self._path(service).unlink(missing_ok=True)

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}.json"


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold an exclusive lock for as long as the block runs; the kernel frees it if the process dies.

    :param wait: wait for who holds it instead of refusing.
    :raises BusyError: another process holds it; the message has its pid.
    """
    descriptor = _lock(path, wait=wait)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, *, wait: bool) -> int:
    while True:
        make_directory(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                return descriptor
        except BlockingIOError:
            problem = _holder(descriptor, path)
            os.close(descriptor)
            raise BusyError(problem) from None
        except BaseException:
            os.close(descriptor)
            raise
        # Who held it has removed the file, e.g. with the work dir: what we hold would keep nobody out.
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(descriptor: int, path: Path) -> Problem:
    text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    command = command_name(int(text)) if text.isdigit() else ""
    # Between taking the lock and writing his pid, the holder's predecessor still stands there.
    holder = f"pid {text} ({command})" if command else "another process"
    return Problem(str(path), f"another run is in progress: {holder}", "Wait until it has ended, or stop it.")
