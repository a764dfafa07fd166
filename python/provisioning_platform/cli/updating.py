# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``update``: new versions from the configuration, one service at a time, with a way back."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceRegistry
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore
from ansible_collections.provisioning.platform.plugins.module_utils._update import Step, Update, Updated

from ..cancellation import on_signals
from ..exit_codes import ExitCode, of_signal
from ..summary import brief
from ..text import count
from ..text import names as phrase
from .context import Request, refuse_others
from .loading import load, needed_file, settings_of
from .operating import Showing, Stop
from .output import Printer
from .waiting import busy, leave_on_interrupt

if TYPE_CHECKING:
    from ..configuration import Installation

_CODES: Mapping[str, ExitCode] = {"lost": ExitCode.FAILED, "restored": ExitCode.ROLLED_BACK}


def update(request: Request, names: Sequence[str], variables: Sequence[str], *, check: bool) -> int:
    """Update services, or only say what would be updated.

    :param variables: values for placeholders, ``NAME=VALUE``.
    """
    path = needed_file(request, "an update")
    with leave_on_interrupt(), busy("Reading the configuration"):
        if not check:
            refuse_others(request.found().work_dir)
        request.manager()  # there must be an installation
        installation = load(path, variables)
    printer = request.printer()
    for warning in installation.warnings:
        printer.note(f"warning: {warning}")
    return _check(printer, installation, path, names) if check else _carry_out(request, installation, path, names)


def _check(printer: Printer, installation: Installation, path: Path, names: Sequence[str]) -> int:
    wanted = _update(installation, names)
    with leave_on_interrupt(), busy("Looking for new versions"):
        steps = wanted.plan()
    document = {**_about(wanted, path), "services": [step.to_dict() for step in steps]}
    printer.show(document, lambda: [*step_lines(printer, steps), *left_out(document)])
    return ExitCode.PLAN_HAS_CHANGES if any(step.is_new for step in steps) else ExitCode.OK


def _carry_out(request: Request, installation: Installation, path: Path, names: Sequence[str]) -> int:
    from ansible_collections.provisioning.platform.plugins.plugin_utils.run_lock import claim

    stop = Stop()
    with on_signals(stop), Showing(request, "update", "Looking for new versions") as showing:
        wanted = _update(installation, names)
        wanted.sinks, wanted.cancelled = [showing.event], stop.event
        layout = WorkDir(installation.work_dir)
        claim(layout.installations / "claim.json", pid=os.getpid(), installation=wanted.run)
        make_secrets(installation, names)
        results = wanted.carry_out()
    printer = request.printer()
    document = {**_about(wanted, path), "services": [one.to_dict() for one in results]}
    printer.show(document, lambda: [*result_lines(printer, results), *left_out(document)])
    for one in results:
        if one.error:
            printer.note(f"error: {Problem(one.service, one.error, one.remedy)}")
    if stop.signal_number is not None and not all(one.is_well for one in results):
        return of_signal(stop.signal_number)
    return verdict(results)


def _update(installation: Installation, names: Sequence[str]) -> Update:
    platform = installation.platform
    return Update(
        installation.work_dir,
        platform.registry.services,
        settings_of(platform),
        names=names,
        run=installation.installation_id,
    )


def make_secrets(installation: Installation, names: Collection[str]) -> None:
    """Make the secrets that new versions need and that are missing, on this host.

    :param names: only of these services; of all by default.
    :raises ConfigurationError: they may not be made.
    :raises OSError: they cannot be written.
    """
    from ansible_collections.provisioning.platform.plugins.plugin_utils.secret_values import missing

    store = SecretStore(WorkDir(installation.work_dir).secrets)
    services = {
        name: one for name, one in installation.platform.registry.services.items() if not names or name in names
    }
    there = {name: store.read(name) for name in services}
    generate = installation.config.deployment.auto_generate_secrets
    for name, new in missing(ServiceRegistry(services=services), there, generate=generate, env=os.environ).items():
        store.write(name, {**there[name], **new})


def verdict(results: Sequence[Updated]) -> ExitCode:
    """Return the exit code for what became of services."""
    codes = [_CODES[one.result] for one in results if one.result in _CODES]
    return next(iter(codes), ExitCode.FAILED if any(one.error for one in results) else ExitCode.OK)


def _about(update: Update, path: Path) -> dict[str, Any]:
    return {
        "work_dir": str(update.work_dir),
        "configuration": str(path),
        "not_installed": update.not_installed,
        "no_longer_wanted": update.no_longer_wanted,
    }


def step_lines(printer: Printer, steps: Sequence[Step]) -> list[str]:
    """Return a plan as lines."""
    if not steps:
        return ["Nothing is installed that the configuration has."]
    rows = [(step.service, "update" if step.is_new else "-", _why(step.reason, step.changes)) for step in steps]
    new = [step.service for step in steps if step.is_new]
    end = f"{count(len(new), 'service')} to update: {phrase(new)}." if new else "Nothing to update."
    return [*printer.table(("SERVICE", "ACTION", "REASON"), rows), "", end]


def result_lines(printer: Printer, results: Sequence[Updated]) -> list[str]:
    """Return what became of services as lines."""
    if not results:
        return ["Nothing is installed that the configuration has."]
    rows = [(one.service, one.result, _became(one)) for one in results]
    return [*printer.table(("SERVICE", "RESULT", "REASON"), rows), "", headline(results)]


def headline(results: Sequence[Updated]) -> str:
    """Return the sentence that sums up what became of services."""
    by_result: dict[str, list[str]] = {}
    for one in results:
        by_result.setdefault(one.result, []).append(one.service)
    updated = by_result.get("updated", [])
    parts = [f"{count(len(updated), 'service')} updated" if updated else "Nothing was updated"]
    words = (
        ("restored", "back on its former version"),
        ("lost", "neither on its new version nor on its former one"),
        ("not reached", "not touched after that"),
        ("left out", "left out"),
    )
    parts += [f"{phrase(by_result[result])} {word}" for result, word in words if result in by_result]
    return "; ".join(parts) + "."


def left_out(document: Mapping[str, Any]) -> list[str]:
    """Return what the configuration and the installation do not have in common, in sentences."""
    lines = []
    if document["not_installed"]:
        names = phrase(document["not_installed"])
        lines.append(f"Not installed, so not updated: {names}. provisioning-run installs them.")
    if document["no_longer_wanted"]:
        lines.append(f"No longer in the configuration, and left as it is: {phrase(document['no_longer_wanted'])}.")
    return lines


def _became(one: Updated) -> str:
    """Return why a service is what it is now; where the new version failed, that is the error."""
    if one.result not in ("restored", "lost"):
        return _why(one.reason, one.changes)
    end = "the former version is back" if one.result == "restored" else "going back failed, too"
    return f"{brief(one.error)}; {end}"


def _why(reason: str, changes: Sequence[str]) -> str:
    if not changes:
        return reason
    more = f" and {len(changes) - 2} more" if len(changes) > 2 else ""
    return f"{'; '.join(changes[:2])}{more}"
