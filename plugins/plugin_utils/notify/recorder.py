# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a playbook run writes into the journal about itself: its beginning, its steps, its ending.

The services' events come from the action plugins; how the services ended is gathered from them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._events import Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.follow import JournalFollower, journal_size
from ansible_collections.provisioning.platform.plugins.plugin_utils.steps import installation_steps

_DEPLOY = re.compile(r"deploy-[a-z0-9][a-z0-9-]*")
_TOLD_OF_SERVICES = ("reason", "error", "remedy", "mode", "address", "required")
_LONGEST_ERROR = 4000


@dataclass(frozen=True)
class Failure:
    """A task that failed.

    :param host: the host it failed on.
    :param error: what went wrong, in words.
    :param kind: as in :class:`~_errors.ProvisioningError`: ``configuration``, ``prerequisites``, ``failed``, ...
    :param problems: the same as data, each with what, why and remedy.
    """

    host: str
    error: str
    kind: str = "failed"
    problems: tuple[dict[str, str], ...] = ()

    @classmethod
    def of(cls, host: str, task: str, result: Mapping[str, Any]) -> Failure:
        """Read a failure out of a task's result as callbacks get it."""
        detail = result.get("provisioning_error")
        if isinstance(detail, Mapping):
            problems = tuple(_texts(item) for item in detail.get("problems") or () if isinstance(item, Mapping))
            text = result.get("msg") or "\n".join(str(Problem(**problem)) for problem in problems) or f"{task} failed"
            return cls(host, _cut(text), str(detail.get("kind") or "failed"), problems)
        for item in result.get("results") or ():
            if isinstance(item, Mapping) and item.get("failed"):
                return cls.of(host, task, item)
        text = result.get("msg") or result.get("stderr") or result.get("censored") or "the task failed"
        return cls(host, _cut(f"{task}: {text}{_last_words(result)}"))

    def to_dict(self) -> dict[str, Any]:
        """Return what the events ``step.failed`` and ``run.failed`` carry."""
        return {"error": self.error, "kind": self.kind, "problems": list(self.problems)}


@dataclass(frozen=True)
class Run:
    """What a run is about.

    :param operation: ``install``, ``uninstall``, ...
    :param platform: where services in containers run.
    :param mode: the profile.
    :param controller: name of the machine that Ansible runs on.
    """

    operation: str
    installation_id: str
    platform: str = "Docker"
    mode: str = "Solo"
    controller: str = ""

    @property
    def steps(self) -> list[str]:
        """The steps of an installation; other operations have none."""
        return steps_of(self.platform) if self.operation == "install" else []


def steps_of(platform: str) -> list[str]:
    """Return the names of the seven steps on a platform."""
    return [step.name for step in installation_steps(platform)]


def is_step(play: str) -> bool:
    """Whether a play of this name is one of the seven steps, on whatever platform."""
    if play.startswith("deploy-"):
        return _DEPLOY.fullmatch(play) is not None
    return play in steps_of("")


@dataclass
class RunRecorder:
    """Writes one run into its journal.

    :raises OSError: from every method: the journal cannot be written or read.
    """

    journal: Journal
    run: Run
    #: Bytes of the journal before this run.
    offset: int = 0
    _step: str | None = None
    _failures: list[tuple[int, Failure]] = field(default_factory=list)
    _play: int = 0

    def begin(self) -> None:
        """Write ``run.started``."""
        self.offset = journal_size(self.journal.path)
        run = self.run
        data = {
            "operation": run.operation,
            "installation_id": run.installation_id,
            "platform": run.platform,
            "mode": run.mode,
            "steps": run.steps,
            "total_steps": len(run.steps),
            "controller": run.controller,
        }
        self.journal.append(kinds.RUN_STARTED, data=data)

    def play(self, name: str) -> None:
        """Take in that a play has begun; the step before it, if any, is completed then."""
        if name == self._step:
            return  # the next batch of hosts
        self._play += 1
        if self._step is not None:
            self.journal.append(kinds.STEP_COMPLETED, step=self._step)
            self._step = None
        if is_step(name):
            self._step = name
            self.journal.append(kinds.STEP_STARTED, step=name)

    def fail(self, failure: Failure) -> None:
        """Take in that a task has failed; whether that matters is known at the end, for it may be rescued."""
        self._failures.append((self._play, failure))

    def end(self, *, failed_hosts: Collection[str], changed: int, any_host: bool) -> None:
        """Write how the run has ended.

        :param failed_hosts: hosts with failures that were not rescued, or that could not be reached.
        :param changed: how many tasks changed something.
        :param any_host: whether there was a host to work on at all.
        """
        failure = self._cause(failed_hosts)
        if failure is None and not any_host:
            failure = Failure("", "No host matched, so that nothing was done.", "configuration")
        if failure is not None:
            if self._step is not None:
                self.journal.append(kinds.STEP_FAILED, step=self._step, data=failure.to_dict())
            self.journal.append(kinds.RUN_FAILED, step=self._step, data=failure.to_dict())
            return
        if self._step is not None:
            self.journal.append(kinds.STEP_COMPLETED, step=self._step)
        services = self._services()
        degraded = any(service["status"] in ("failed", "skipped") for service in services.values())
        data = {"degraded": degraded, "services": services, "changed": changed}
        self.journal.append(kinds.RUN_COMPLETED, data=data)

    def _cause(self, failed_hosts: Collection[str]) -> Failure | None:
        """Return the first failure of the play that a host failed in; later ones come of the clean-up.

        A failure in an earlier play was rescued, or the host would not have come further.
        """
        if not failed_hosts:
            return None
        mine = [(play, failure) for play, failure in self._failures if failure.host in failed_hosts]
        if not mine:
            return Failure(min(failed_hosts), f"Ansible failed on {', '.join(sorted(failed_hosts))}.")
        last = max(play for play, failure in mine if failure.host == mine[0][1].host)
        return next(failure for play, failure in mine if play == last)

    def _services(self) -> dict[str, dict[str, Any]]:
        services: dict[str, dict[str, Any]] = {}
        for event in JournalFollower(self.journal.path, offset=self.offset).read():
            if event.service is None or event.kind == kinds.SERVICE_WARNING:
                continue
            known = services.get(str(event.subject), {})
            told = {key: event.data[key] for key in _TOLD_OF_SERVICES if key in event.data}
            status = {"status": event.kind.rpartition(".")[2], "reason": ""}
            services[str(event.subject)] = {**known, **status, **told}
        return services


def _last_words(result: Mapping[str, Any]) -> str:
    """Return what a module said last that died before it could say it in its result, to be put after the message."""
    for name in ("module_stderr", "module_stdout"):
        lines = str(result.get(name) or "").strip().splitlines()
        if lines:
            return f" ({lines[-1].strip()})"
    return ""


def _texts(problem: Mapping[Any, Any]) -> dict[str, str]:
    return {key: str(problem.get(key) or "") for key in ("what", "why", "remedy")}


def _cut(text: object) -> str:
    words = str(text).strip()
    return words if len(words) <= _LONGEST_ERROR else f"{words[: _LONGEST_ERROR - 1]}…"
