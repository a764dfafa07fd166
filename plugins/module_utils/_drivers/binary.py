# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``binary``: plain processes on the host, each in a session of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .. import _cgroups, _download, _events, _logs, _ports, _process
from .._errors import DriverError, Problem, raise_if_any
from .._log_settings import rotation_of
from .._model import BinaryDeployment, ServiceDefinition
from .._paths import FILE_MODE, make_directory
from .._replicas import for_replica
from .._state import PidRecord, PidStore
from . import _launch, _marks, _sessions
from ._base import ABSENT, Context, Driver, LogLine, Observation
from ._binary_words import argument_problems, early_end, ending, missing, signal_problems, stop_signal
from ._log_streams import dated, together
from ._marks import Search
from ._sessions import Session

_UMASK = 0o022  # as init systems have it, whatever the shell's or the pipeline's is


class BinaryDriver(Driver):
    """Starts processes that outlive us, and knows them by pid, start time and boot."""

    mode = "binary"
    parallelism = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._records = PidStore(context.work_dir.pids)
        self._root = os.path.realpath(context.work_dir.root)
        self._path = _launch.search_path(context.work_dir.bin)
        self._inherited = _launch.inherited()
        # Only a parent learns how its child ended.
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def check(self, service: ServiceDefinition) -> list[Problem]:
        """Return what keeps the service from running here."""
        binary = _block(service)
        problems = [*argument_problems(service, binary), *signal_problems(service)]
        if binary.download is None and self._executable(binary) is None:
            problems.append(missing(service, binary))
        problems += _launch.user_problems(service, binary, self.context.work_dir)
        if binary.working_dir is not None and not Path(binary.working_dir).is_dir():
            problems.append(
                Problem(service.name, f"the working directory {binary.working_dir} does not exist", "Create it.")
            )
        return problems

    def observe(self, services: Sequence[ServiceDefinition]) -> dict[str, Observation]:
        """Return what each service is, asked from the kernel."""
        search = self._search()
        return {service.name: self._observe(service, search) for service in services}

    def ended(self, service: ServiceDefinition) -> str | None:
        """Return how the process of a service has ended, if it has, and not because it was to stop."""
        records = self._records.read(service.name)
        if all(_process.is_alive(record.identity) or record.stopped for record in records):
            return None
        seen = self._observe(service, self._search())
        return None if seen.is_up else early_end(seen)

    def render(self, service: ServiceDefinition) -> dict[str, Any]:
        """Return what would be started; of several replicas the first, whose ports tell those of all."""
        binary = for_replica(service, _block(service), 1)
        env = {name: _launch.text_of(value) for name, value in {**self.context.env, **binary.env}.items()}
        document: dict[str, Any] = {
            "command": binary.command,
            "args": list(binary.args),
            "env": env,
            "working_dir": self._working_dir(service),
            "replicas": binary.replicas,
            "secrets": self.context.secrets.versions(env),
        }
        optional = {
            "user": binary.user,
            "group": binary.group,
            "download": binary.download and _download.content_of(binary.download),
            "config": self.context.files.get(service.name),
            "cpu": service.resources.cpu,
            "memory": service.resources.memory,
            "open_files": service.resources.open_files,
        }
        return document | {key: value for key, value in optional.items() if value is not None}

    def start(self, service: ServiceDefinition, observation: Observation, digest: str) -> Observation:
        """Start the processes that are missing; those of another digest are stopped first.

        :raises DriverError: the executable cannot be had or run, or somebody else has a port of the service.
        """
        if observation.exists and observation.digest != digest:
            self.stop(service, observation)
        binary = _block(service)
        records = self._records.read(service.name)
        alive = [record for record in records if _process.is_alive(record.identity)]
        self._clear(service, [record for record in records if record not in alive])
        if binary.download is not None:
            _download.fetch(binary.download, self.context.work_dir.bin, service=service.name)
        if not alive:
            raise_if_any(_ports.problems(service), DriverError)
        wanted = sorted(set(range(1, binary.replicas + 1)) - {record.replica for record in alive})
        records = self._launch_all(service, wanted, digest, alive)
        return self._describe(service, records, self._search())

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:  # noqa: ARG002 - the records tell
        """Ask the processes to stop, then kill what remains of their sessions.

        :raises DriverError: a process belongs to somebody else, or survives being killed.
        """
        records = self._records.read(service.name)
        self._end(service, records)
        ended = [dataclasses.replace(self._learn(record), stopped=True) for record in records]
        try:
            self._records.write(service.name, ended)
        except OSError:  # no space: that it is stopped is then all that is known
            self._records.remove(service.name)
        for record in records:
            _cgroups.release(self._cgroup(service, record.replica))

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Stop the processes and take away their records, their logs and what was downloaded for them.

        :raises DriverError: they cannot be stopped.
        """
        self.stop(service, observation)
        self._records.remove(service.name)
        _logs.remove_logs(self._log(service.name, 1))
        download = _block(service).download
        if download is not None:
            _download.remove(download, self.context.work_dir.bin)

    def logs(self, service: ServiceDefinition, *, follow: bool = False, tail: int | None = None) -> Iterator[LogLine]:
        """Yield the output of all replicas together, oldest first; following ends when the service does."""

        def lines(path: Path) -> Iterator[LogLine]:
            if follow:
                texts = _logs.follow_lines(path, tail=tail, ended=lambda: not self._is_up(service))
            else:
                texts = _logs.tail_lines(path, tail)
            return dated(LogLine(service.name, text) for text in texts)

        paths = [self._log(service.name, replica) for replica in range(1, _block(service).replicas + 1)]
        return together([partial(lines, path) for path in paths], follow=follow, tail=tail)

    # --- looking -----------------------------------------------------------------------------------------------------

    def _observe(self, service: ServiceDefinition, search: Search) -> Observation:
        records = self._records.read(service.name)
        if not records:
            records = search.lost(service.name, _launch.owners(_block(service)))
            if records:  # unless they are just being started, and have been written down since
                records = self._records.read(service.name) or self._write_down(service, records)
        return self._describe(service, records, search) if records else ABSENT

    def _describe(self, service: ServiceDefinition, records: list[PidRecord], search: Search) -> Observation:
        replicas = _block(service).replicas
        living = [record for record in records if _process.is_alive(record.identity)]
        known = [record if record in living else self._learn(record) for record in records]
        if known != records:  # only its parent learns how a process ended, so it tells all others
            self._write_down(service, known)
        digests = {record.digest for record in records}
        digest = digests.pop() if len(digests) == 1 else None
        pids = tuple(str(record.identity.pid) for record in living)
        if len(living) >= replicas:
            since = min(_process.started_at(record.identity) for record in living)
            return Observation("running", digest, pids[0], since, instances=pids)
        if living:
            return Observation("failed", digest, pids[0], instances=pids, detail=f"{len(living)} of {replicas} run")
        worst = next((record for record in known if record.exit_code != 0), known[0])
        code = worst.exit_code
        if all(record.stopped for record in records):
            return Observation("stopped", digest, exit_code=code, detail="was stopped")
        left = tuple(str(member.pid) for member in self._left(service, records, search))
        detail = ending(worst.identity.pid, code) + (f", and left {len(left)} processes behind" if left else "")
        return Observation("stopped" if code == 0 else "failed", digest, exit_code=code, detail=detail, instances=left)

    def _write_down(self, service: ServiceDefinition, records: list[PidRecord]) -> list[PidRecord]:
        """Keep what was learnt by looking, where there is space; return it."""
        with contextlib.suppress(OSError):
            self._records.write(service.name, records)
        return records

    def _is_up(self, service: ServiceDefinition) -> bool:
        return any(_process.is_alive(record.identity) for record in self._records.read(service.name))

    def _left(
        self, service: ServiceDefinition, records: Sequence[PidRecord], search: Search
    ) -> list[_process.ProcessIdentity]:
        """Return what processes that have ended by themselves have left behind, in their sessions and elsewhere."""
        left = [member for record in records for member in self._session(service, record).members()]
        replicas = {record.replica for record in records if record.identity.boot_id == _process.boot_id()}
        if replicas:  # one that puts itself into the background takes a session of its own
            found = search.of(service.name, _launch.owners(_block(service)))
            left += [known.identity for known in found if known.mark.replica in replicas and known.identity not in left]
        return left

    def _search(self) -> Search:
        return Search(self._root)

    def _learn(self, record: PidRecord) -> PidRecord:
        """Return the record with how its process ended, if that can be known."""
        if record.exit_code is not None:
            return record
        with self._lock:
            child = self._children.get(record.identity.pid)
            return record if child is None else dataclasses.replace(record, exit_code=child.poll())

    # --- starting ----------------------------------------------------------------------------------------------------

    def _launch_all(
        self, service: ServiceDefinition, replicas: Sequence[int], digest: str, alive: list[PidRecord]
    ) -> list[PidRecord]:
        """Launch processes and write all of them down, also when one cannot be launched; return all records."""
        records = list(alive)
        try:
            for replica in replicas:
                records.append(self._launch(service, digest, replica))  # noqa: PERF401 - those before one that fails stay
        finally:
            try:
                self._records.write(service.name, records)
            except OSError:  # nobody would know of them
                self._end(service, [record for record in records if record not in alive])
                raise
        for record in records:
            self._limit(service, record)
        return records

    def _launch(self, service: ServiceDefinition, digest: str, replica: int) -> PidRecord:
        binary = for_replica(service, _block(service), replica)
        executable = self._executable(binary)
        if executable is None:
            raise DriverError(missing(service, binary))
        account = _launch.account_of(binary.user, binary.group)
        settings = {**self.context.env, **binary.env}
        if binary.replicas > 1:
            settings["REPLICA"] = replica
        if binary.working_dir is None:
            _launch.hand_over(self.context.work_dir.service_data(service.name), account, self.context.work_dir)
        if binary.user is not None and binary.download is not None:
            _launch.open_way(Path(executable).parent, self.context.work_dir)
        env = _launch.environment(
            self.context.secrets.fill(settings), path=self._path, account=account, base=self._inherited
        )
        mark = _marks.Mark(self._root, service.name, replica, digest, _process.ticks_since_boot())
        log = self._open_log(service, replica)
        try:
            child = subprocess.Popen(
                [executable, *binary.args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._working_dir(service),
                env={**env, _marks.VARIABLE: mark.to_text()},
                user=account.uid if binary.user else None,
                group=account.gid if binary.user or binary.group else None,
                extra_groups=account.groups if binary.user and os.geteuid() == 0 else None,
                umask=_UMASK,
                start_new_session=True,
                preexec_fn=_launch.signal_reset(),  # noqa: PLW1509 - it calls the kernel and takes no lock
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            remedy = "Check the file, its permissions and its interpreter."
            raise DriverError(Problem(service.name, f"{executable} cannot be run: {reason}", remedy)) from error
        finally:
            os.close(log)
        with self._lock:
            self._children[child.pid] = child
        return _record(child.pid, digest, replica)

    def _limit(self, service: ServiceDefinition, record: PidRecord) -> None:
        limits = service.resources
        trouble = None
        if limits.open_files is not None:
            try:
                resource.prlimit(record.identity.pid, resource.RLIMIT_NOFILE, (limits.open_files, limits.open_files))
            except ProcessLookupError:
                return
            except (OSError, ValueError) as error:
                trouble = f"the limit of open files is not in force: {getattr(error, 'strerror', None) or error}"
        if limits.cpu is not None or limits.memory is not None:
            pids = [member.pid for member in _process.group_members(record.group)]
            trouble = _cgroups.limit(self._cgroup(service, record.replica), pids, limits) or trouble
        if trouble:
            self.context.notify(_events.SERVICE_WARNING, service=service.name, reason=trouble)

    def _open_log(self, service: ServiceDefinition, replica: int) -> int:
        path = self._log(service.name, replica)
        make_directory(path.parent)
        try:
            _logs.rotate(path, rotation_of(service.logs))
        except OSError as error:
            self.context.notify(
                _events.SERVICE_WARNING, service=service.name, reason=f"its log is not rotated: {error.strerror}"
            )
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)

    # --- stopping ----------------------------------------------------------------------------------------------------

    def _end(self, service: ServiceDefinition, records: Sequence[PidRecord]) -> None:
        active = [record for record in records if not record.stopped]
        sessions = [self._session(service, record) for record in active]
        ended = [record for record in active if not _process.is_alive(record.identity)]
        number, timeout = stop_signal(service), service.startup.stop_timeout
        self._make_sure(service, lambda: _sessions.stop(sessions, number, timeout))
        self._clear(service, ended)
        for record in records:
            self._reap(record.identity.pid)

    def _clear(self, service: ServiceDefinition, records: Sequence[PidRecord]) -> None:
        """Kill what processes that have ended have left behind; it may hold their ports."""
        ended = [record for record in records if not record.stopped]
        if ended:
            self._make_sure(service, lambda: _sessions.kill_all(self._left(service, ended, self._search())))

    def _make_sure(self, service: ServiceDefinition, end: Callable[[], list[int]]) -> None:
        try:
            survivors = end()
        except PermissionError as error:
            remedy = "Run as that user or as root."
            raise DriverError(Problem(service.name, "its process belongs to another user", remedy)) from error
        if survivors:
            why = f"pid {survivors[0]} ({_process.command_name(survivors[0])}) survives being killed"
            raise DriverError(Problem(service.name, why, "See what it waits for."))

    def _reap(self, pid: int) -> None:
        with self._lock:
            child = self._children.get(pid)
        if child is not None:
            child.wait()

    # --- names -------------------------------------------------------------------------------------------------------

    def _session(self, service: ServiceDefinition, record: PidRecord) -> Session:
        return Session(record, self._log(service.name, record.replica))

    def _log(self, name: str, replica: int) -> Path:
        return self.context.work_dir.logs / (f"{name}.log" if replica == 1 else f"{name}.{replica}.log")

    def _executable(self, binary: BinaryDeployment) -> str | None:
        if binary.download is not None:
            target = _download.destination(binary.download, self.context.work_dir.bin)
            if binary.command in (target.name, str(target)):
                return _launch.find_executable(str(target), "")
        return _launch.find_executable(binary.command, self._path)

    def _working_dir(self, service: ServiceDefinition) -> str:
        return _block(service).working_dir or str(self.context.work_dir.service_data(service.name))

    def _cgroup(self, service: ServiceDefinition, replica: int) -> str:
        return f"{self.context.project}-{service.name}-{replica}"


def _record(pid: int, digest: str, replica: int) -> PidRecord:
    identity = _process.identify(pid)
    if identity is None:  # it has ended already; as an unreaped child its number is still its own
        identity = _process.ProcessIdentity(pid, -1, _process.boot_id())
    return PidRecord(identity, pid, digest, replica)


def _block(service: ServiceDefinition) -> BinaryDeployment:
    binary = service.deployment.binary
    if binary is None:
        raise DriverError(
            Problem(service.name, "has no binary block", f"Add deployment.binary to {service.name}, or choose a mode.")
        )
    return binary
