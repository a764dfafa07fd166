# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on the hosts of an inventory: a playbook of the collection is run there, and its modules' results read."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    PrerequisiteError,
    Problem,
    ProvisioningError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.follow import JournalFollower

from .. import collection
from ..cancellation import Cancellation
from ..exit_codes import ExitCode, of_kind, of_signal
from ..playbook_process import Invocation, Outcome, PlaybookProcess
from ..playbook_run import what_ansible_said
from ..private_folder import PrivateFolder
from .context import Request
from .output import Printer

_TICK = 0.08
_ENDINGS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")


@dataclass
class Host:
    """What a playbook brought from one host.

    :param results: of our modules, by the module's name, in order.
    :param problems: why it failed.
    :param kind: of its failure, as ``ProvisioningError.kind``.
    """

    name: str
    results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    kind: str = ""

    def result(self, module: str) -> dict[str, Any]:
        """Return the last result of a module; an empty one where it brought none."""
        return self.results.get(module, [{}])[-1]

    def take(self, event: str, data: Mapping[str, Any]) -> None:
        """Take what became of a task on the host.

        :param event: ansible-runner's word for it.
        :param data: its ``event_data``.
        """
        result = data.get("res")
        if not isinstance(result, Mapping):
            return
        action = str(data.get("task_action") or "")
        if action.startswith(f"{collection.NAME}.") and event != "runner_on_unreachable":
            self.results.setdefault(action.removeprefix(f"{collection.NAME}."), []).append(dict(result))
        if event == "runner_on_ok" or data.get("ignore_errors"):
            return
        if event == "runner_on_unreachable":
            self.kind = "prerequisites"
            why = f"cannot be reached: {_one_line(result.get('msg'))}"
            self.problems.append(Problem(self.name, why, "See whether Ansible reaches it, and correct the inventory."))
            return
        error = result.get("provisioning_error")
        if isinstance(error, Mapping):
            self.kind = str(error.get("kind", "failed"))
            self.problems += [Problem(one["what"], one["why"], one.get("remedy", "")) for one in error["problems"]]
        else:
            self.kind = "failed"
            self.problems.append(Problem(str(data.get("task") or "a task"), _one_line(result.get("msg"))))


@dataclass
class Hosts:
    """What a playbook brought from the hosts of an inventory."""

    hosts: list[Host]
    printer: Printer

    @property
    def are_several(self) -> bool:
        """Whether there is more than one, so that each has to be told."""
        return len(self.hosts) > 1

    def complain(self, *, unless: Callable[[Problem], bool] = lambda problem: False) -> None:
        """Say why hosts failed.

        :param unless: says what has been told already.
        """
        for host in self.hosts:
            for problem in host.problems:
                if not unless(problem):
                    lead = f"{host.name}: " if self.are_several and problem.what != host.name else ""
                    self.printer.note(f"error: {lead}{problem}")

    def verdict(self) -> ExitCode:
        """Return the exit code for the hosts that failed; the first one's counts."""
        return next((of_kind(host.kind) for host in self.hosts if host.kind), ExitCode.OK)

    def work_dir(self) -> str | None:
        """Return the work dir where all hosts have the same."""
        found = {
            str(one["work_dir"])
            for host in self.hosts
            for two in host.results.values()
            for one in two
            if "work_dir" in one
        }
        return found.pop() if len(found) == 1 else None


class HostPrinter(Printer):
    """Writes tables with a column for hosts before the others.

    :param hosts: of each row of the tables that are to come.
    """

    def __init__(self, printer: Printer, hosts: Sequence[str]) -> None:
        super().__init__(printer.form)
        self._hosts = hosts

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        """Return a table as lines that fit."""
        named = zip(self._hosts, rows, strict=True)
        return super().table(("HOST", *header), [(host, *row) for host, row in named])


def run(
    request: Request,
    playbook: str,
    variables: Mapping[str, Any] | None = None,
    *,
    check: bool = False,
    cancellation: Cancellation | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Hosts:
    """Run a playbook on the hosts of the inventory.

    :param playbook: its name, e.g. ``status``.
    :param variables: further extra vars.
    :param check: in check mode.
    :param on_event: called with each event of services as it comes.
    :raises PrerequisiteError: it could not be run, or there is no host.
    """
    if request.inventory is None:
        raise PrerequisiteError(Problem("--inventory", "is missing"))
    stop = cancellation or Cancellation()
    hosts: dict[str, Host] = {}
    with PrivateFolder("provisioning-hosts-") as folder:
        journal = folder / "events.jsonl"
        follower = JournalFollower(journal, offset=0)
        process = PlaybookProcess(
            Invocation(
                playbook=collection.playbook(playbook),
                variables={**_place(request), **(variables or {})},
                environment={
                    **collection.environment(os.environ),
                    "PROVISIONING_JOURNAL": str(journal),
                    "PROVISIONING_COURIER": "external",
                },
                inventories=(located(request.inventory),),
                check=check,
            ),
            on_event=lambda event: _sort(event, hosts),
        )
        try:
            outcome = _follow(process, follower, stop, on_event)
        finally:
            process.close()
    if stop.signal_number is not None:
        raise SystemExit(of_signal(stop.signal_number))
    found = Hosts(list(hosts.values()), request.printer())
    if not found.hosts:
        raise _nothing_happened(request.inventory, outcome)
    return found


def _follow(
    process: PlaybookProcess, journal: JournalFollower, stop: Cancellation, on_event: Callable[[Event], None]
) -> Outcome:
    process.start()
    ended = False
    try:
        while not ended:
            ended = process.wait(_TICK)
            if stop.is_urgent:
                process.kill()
            elif stop.is_requested:
                process.cancel()
            process.drain()
            for event in journal.read():
                on_event(event)
    except BaseException:
        process.kill()
        raise
    process.stop_rest(at_once=lambda: stop.is_urgent)
    return process.outcome()


def _sort(event: Mapping[str, Any], hosts: dict[str, Host]) -> None:
    data = event.get("event_data")
    if not isinstance(data, Mapping) or not data.get("host"):
        return
    name = str(data["host"])
    if event.get("event") == "runner_on_start":  # which come in the inventory's order
        hosts.setdefault(name, Host(name))
    elif event.get("event") in _ENDINGS:
        hosts.setdefault(name, Host(name)).take(str(event["event"]), data)


def located(inventory: str) -> str:
    """Return an inventory as Ansible finds it from any folder; a list of hosts such as ``a,b,`` stays as it is.

    :raises ConfigurationError: it is neither.
    """
    if Path(inventory).exists():
        return str(Path(inventory).absolute())
    if "," not in inventory:
        remedy = "Name a file, or hosts with a comma after each: host1,host2,"
        raise ConfigurationError(Problem(f"--inventory {inventory}", "there is no such file", remedy))
    return inventory


def _place(request: Request) -> dict[str, str]:
    """Return where the installation is on the hosts, as far as it was said; the inventory may say it, too."""
    if request.work_dir is not None:
        return {"work_dir": str(request.work_dir)}
    from .loading import find_file

    path = find_file(request)
    if path is None:
        return {}
    from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document
    from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Substitution

    written = read_document(path).get("work_dir")
    return {"work_dir": str(Substitution(os.environ).apply(written, "work_dir"))} if written else {}


def _nothing_happened(inventory: str, outcome: Outcome) -> ProvisioningError:
    if outcome.error is not None:
        return PrerequisiteError(Problem("ansible-playbook", f"could not be run: {outcome.error}"))
    if outcome.status == "successful":
        remedy = "Put the hosts into its group platform."
        return PrerequisiteError(Problem(f"--inventory {inventory}", "has no host for this", remedy))
    return PrerequisiteError(Problem(f"--inventory {inventory}", what_ansible_said(outcome)))


def _one_line(text: Any) -> str:
    return " ".join(str(text or "it failed").split())


def distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems without those that say the same again."""
    return list(dict.fromkeys(dataclasses.replace(one) for one in problems))
