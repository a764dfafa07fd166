# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said when a run has ended: the table of services, one sentence, and what there is left to do. All pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _events as kinds

from .exit_codes import ExitCode
from .run_state import RunView, ServiceView
from .text import count, names, sentence, table

_HEADER = ("SERVICE", "STATUS", "HEALTH", "ADDRESS", "REASON")
# What the drivers of containers say when there is no engine that they may use.
_DETAIL = re.compile(r" \(|; |\. ")
_NEEDS_ENGINE = re.compile(
    r"\b(Docker|Podman|OrbStack) (does not answer|may not be used by uid)|no container engine", re.IGNORECASE
)


def service_table(view: RunView, *, width: int | None = None) -> list[str]:
    """Return the final table as lines; none when the run never came to a service.

    :param width: columns of the terminal, if there is one.
    """
    if not view.services:
        return []
    rows = [
        (one.name, one.status, one.health, one.address, one.reason if one.is_installed else brief(one.explanation))
        for one in view.services.values()
    ]
    return table(_HEADER, rows, width=width)


def brief(explanation: str) -> str:
    """Return the beginning of an explanation that is told in full elsewhere."""
    return _DETAIL.split(" ".join(explanation.split()), maxsplit=1)[0]


def headline(view: RunView) -> str:
    """Return the sentence that says how an installation that was completed has ended."""
    services = [one for one in view.services.values() if not _is_unwanted(one)]
    missing = [one for one in services if not one.is_installed]
    installed = f"{len(services) - len(missing)} of {len(services)} services"
    if not missing:
        changed = view.ending.data.get("changed") if view.ending is not None else None
        removed = [one.name for one in view.services.values() if _is_unwanted(one)]
        told = f" Removed, as no longer wanted: {names(removed)}." if removed else ""
        return f"{installed} installed.{told}" + (" Nothing had to be changed." if changed == 0 else "")
    without_engine = [one for one in missing if needs_engine(one)]
    parts = []
    if without_engine:
        parts.append(f"{len(without_engine)} {'needs' if len(without_engine) == 1 else 'need'} a container engine")
    for status, group in _by_status(one for one in missing if not needs_engine(one)):
        parts.append(f"{len(group)} {status} ({', '.join(one.name for one in group)})")
    return f"{installed}; {', '.join(parts)}"


def remedies(view: RunView) -> list[str]:
    """Return one line for each service that is missing, or for each reason that several share, with its remedy."""
    missing = [one for one in view.services.values() if not one.is_installed and not _is_unwanted(one)]
    grouped: dict[tuple[str, str], list[str]] = {}
    for one in missing:
        grouped.setdefault((one.explanation, one.remedy), []).append(one.name)
    return [
        " ".join(part for part in (f"{', '.join(who)}:", sentence(why), sentence(remedy)) if part)
        for (why, remedy), who in grouped.items()
        if why or remedy
    ]


def _is_unwanted(service: ServiceView) -> bool:
    """Whether a service was there and is not part of the platform any more."""
    return service.status == "removed"


def needs_engine(service: ServiceView) -> bool:
    """Whether a service is missing only because no container engine answered."""
    return _NEEDS_ENGINE.search(service.explanation) is not None


def failure(view: RunView, *, what: str = "") -> list[str]:
    """Return what is to be said of a run that failed: the error, what was cleaned up and what was kept.

    :param what: what it was, in place of its operation.
    """
    data = view.ending.data if view.ending is not None else {}
    problems = [_problem_text(problem) for problem in data.get("problems") or []]
    step = view.failed_step
    error = str(data.get("error") or "") or (step.error if step else "") or "no reason was given"
    where = f" in {step.name}" if step else ""
    lines = [f"{what or view.operation} failed{where}: {sentence(error.splitlines()[0])}"]
    lines += [f"  {line}" for line in error.splitlines()[1:]]
    lines += [f"  {text}" for text in problems if text and text not in error]
    return lines + aftermath(view)


def aftermath(view: RunView) -> list[str]:
    """Return what a run that ended early has cleaned up and what it has left behind, as far as is known."""
    services = list(view.services.values())
    cleaned = [one.name for one in services if one.is_cleaned_up]
    if view.removed_paths:
        cleaned.append(count(len(view.removed_paths), "file or folder", "files and folders"))
    failed = [one.name for one in services if one.status == "failed" and one.touched and not one.is_cleaned_up]
    running = left_running(view)
    lines = []
    if cleaned:
        lines.append(f"Cleaned up, because this run had created it: {names(cleaned)}.")
    if failed:
        lines.append(f"Kept as it failed: {names(failed)}.")
    if running:
        lines.append(f"Left running: {names(running)}.")
    elif services and not failed:
        lines.append("This run left no service running.")
    return lines


def cancelled(view: RunView, code: ExitCode) -> list[str]:
    """Return what is to be said of a run that a signal has stopped."""
    word = "Cancelled" if code == ExitCode.CANCELLED else "Terminated"
    step = view.failed_step or view.current_step
    return [f"{word}{f' in {step.name}' if step else ''}.", *(aftermath(view) or ["This run left no service running."])]


def undelivered(number: int, reason: str, outbox: Path) -> str:
    """Return the line about webhooks that did not arrive."""
    why = f": {sentence(reason)}" if reason else "."
    return f"warning: {count(number, 'webhook')} could not be delivered{why} Kept in {outbox}."


def left_running(view: RunView) -> list[str]:
    """Return the names of the services that run, or are about to, as far as the journal tells."""
    return [one.name for one in view.services.values() if one.is_up]


def is_complete(view: RunView) -> bool:
    """Whether the run came to its end."""
    return view.ending is not None and view.ending.kind == kinds.RUN_COMPLETED


def _by_status(services: Iterable[ServiceView]) -> list[tuple[str, Sequence[ServiceView]]]:
    groups: dict[str, list[ServiceView]] = {}
    for one in services:
        groups.setdefault("unhealthy" if one.health == "unhealthy" else one.status, []).append(one)
    return list(groups.items())


def _problem_text(problem: object) -> str:
    if isinstance(problem, dict):
        what, why, remedy = (str(problem.get(key) or "") for key in ("what", "why", "remedy"))
        return " ".join(part for part in (f"{what}: {sentence(why)}" if what else sentence(why), remedy) if part)
    return str(problem)
