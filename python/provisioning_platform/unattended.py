# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``run_unattended()``: an installation from its configuration to its end, for programs and for the command line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._state import locked
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.settings import DEFAULT_WORK_DIR
from ansible_collections.provisioning.platform.plugins.plugin_utils.run_lock import obstacle

from . import __version__, collection
from .cancellation import Cancellation
from .configuration import Installation, load_installation
from .exit_codes import ExitCode, decide
from .plan_view import PlannedAction
from .playbook_run import OnEvent, PlaybookRequest, PlaybookResult, run_playbook
from .private_folder import PrivateFolder
from .run_log import FILE_NAME
from .run_state import RunView
from .webhooks import Webhooks

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import UnattendedInstallConfig
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.courier import DeliveryReport

#: Ansible's ``-vv``: files and lines of tasks, no internals of connections.
_VERBOSE = 2


@dataclass(frozen=True)
class RunResult:
    """How an installation went.

    :param exit_code: what ``provisioning-run`` exits with.
    :param view: steps and services as they are now, as far as the journal tells.
    :param events: the run's events, in order.
    :param journal: where they are kept; none in check mode.
    :param log: the debug log, if one was kept.
    :param plan: in check mode, what would be done.
    :param delivery: what became of the webhooks; none where there was nobody to tell.
    """

    exit_code: ExitCode
    installation_id: str
    view: RunView
    events: tuple[Event, ...]
    journal: Path | None = None
    log: Path | None = None
    plan: tuple[PlannedAction, ...] = ()
    delivery: DeliveryReport | None = None


def run_unattended(
    config: UnattendedInstallConfig | Mapping[str, Any] | Path | str,
    *,
    check: bool = False,
    on_event: OnEvent | None = None,
    inventory: str | None = None,
    variables: Mapping[str, Any] | None = None,
    cancellation: Cancellation | None = None,
) -> RunResult:
    """Install a platform, or in check mode find out what that would change.

    Nothing is touched before the whole configuration has been found valid. Signals are left alone; who wants them to
    stop the run passes a ``cancellation`` and calls its ``request()``.

    :param config: a TOML or YAML file, its content, or a configuration already validated.
    :param check: touch nothing; the plan is in the result.
    :param on_event: called with each event and the run so far, in the thread that calls this function.
    :param inventory: inventory file or host list for Ansible; this machine when absent.
    :param variables: values for ``${var.NAME}``, over those of the configuration.
    :raises ConfigurationError: the configuration is invalid; one problem for each fault.
    :raises PrerequisiteError: another run of this installation is in progress, or its folder cannot be written.
    """
    installation = load_installation(config, variables=variables, on_hosts=inventory is not None)
    return run_installation(
        installation, check=check, on_event=on_event, inventory=inventory, cancellation=cancellation or Cancellation()
    )


def run_installation(
    installation: Installation,
    *,
    cancellation: Cancellation,
    check: bool = False,
    on_event: OnEvent | None = None,
    inventory: str | None = None,
) -> RunResult:
    """Install what has been loaded and validated; the rest is as in :func:`run_unattended`."""
    on_event = on_event or (lambda event, view: None)
    with _folder(installation, check=check, inventory=inventory) as folder:
        request = PlaybookRequest(
            playbook=collection.playbook("install"),
            variables=installation.playbook_variables(),
            journal=folder / "events.jsonl",
            installation_id=installation.installation_id,
            check=check,
            inventories=_inventories(inventory),
            verbosity=_VERBOSE if installation.config.verbose else 0,
            log=folder / FILE_NAME if installation.config.verbose and not check else None,
            modes={name: one.mode for name, one in installation.platform.registry.services.items()},
        )
        on_event = _with_metrics(installation, on_event, on_this_machine=inventory is None and not check)
        webhooks = Webhooks(None if check else installation.target, request.journal)
        try:
            result = run_playbook(request, cancellation=cancellation, on_event=on_event)
        finally:
            delivery = webhooks.finish(at_once=lambda: cancellation.is_urgent)
    return _result(installation, request, result, cancellation, delivery)


def run_operation(
    operation: str,
    installation: Installation,
    *,
    variables: Mapping[str, Any] | None = None,
    cancellation: Cancellation | None = None,
    on_event: OnEvent | None = None,
    inventory: str | None = None,
) -> PlaybookResult:
    """Run another playbook of the collection for an installation, e.g. ``uninstall``, the way installations are run.

    Its events are not kept: it may be the installation's folder that goes.

    :param variables: further extra vars, e.g. ``{"purge": True}``.
    :raises PrerequisiteError: there is no such playbook.
    """
    with PrivateFolder("provisioning-operation-") as folder:
        request = PlaybookRequest(
            playbook=collection.playbook(operation),
            variables={**installation.playbook_variables(), **(variables or {})},
            journal=folder / "events.jsonl",
            installation_id=installation.installation_id,
            inventories=_inventories(inventory),
            verbosity=_VERBOSE if installation.config.verbose else 0,
        )
        return run_playbook(request, cancellation=cancellation, on_event=on_event or (lambda event, view: None))


def _with_metrics(installation: Installation, on_event: OnEvent, *, on_this_machine: bool) -> OnEvent:
    """Return what also writes the installation's progress and result for node-exporter, where that is wanted.

    A file that cannot be written is a warning: nobody's installation fails for it.
    """
    metrics = installation.config.deployment.metrics
    if metrics is None or metrics.textfile is None or not on_this_machine:
        return on_event
    from ansible_collections.provisioning.platform.plugins.plugin_utils.installation_metrics import InstallationFile

    file = InstallationFile(Path(metrics.textfile), __version__)

    def take(event: Event, view: RunView) -> None:
        try:
            file.take(event)
        except PrerequisiteError as error:
            if str(error) not in view.warnings:
                view.warnings.append(str(error))
        on_event(event, view)

    return take


@contextlib.contextmanager
def _folder(installation: Installation, *, check: bool, inventory: str | None) -> Iterator[Path]:
    """Make the run's folder on this machine and hold it against a second run; in check mode a passing one."""
    with contextlib.ExitStack() as stack:
        if check:
            yield stack.enter_context(PrivateFolder("provisioning-plan-"))
            return
        folders = [WorkDir(installation.work_dir).installations / installation.installation_id]
        if inventory is not None:
            # The work dir is a path on the hosts; this machine may have no room or right for it.
            default = WorkDir(Path(DEFAULT_WORK_DIR).expanduser())
            folders.append(default.installations / installation.installation_id)
        yield _hold_first(folders, stack)


def _hold_first(folders: list[Path], stack: contextlib.ExitStack) -> Path:
    """Make and lock the first folder that can be; return it.

    :raises PrerequisiteError: none can be, or another run holds it.
    """
    problems = []
    for folder in folders:
        try:
            stack.enter_context(locked(folder / "run.lock"))
        except OSError as error:
            problems.append(obstacle(folder.parents[1], error))
        else:
            return folder
    raise PrerequisiteError(*problems)


def _inventories(inventory: str | None) -> tuple[str, ...]:
    if inventory is None:
        return ()
    # Ansible is run in another folder, so that a path has to be absolute; a host list such as "a,b," stays as it is.
    return (str(Path(inventory).absolute()),) if Path(inventory).exists() else (inventory,)


def _result(
    installation: Installation,
    request: PlaybookRequest,
    result: PlaybookResult,
    cancellation: Cancellation,
    delivery: DeliveryReport | None,
) -> RunResult:
    return RunResult(
        exit_code=decide(
            result.events,
            status=result.outcome.status,
            signal_number=cancellation.signal_number,
            check=request.check,
        ),
        installation_id=installation.installation_id,
        view=result.view,
        events=result.events,
        journal=None if request.check else request.journal,
        log=result.log,
        plan=result.plan,
        delivery=delivery,
    )
