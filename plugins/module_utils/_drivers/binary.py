# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``binary``: plain processes on the host, each in a session of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import grp
import os
import pwd
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .. import _cgroups, _download, _events, _logs, _process
from .._errors import DriverError, Problem
from .._model import BinaryDeployment, ServiceDefinition
from .._paths import FILE_MODE, make_directory
from .._state import PidRecord, PidStore
from . import _launch
from ._base import ABSENT, Context, Driver, LogLine, Observation

_KILL_SECONDS = 5.0


class BinaryDriver(Driver):
    """Starts processes that outlive us, and knows them by pid, start time and boot."""

    mode = "binary"
    parallelism = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._records = PidStore(context.work_dir.pids)
        # Only a parent learns how its child ended.
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from running here."""
        binary = _block(service)
        problems = []
        if binary.download is None and self._executable(binary) is None:
            problems.append(_missing(service, binary))
        if binary.user is not None:
            problems += _check_user(service, binary.user)
        if binary.group is not None and not _known_group(binary.group):
            problems.append(Problem(service.name, f"there is no group {binary.group}", "Create it or name another."))
        if binary.working_dir is not None and not Path(binary.working_dir).is_dir():
            problems.append(
                Problem(service.name, f"the working directory {binary.working_dir} does not exist", "Create it.")
            )
        return problems

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, asked from the kernel."""
        return {service.name: self._observe(service) for service in services}

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be started."""
        binary = _block(service)
        env = {name: _launch.text_of(value) for name, value in {**self.context.env, **binary.env}.items()}
        document: dict[str, Any] = {
            "command": binary.command,
            "args": list(binary.args),
            "env": env,
            "working_dir": self._working_dir(service),
            "replicas": binary.replicas,
            "secrets": self.context.secrets.versions([env, binary.args]),
        }
        optional = {
            "user": binary.user,
            "group": binary.group,
            "download": binary.download and binary.download.sha256,
            "config": self.context.files.get(service.name),
            "cpu": service.resources.cpu,
            "memory": service.resources.memory,
            "open_files": service.resources.open_files,
        }
        return document | {key: value for key, value in optional.items() if value is not None}

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Start the processes that are missing; those of another digest are stopped first.

        :raises DriverError: the executable cannot be had or run.
        """
        if observation.exists and observation.digest != digest:
            self.stop(service, observation)
        binary = _block(service)
        records = self._records.read(service.name)
        alive = [record for record in records if _process.is_alive(record.identity)]
        for record in records:
            if record not in alive:
                self._kill_group(record)
        if binary.download is not None:
            _download.fetch(binary.download, self.context.work_dir.bin, service=service.name)
        missing = sorted(set(range(1, binary.replicas + 1)) - {record.replica for record in alive})
        records = alive + [self._launch(service, binary, digest, replica) for replica in missing]
        self._records.write(service.name, records)
        self._limit(service, [record.identity.pid for record in records])
        return self._describe(records, binary.replicas)

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:  # noqa: ARG002 - the records tell
        """Ask the processes to stop, then kill what remains of their groups.

        :raises DriverError: a process belongs to somebody else, or survives being killed.
        """
        records = self._records.read(service.name)
        living = [record for record in records if _process.is_alive(record.identity)]
        number = signal.Signals[service.startup.stop_signal]
        try:
            for record in living:
                self._signal_group(record, number)
            deadline = time.monotonic() + service.startup.stop_timeout
            for record in living:
                _process.wait_until_gone(record.identity, max(0.0, deadline - time.monotonic()))
            for record in records:
                self._kill_group(record)
        except PermissionError as error:
            raise DriverError(
                Problem(service.name, "its process belongs to another user", "Run as that user or as root.")
            ) from error
        for record in living:
            if not _process.wait_until_gone(record.identity, _KILL_SECONDS):
                raise DriverError(
                    Problem(service.name, f"pid {record.identity.pid} survives being killed", "See what it waits for.")
                )
            self._reap(record.identity.pid)
        self._records.remove(service.name)
        _cgroups.release(self._cgroup(service))

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Stop the processes and take away their records and logs.

        :raises DriverError: they cannot be stopped.
        """
        self.stop(service, observation)
        for replica in range(1, _block(service).replicas + 1):
            _logs.remove_logs(self._log(service.name, replica))

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield the output of the first replica, oldest first."""
        path = self._log(service.name, 1)
        for text in _logs.tail_lines(path, tail):
            yield LogLine(service.name, text)
        if follow:
            for text in _logs.follow_lines(path):
                yield LogLine(service.name, text)

    def _observe(self, service: ServiceDefinition) -> Observation:
        records = self._records.read(service.name)
        if not records:
            return ABSENT
        known = [dataclasses.replace(record, exit_code=self._exit_code(record)) for record in records]
        if known != records:  # only its parent learns how a process ended, so it writes that down for all others
            self._records.write(service.name, known)
        return self._describe(known, _block(service).replicas)

    def _describe(self, records: list[PidRecord], replicas: int) -> Observation:
        living = [record for record in records if _process.is_alive(record.identity)]
        digests = {record.digest for record in records}
        digest = digests.pop() if len(digests) == 1 else None
        pids = tuple(str(record.identity.pid) for record in living)
        if len(living) >= replicas:
            since = min(_process.started_at(record.identity) for record in living)
            return Observation("running", digest, pids[0], since, instances=pids)
        if living:
            return Observation("failed", digest, pids[0], instances=pids, detail=f"{len(living)} of {replicas} run")
        codes = [self._exit_code(record) for record in records]
        code = codes[0] if codes else None
        return Observation("stopped" if code == 0 else "failed", digest, exit_code=code, detail=_ending(records, code))

    def _exit_code(self, record: PidRecord) -> int | None:
        if record.exit_code is not None:
            return record.exit_code
        with self._lock:
            child = self._children.get(record.identity.pid)
            return child.poll() if child is not None else None

    def _launch(self, service: ServiceDefinition, binary: BinaryDeployment, digest: str, replica: int) -> PidRecord:
        executable = self._executable(binary)
        if executable is None:
            raise DriverError(_missing(service, binary))
        secrets = self.context.secrets
        settings = {**self.context.env, **binary.env}
        if binary.replicas > 1:
            settings["REPLICA"] = replica
        working_dir = Path(self._working_dir(service))
        if binary.working_dir is None and make_directory(working_dir) and binary.user is not None:
            account = pwd.getpwnam(binary.user)
            os.chown(working_dir, account.pw_uid, account.pw_gid)
        log = self._open_log(service.name, replica)
        try:
            child = subprocess.Popen(
                [executable, *secrets.fill(binary.args)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=working_dir,
                env=_launch.environment(secrets.fill(settings), path=self._path(), user=binary.user),
                user=binary.user,
                group=binary.group or (pwd.getpwnam(binary.user).pw_gid if binary.user else None),
                extra_groups=[] if binary.user and os.geteuid() == 0 else None,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DriverError(
                Problem(service.name, f"{executable} cannot be run: {reason}", "Check the file and its permissions.")
            ) from error
        finally:
            os.close(log)
        with self._lock:
            self._children[child.pid] = child
        return self._record(child, digest, replica)

    def _record(self, child: subprocess.Popen[bytes], digest: str, replica: int) -> PidRecord:
        identity = _process.identify(child.pid)
        if identity is None:  # it has ended already; as an unreaped child its number is still its own
            identity = _process.ProcessIdentity(child.pid, -1, _process.boot_id())
        return PidRecord(identity, child.pid, digest, replica)

    def _signal_group(self, record: PidRecord, number: signal.Signals) -> None:
        if _process.is_alive(record.identity):
            # The group's number cannot pass to others while its leader lives.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(record.group, number)

    def _kill_group(self, record: PidRecord) -> None:
        """Kill what is left of a process' group, unless the group has become somebody else's.

        The number of a group is not given to a new process while a member lives. So the members are ours when the
        process of that number is our leader, or when there is none.
        """
        leader = _process.identify(record.group)
        if record.identity.boot_id == _process.boot_id() and leader in (None, record.identity):
            for member in _process.group_members(record.group):
                _process.send_signal(member, signal.SIGKILL)

    def _limit(self, service: ServiceDefinition, pids: list[int]) -> None:
        limits = service.resources
        if limits.open_files is not None:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
        if limits.cpu is not None or limits.memory is not None:
            trouble = _cgroups.limit(self._cgroup(service), pids, limits)
            if trouble:
                self.context.notify(_events.SERVICE_WARNING, service=service.name, reason=trouble)

    def _reap(self, pid: int) -> None:
        with self._lock:
            child = self._children.pop(pid, None)
        if child is not None:
            child.wait()

    def _open_log(self, name: str, replica: int) -> int:
        path = self._log(name, replica)
        make_directory(path.parent)
        _logs.rotate(path)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)

    def _log(self, name: str, replica: int) -> Path:
        return self.context.work_dir.logs / (f"{name}.log" if replica == 1 else f"{name}.{replica}.log")

    def _path(self) -> str:
        return _launch.search_path(self.context.work_dir.bin)

    def _executable(self, binary: BinaryDeployment) -> str | None:
        if binary.download is not None:
            target = _download.destination(binary.download, self.context.work_dir.bin)
            if binary.command in (target.name, str(target)):
                return _launch.find_executable(str(target), "")
        return _launch.find_executable(binary.command, self._path())

    def _working_dir(self, service: ServiceDefinition) -> str:
        return _block(service).working_dir or str(self.context.work_dir.service_data(service.name))

    def _cgroup(self, service: ServiceDefinition) -> str:
        return f"{self.context.project}-{service.name}"


def _block(service: ServiceDefinition) -> BinaryDeployment:
    binary = service.deployment.binary
    if binary is None:
        raise DriverError(
            Problem(service.name, "has no binary block", f"Add deployment.binary to {service.name}, or choose a mode.")
        )
    return binary


def _missing(service: ServiceDefinition, binary: BinaryDeployment) -> Problem:
    return Problem(
        service.name,
        f"the command {binary.command} is not there or not executable",
        "Install it, or set deployment.binary.command to its path.",
    )


def _check_user(service: ServiceDefinition, user: str) -> list[Problem]:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return [Problem(service.name, f"there is no user {user}", "Create it, or name another in binary.user.")]
    if os.geteuid() not in (0, account.pw_uid):
        return [Problem(service.name, f"only root may start it as {user}", "Run as root, or drop binary.user.")]
    return []


def _known_group(group: str) -> bool:
    with contextlib.suppress(KeyError):
        grp.getgrnam(group)
        return True
    return False


def _ending(records: list[PidRecord], code: int | None) -> str:
    pid = records[0].identity.pid if records else 0
    if code is None:
        return f"pid {pid} is gone"
    if code < 0:
        return f"pid {pid} was killed by {signal.Signals(-code).name}"
    return f"pid {pid} exited with code {code}"
