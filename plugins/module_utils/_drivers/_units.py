# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of services as units of systemd: put there, asked for, taken away.

While a process is the one that is written down, nobody needs to ask: only when it has ended systemd is asked what has
become of it, for all services at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import _process, _systemd
from .._errors import DriverError, Problem
from .._model import ServiceDefinition
from .._paths import WorkDir, make_directory, read_whole, write_atomically
from .._process import ProcessIdentity
from .._state import PidRecord
from . import _unit_text
from ._base import Observation
from ._launch import Launch, record_of

SYSTEMD = "systemd"
_READABLE, _FOLDER = 0o644, 0o755
_ASKED = "Id,LoadState,ActiveState,Job,NeedDaemonReload,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,NRestarts"
_EXITED, _KILLED, _DUMPED = 1, 2, 3  # as si_code of waitid(2)
#: How systemd itself could not start what it was to; see systemd.exec(5).
_NOT_STARTED = {
    200: "its working directory cannot be entered",
    203: "it cannot be executed",
    209: "its log cannot be opened",
    216: "it cannot run with its group",
    217: "it cannot run as its user",
}


@dataclass(frozen=True)
class State:
    """What systemd says of a unit.

    :param pid: of its process, 0 when none runs.
    :param last_pid: of its process or, where none runs, of the last one since the machine was started; else 0.
    :param exit_code: of the last one, negative for a signal.
    :param restarts: how often systemd has started it again since somebody started it.
    :param is_coming: whether it is about to be started, or started again.
    :param is_stale: whether systemd has read it before it was changed.
    """

    is_loaded: bool = False
    active: str = "inactive"
    pid: int = 0
    last_pid: int = 0
    exit_code: int | None = None
    restarts: int = 0
    is_coming: bool = False
    is_stale: bool = False


def read_states(text: str) -> dict[str, State]:
    """Return what ``systemctl show`` says of units, by name."""
    states = {}
    for block in text.split("\n\n"):
        told = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in told:
            states[told["Id"]] = _state(told)
    return states


def _state(told: Mapping[str, str]) -> State:
    def number(name: str) -> int:
        return int(told.get(name) or 0)

    code, last_pid = number("ExecMainStatus"), number("ExecMainPID")
    ended = {_EXITED: code, _KILLED: -code, _DUMPED: -code}
    active = told.get("ActiveState", "inactive")
    return State(
        is_loaded=told.get("LoadState") == "loaded",
        active=active,
        pid=number("MainPID"),
        last_pid=last_pid,
        exit_code=ended.get(number("ExecMainCode")) if last_pid else None,
        restarts=number("NRestarts"),
        is_coming=active == "activating" or bool(number("Job")),
        is_stale=told.get("NeedDaemonReload") == "yes",
    )


class Units:
    """The units of a work dir.

    :param folder: where units are written.

    To have units come up with the machine takes a link to each, which is made here: ``systemctl enable`` has systemd
    read all units of the machine again, which takes it long.
    """

    def __init__(self, layout: WorkDir, *, is_root: bool, folder: Path) -> None:
        self._layout = layout
        self._is_root = is_root
        self._folder = folder
        self._wanted = folder / f"{_unit_text.target(is_root=is_root)}.wants"

    # --- looking -----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def are_for_new_ones(self) -> bool:
        """Whether processes that are started now are to become units: they must outlive the session."""
        is_writable = os.access(self._folder, os.W_OK) if self._is_root else True
        return is_writable and _systemd.stays_up(is_root=self._is_root) and self._version is not None

    def of(self, service: str) -> list[str]:
        """Return the names of the units of a service, by replica; nobody is asked."""
        found = [(replica, name) for owner, replica, name in self._all() if owner == service]
        return [name for _replica, name in sorted(found)]

    def services(self) -> set[str]:
        """Return the services that have units; nobody is asked."""
        return {owner for owner, _replica, _name in self._all()}

    def states(self, names: Collection[str]) -> dict[str, State]:
        """Return what units are, in one call.

        :raises DriverError: systemd does not answer.
        """
        if not names:
            return {}
        told = read_states(self._order(["show", f"--property={_ASKED}", "--", *sorted(names)]))
        return {name: told.get(name, State()) for name in names}

    def renew(self, record: PidRecord, states: Mapping[str, State]) -> PidRecord:
        """Return the record of a process that has ended with what has become of it: perhaps it has a successor."""
        state = states.get(record.unit)
        if state is None:
            return record
        identity = _process.identify(state.pid) if state.pid else None
        if identity is None:
            last = (
                ProcessIdentity(max(2, state.last_pid), -1, _process.boot_id()) if state.last_pid else record.identity
            )
            return dataclasses.replace(record, identity=last, exit_code=state.exit_code, restarts=state.restarts)
        digest = self.recorded(record.unit).get("Digest", record.digest)
        return PidRecord(identity, identity.pid, digest, record.replica, unit=record.unit, restarts=state.restarts)

    def lost(self, service: str, states: Mapping[str, State]) -> list[PidRecord]:
        """Return the records that the units of a service should have."""
        found = []
        for name in self.of(service):
            owner = _unit_text.service_of(self._layout, name)
            state = states.get(name, State())
            nobody = ProcessIdentity(max(2, state.last_pid), -1, _process.boot_id())
            digest = self.recorded(name).get("Digest", "")
            record = PidRecord(nobody, nobody.pid, digest, owner[1] if owner else 1, unit=name)
            found.append(self.renew(record, states))
        return found

    def recorded(self, name: str) -> dict[str, str]:
        """Return what a unit holds for us; nothing where it is gone."""
        try:
            return _unit_text.recorded(read_whole(self._folder / name).decode(errors="replace"))
        except OSError:
            return {}

    def are_current(self, service: ServiceDefinition, records: Sequence[PidRecord]) -> bool:
        """Whether the units say how the service is to be restarted and stopped; those that are gone say nothing."""
        found = {self.recorded(record.unit).get("Rules") for record in records if record.unit}
        return found <= {_unit_text.rules(service), None}

    # --- doing -------------------------------------------------------------------------------------------------------

    def start(self, service: ServiceDefinition, launches: Sequence[Launch]) -> list[PidRecord]:
        """Have systemd run processes, now and with the machine; return their records.

        :raises DriverError: systemd refuses, or cannot start one.
        :raises OSError: a unit cannot be written.
        """
        if not launches:
            return []
        names = [self._name(launch) for launch in launches]
        known = [name for name in names if (self._folder / name).exists()]
        self._write(service, launches)
        self._take_in(names)
        if known:
            with contextlib.suppress(DriverError):  # it has forgotten it; else its restarts begin anew
                self._order(["reset-failed", *known])
        try:
            self._order(["start", *names])
            states = self.states(names)
        except DriverError as error:
            states = self.states(names)
            told = self._told(service, launches, states)
            # One that has ended at once counts as started: how it ended tells more than that systemd is not content.
            if told is not None or not all(state.last_pid for state in states.values()):
                (self.stop if known else self.remove)(names)
                raise told or error from error
        return [
            dataclasses.replace(
                record_of(states[name].last_pid, launch.digest, launch.replica),
                unit=name,
                exit_code=None if states[name].pid else states[name].exit_code,
            )
            for name, launch in zip(names, launches, strict=True)
        ]

    def _write(self, service: ServiceDefinition, launches: Sequence[Launch]) -> None:
        """Write units with their environments, to come up with the machine or not."""
        for launch in launches:
            name = self._name(launch)
            environment = self._environment(name)
            write_atomically(environment, _unit_text.environment_file(launch.env))
            text = _unit_text.render(
                self._layout, service, launch, environment, is_root=self._is_root, version=self._version or 0
            )
            path = self._folder / name
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_atomically(path, text, mode=_READABLE)
            if _unit_text.is_enabled(service):
                make_directory(self._wanted, _FOLDER)
                with contextlib.suppress(FileExistsError):
                    (self._wanted / name).symlink_to(path)
            else:
                (self._wanted / name).unlink(missing_ok=True)

    def refresh(self, service: ServiceDefinition, launches: Sequence[Launch]) -> None:
        """Have systemd take over how a service is restarted and stopped, which touches no process.

        :raises DriverError: systemd refuses.
        :raises OSError: a unit cannot be written.
        """
        self._write(service, launches)
        self._take_in([self._name(launch) for launch in launches])

    def stop(self, names: Sequence[str]) -> None:
        """Have systemd stop units, and start them no more with the machine.

        :raises DriverError: systemd refuses.
        """
        for name in names:
            (self._wanted / name).unlink(missing_ok=True)
        if names:  # it keeps the time itself
            self._order(["stop", *names], timeout=None)

    def remove(self, names: Sequence[str]) -> None:
        """Stop units, and take them away.

        :raises DriverError: systemd refuses.
        :raises OSError: one cannot be removed.
        """
        if not names:
            return
        self.stop(names)
        with contextlib.suppress(DriverError):  # it has forgotten them
            self._order(["reset-failed", *names])
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
            self._environment(name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are in it, or it is not there
            self._wanted.rmdir()
        if any(state.is_loaded for state in self.states(names).values()):
            self._order(["daemon-reload"])

    # --- helpers -----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _version(self) -> int | None:
        return _systemd.version(is_root=self._is_root)

    def _take_in(self, names: Sequence[str]) -> None:
        """Have systemd read units again that it has read before they were changed."""
        if any(state.is_stale for state in self.states(names).values()):
            self._order(["daemon-reload"])

    def _told(
        self, service: ServiceDefinition, launches: Sequence[Launch], states: Mapping[str, State]
    ) -> DriverError | None:
        for launch in launches:
            why = _NOT_STARTED.get(states.get(self._name(launch), State()).exit_code or 0)
            if why:
                remedy = "Check the file, its permissions and its interpreter."
                return DriverError(Problem(service.name, f"{launch.command[0]} cannot be run: {why}", remedy))
        return None

    def _all(self) -> Iterable[tuple[str, int, str]]:
        try:
            entries = os.listdir(self._folder)
        except OSError:
            return
        for name in entries:
            owner = _unit_text.service_of(self._layout, name)
            if owner is not None:
                yield (*owner, name)

    def _name(self, launch: Launch) -> str:
        return _unit_text.unit_name(self._layout, launch.service, launch.replica)

    def _environment(self, name: str) -> Path:
        return self._layout.secrets / f"{name}.env"  # it holds some

    def _order(self, arguments: Sequence[str], timeout: float | None = 90.0) -> str:
        return _systemd.systemctl(arguments, is_root=self._is_root, timeout=timeout)


def here(layout: WorkDir) -> Units | None:
    """Return the units of a work dir, where systemd runs the machine."""
    if not _systemd.is_here():
        return None
    is_root = os.geteuid() == 0
    folder = _systemd.unit_folder(is_root=is_root, home=_systemd.home_of_ours())
    # By whatever way a work dir is reached, its units are the same.
    return Units(WorkDir(Path(os.path.realpath(layout.root))), is_root=is_root, folder=folder)


def as_kept(
    seen: Observation,
    service: ServiceDefinition,
    records: Sequence[PidRecord],
    states: Mapping[str, State],
    *,
    is_current: bool,
) -> Observation:
    """Return what a service is, seen with the eyes of systemd, which keeps it.

    :param seen: what its processes tell.
    :param states: of the units whose processes have ended.
    :param is_current: whether its units say what the definition does.
    """
    kept = dataclasses.replace(seen, kept_by=SYSTEMD, restarts=sum(record.restarts for record in records))
    if seen.is_up:
        return kept if is_current else dataclasses.replace(kept, drift="its unit is out of date")
    if not states or all(record.stopped for record in records):
        return kept
    if any(not state.is_loaded for state in states.values()):
        return dataclasses.replace(seen, status="failed", detail=f"{seen.detail}, and its unit is gone")
    if any(state.is_coming for state in states.values()):
        return dataclasses.replace(kept, status="failed", detail=f"{seen.detail}; systemd starts it again")
    if any(state.active == "failed" for state in states.values()):
        is_given_up = service.startup.restart != "no"
        more = f"; systemd has given it up after {kept.restarts} restarts" if is_given_up else ""
        return dataclasses.replace(kept, status="failed", detail=f"{seen.detail}{more}", is_given_up=is_given_up)
    if seen.instances:  # some of several
        return kept
    if any(record.identity.boot_id != _process.boot_id() for record in records):
        return dataclasses.replace(kept, status="failed", detail="has not been started since the machine was")
    if service.startup.restart in ("always", "unless-stopped"):  # by itself it would not have stayed down
        return dataclasses.replace(kept, status="stopped", detail="was stopped by systemctl")
    return dataclasses.replace(kept, status="stopped")  # well, or it would be one that has failed
