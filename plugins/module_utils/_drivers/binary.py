# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mode ``binary``: processes on the host, each in a session of its own.

Where systemd runs the machine, it runs them as units; elsewhere, and where it cannot, they are started here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from .. import _cgroups, _download, _events, _logs, _ports, _process
from .._errors import DriverError, Problem, raise_if_any
from .._log_settings import rotation_of
from .._model import BinaryDeployment, ServiceDefinition
from .._replicas import for_replica
from .._state import PidRecord, PidStore
from . import _children, _launch, _sessions, _unit_text, _units
from ._base import ABSENT, Context, Driver, LogLine, Observation
from ._binary_words import argument_problems, early_end, missing, signal_problems, stand_in, stop_signal, summary
from ._children import Children
from ._launch import Launch
from ._log_streams import dated, together
from ._marks import Search
from ._sessions import Session
from ._units import State, Units

_NOBODY: Mapping[str, State] = {}


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
        self._children = Children()

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
        search = Search(self._root)
        records = {service.name: self._records.read(service.name) for service in services}
        states = self._states(records)
        return {service.name: self._observe(service, records[service.name], search, states) for service in services}

    def find(self, recorded: Sequence[ServiceDefinition] = ()) -> list[ServiceDefinition]:
        """Return the services that have units, though nothing else is known of them any more."""
        known = {service.name: service for service in recorded}
        found = self._units.services() if self._units is not None else ()
        return [known.get(name) or stand_in(name) for name in sorted(found)]

    def ended(self, service: ServiceDefinition) -> str | None:
        """Return how the process of a service has ended, if it has, and not because it was to stop."""
        records = self._records.read(service.name)
        if all(_process.is_alive(record.identity) or record.stopped for record in records):
            return None
        seen = self._observe(service, records, Search(self._root), self._states({service.name: records}))
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
        self._refresh(service, alive)
        if binary.download is not None:
            _download.fetch(binary.download, self.context.work_dir.bin, service=service.name)
        if not alive:
            raise_if_any(_ports.problems(service), DriverError)
        wanted = sorted(set(range(1, binary.replicas + 1)) - {record.replica for record in alive})
        records = self._launch_all(service, wanted, digest, alive)
        return self._describe(service, records, Search(self._root), _NOBODY)

    def stop(self, service: ServiceDefinition, observation: Observation) -> None:  # noqa: ARG002 - the records tell
        """Ask the processes to stop, then kill what remains of their sessions.

        :raises DriverError: a process belongs to somebody else, or survives being killed.
        """
        records = self._records.read(service.name)
        self._end(service, records)
        if self._units is not None:  # also those that nothing is written down of
            self._units.stop(self._units.of(service.name))
        ended = [dataclasses.replace(self._learn(record, _NOBODY), stopped=True) for record in records]
        try:
            self._records.write(service.name, ended)
        except OSError:  # no space: that it is stopped is then all that is known
            self._records.remove(service.name)
        for record in records:
            if not record.unit:
                _cgroups.release(self._cgroup(service, record.replica))

    def remove(self, service: ServiceDefinition, observation: Observation) -> None:
        """Stop the processes and take away their records, their logs and what was downloaded for them.

        :raises DriverError: they cannot be stopped.
        """
        self.stop(service, observation)
        if self._units is not None:
            self._units.remove(self._units.of(service.name))
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

    @cached_property
    def _units(self) -> Units | None:
        """Where systemd runs the machine: what it runs of this work dir."""
        return _units.here(self.context.work_dir)

    def _states(self, records: Mapping[str, Sequence[PidRecord]]) -> Mapping[str, State]:
        """Ask systemd, in one call, what has become of units whose processes are not those written down."""
        names = {r.unit for known in records.values() for r in known if r.unit and not _process.is_alive(r.identity)}
        if self._units is not None:
            names.update(name for service, known in records.items() if not known for name in self._units.of(service))
        return self._asked(next(iter(records))).states(names) if names else _NOBODY

    def _asked(self, service: str) -> Units:
        if self._units is None:
            why = "it is a unit of systemd, which is not there"
            raise DriverError(Problem(service, why, "Look at it where systemd runs the machine."))
        return self._units

    def _observe(
        self, service: ServiceDefinition, records: list[PidRecord], search: Search, states: Mapping[str, State]
    ) -> Observation:
        if not records:
            records = self._units.lost(service.name, states) if self._units is not None else []
            records = records or search.lost(service.name, _launch.owners(_block(service)))
            if records:  # unless they are just being started, and have been written down since
                records = self._records.read(service.name) or self._write_down(service, records)
        return self._describe(service, records, search, states) if records else ABSENT

    def _describe(
        self, service: ServiceDefinition, records: list[PidRecord], search: Search, states: Mapping[str, State]
    ) -> Observation:
        living = [record for record in records if _process.is_alive(record.identity)]
        known = [record if record in living else self._learn(record, states) for record in records]
        # Only its parent learns how a process ended, so it tells all others; systemd can be asked again.
        if any(record not in records and (not record.unit or _process.is_alive(record.identity)) for record in known):
            self._write_down(service, known)
            living = [record for record in known if record in living or _process.is_alive(record.identity)]
        seen = summary(known, living, _block(service).replicas, left=lambda: self._left(service, known, search))
        if not any(record.unit for record in known):
            return seen
        told = {record.unit: states[record.unit] for record in known if record not in living and record.unit in states}
        is_current = self._units is None or self._units.are_current(service, known)
        return _units.as_kept(seen, service, known, told, is_current=is_current)

    def _write_down(self, service: ServiceDefinition, records: list[PidRecord]) -> list[PidRecord]:
        """Keep what was learnt by looking, where there is space; return it."""
        with contextlib.suppress(OSError):
            self._records.write(service.name, records)
        return records

    def _is_up(self, service: ServiceDefinition) -> bool:
        records = self._records.read(service.name)
        if any(_process.is_alive(record.identity) for record in records):
            return True
        states = self._states({service.name: [record for record in records if record.unit]}) if records else _NOBODY
        return any(state.pid or state.is_coming for state in states.values())

    def _left(
        self, service: ServiceDefinition, records: Sequence[PidRecord], search: Search
    ) -> list[_process.ProcessIdentity]:
        """Return what processes that have ended by themselves have left behind, in their sessions and elsewhere."""
        plain = [record for record in records if not record.unit]  # systemd leaves nothing
        left = [member for record in plain for member in self._session(service, record).members()]
        replicas = {record.replica for record in plain if record.identity.boot_id == _process.boot_id()}
        if replicas:  # one that puts itself into the background takes a session of its own
            found = search.of(service.name, _launch.owners(_block(service)))
            left += [known.identity for known in found if known.mark.replica in replicas and known.identity not in left]
        return left

    def _learn(self, record: PidRecord, states: Mapping[str, State]) -> PidRecord:
        """Return the record with how its process ended, if that can be known, or with the one in its place."""
        if record.unit and self._units is not None:
            return self._units.renew(record, states)
        if record.exit_code is not None:
            return record
        return dataclasses.replace(record, exit_code=self._children.exit_code(record.identity.pid))

    # --- starting ----------------------------------------------------------------------------------------------------

    def _launch_all(
        self, service: ServiceDefinition, replicas: Sequence[int], digest: str, alive: list[PidRecord]
    ) -> list[PidRecord]:
        """Launch processes and write all of them down, also when one cannot be launched; return all records."""
        records = list(alive)
        launches = [self._prepare(service, digest, replica) for replica in replicas]
        units = self._units_for(service, launches)
        try:
            if units is not None:
                for launch in launches:
                    os.close(_children.open_log(launch, self.context.notify))
                records += units.start(service, launches)
            else:
                for launch in launches:  # those before one that fails stay
                    records.append(self._children.start(launch, self._root, self.context.notify))
        finally:
            try:
                self._records.write(service.name, records)
            except OSError:  # nobody would know of them
                fresh = [record for record in records if record not in alive]
                self._end(service, fresh)
                self._halt(service, [record.unit for record in fresh if record.unit])
                raise
        for record in records:
            trouble = self._limit(service, record)
            if trouble:
                self.context.notify(_events.SERVICE_WARNING, service=service.name, reason=trouble)
        return records

    def _limit(self, service: ServiceDefinition, record: PidRecord) -> str | None:
        if record.unit:
            return _cgroups.missing(record.unit, record.identity.pid, service.resources)
        return _children.limit(record, service.resources, self._cgroup(service, record.replica))

    def _units_for(self, service: ServiceDefinition, launches: Sequence[Launch]) -> Units | None:
        """Return where a service is to run as units; what is to end is not, since it would be started again."""
        if self._units is None or service.name in self.context.tasks or not self._units.are_for_new_ones:
            return None
        return self._units if all(_unit_text.can_carry(launch) for launch in launches) else None

    def _refresh(self, service: ServiceDefinition, alive: Sequence[PidRecord]) -> None:
        """Let the units of what runs say what the definition says now."""
        if any(record.unit for record in alive) and not self._asked(service.name).are_current(service, alive):
            launches = [self._prepare(service, record.digest, record.replica) for record in alive if record.unit]
            self._asked(service.name).refresh(service, launches)

    def _prepare(self, service: ServiceDefinition, digest: str, replica: int) -> Launch:
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
        return Launch(
            service=service.name,
            replica=replica,
            digest=digest,
            command=[executable, *binary.args],
            env=env,
            working_dir=self._working_dir(service),
            log=self._log(service.name, replica),
            rotation=rotation_of(service.logs),
            account=account,
            user=binary.user,
            group=binary.group,
        )

    # --- stopping ----------------------------------------------------------------------------------------------------

    def _end(self, service: ServiceDefinition, records: Sequence[PidRecord]) -> None:
        if any(record.unit for record in records):
            self._asked(service.name)
        active = [record for record in records if not record.stopped and not record.unit]
        sessions = [self._session(service, record) for record in active]
        ended = [record for record in active if not _process.is_alive(record.identity)]
        number, timeout = stop_signal(service), service.startup.stop_timeout
        self._make_sure(service, lambda: _sessions.stop(sessions, number, timeout))
        self._clear(service, ended)
        for record in records:
            self._children.wait(record.identity.pid)

    def _halt(self, service: ServiceDefinition, names: Collection[str]) -> None:
        """Stop units; that of a process that has ended may be about to start it again."""
        units = self._asked(service.name) if names else None
        if units is not None:
            units.stop([name for name in units.of(service.name) if name in names])

    def _clear(self, service: ServiceDefinition, records: Sequence[PidRecord]) -> None:
        """Kill what processes that have ended have left behind; it may hold their ports."""
        self._halt(service, [record.unit for record in records if record.unit and not record.stopped])
        ended = [record for record in records if not record.stopped and not record.unit]
        if ended:
            self._make_sure(service, lambda: _sessions.kill_all(self._left(service, ended, Search(self._root))))

    def _make_sure(self, service: ServiceDefinition, end: Callable[[], list[int]]) -> None:
        try:
            survivors = end()
        except PermissionError as error:
            remedy = "Run as that user or as root."
            raise DriverError(Problem(service.name, "its process belongs to another user", remedy)) from error
        if survivors:
            why = f"pid {survivors[0]} ({_process.command_name(survivors[0])}) survives being killed"
            raise DriverError(Problem(service.name, why, "See what it waits for."))

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


def _block(service: ServiceDefinition) -> BinaryDeployment:
    binary = service.deployment.binary
    if binary is None:
        raise DriverError(
            Problem(service.name, "has no binary block", f"Add deployment.binary to {service.name}, or choose a mode.")
        )
    return binary
