# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program ``provisioning-supervisor``."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils import _logs, _supervised
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    BusyError,
    ConfigurationError,
    PrerequisiteError,
    Problem,
    ProvisioningError,
)
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event, Journal, Sink
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import current_installation
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir, make_directory
from ansible_collections.provisioning.platform.plugins.module_utils._process import command_name
from ansible_collections.provisioning.platform.plugins.module_utils._state import locked
from ansible_collections.provisioning.platform.plugins.module_utils._supervised import SupervisorSettings
from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.loop import Supervisor

JOURNAL = "events.jsonl"
OUTBOX = "outbox.jsonl"
_MOST_BYTES = 4 * 1024 * 1024
_KEPT_JOURNALS = 3
_EXIT_CODES: dict[type[ProvisioningError], int] = {ConfigurationError: 2, PrerequisiteError: 3}


def main(arguments: Sequence[str] | None = None) -> None:
    """Supervise what is installed in a work dir until the program is asked to end.

    It exits with 0 when it was asked to end or the installation is gone, 2 when its records are damaged, and 3 when
    there is nothing to supervise or another one does it already.
    """
    layout = WorkDir(_work_dir(arguments))
    try:
        with _only_one(layout):
            _run(layout)
    except ProvisioningError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        sys.exit(next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), 1))


def _work_dir(arguments: Sequence[str] | None) -> Path:
    parser = argparse.ArgumentParser(
        prog="provisioning-supervisor",
        description="Watch what is installed in a work dir, and restart what has died or stays unhealthy.",
        epilog="example: provisioning-supervisor --work-dir ~/.provisioning",
    )
    parser.add_argument("--work-dir", default="~/.provisioning", metavar="DIR", help="the work dir (%(default)s)")
    given = parser.parse_args(arguments)
    return Path(os.path.normpath(Path(given.work_dir).expanduser().absolute()))


@contextlib.contextmanager
def _only_one(layout: WorkDir) -> Iterator[None]:
    """Be the only supervisor of a work dir for the block.

    :raises PrerequisiteError: there is no installation.
    :raises BusyError: there is another supervisor.
    """
    if not layout.state.is_dir():
        raise PrerequisiteError(
            Problem("supervisor", f"{layout.root} holds no installation", "Install one, or correct --work-dir.")
        )
    make_directory(_supervised.folder_of(layout))
    try:
        with locked(_supervised.lock_path(layout)):
            yield
    except BusyError as error:
        record = _supervised.running(layout)
        if record is None:
            raise
        pid = record.identity.pid
        why = f"pid {pid} ({command_name(pid)}) supervises {layout.root} already"
        raise BusyError(Problem("supervisor", why, "There can be only one; leave it at that.")) from error


def _run(layout: WorkDir) -> None:
    settings = _supervised.read_settings(layout) or SupervisorSettings()
    with contextlib.ExitStack() as stack:
        sinks = [_to_journal(layout), _to_log]
        notifier = _notifier(layout, settings, stack)
        supervisor = Supervisor(layout, sinks=[*sinks, *([notifier] if notifier else [])])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_asked: supervisor.stop())
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if settings.metrics:
            from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.publisher import Publisher

            stack.enter_context(Publisher(supervisor, layout, settings.metrics, _log))
        _supervised.write_record(layout, settings)
        _log(f"supervises {layout.root}")
        supervisor.run()
        _log("ends")


def _notifier(layout: WorkDir, settings: SupervisorSettings, stack: contextlib.ExitStack) -> Sink | None:
    """Return who tells the webhook, if there is one."""
    if settings.webhook is None:
        return None
    # HTTP and TLS take longer to load than all the rest, and most installations tell nobody.
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.outbox import Outbox
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget
    from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.notifier import Notifier

    notifier = Notifier(
        WebhookTarget.from_dict(settings.webhook),
        Outbox(_supervised.folder_of(layout) / OUTBOX),
        installation_id=current_installation(layout),
        host=socket.gethostname(),
    )
    stack.callback(notifier.stop)
    return notifier


def _to_journal(layout: WorkDir) -> Sink:
    journal = Journal(_supervised.folder_of(layout) / JOURNAL)

    def write(event: Event) -> None:
        try:
            _rotate(journal.path)
            journal.append(event.kind, service=event.service, data=event.data, at=event.time)
        except OSError as error:  # services are watched though the disk is full
            _log(f"{journal.path} cannot be written: {error.strerror}")

    return write


def _rotate(path: Path) -> None:
    """Put a journal that has grown large aside. Nobody else appends to it."""
    if not path.exists() or path.stat().st_size < _MOST_BYTES:
        return
    for number in range(_KEPT_JOURNALS, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number}"))
    path.rename(path.with_name(f"{path.name}.1"))


def _to_log(event: Event) -> None:
    told = event.data.get("error") or event.data.get("reason") or ""
    _log(f"{event.service}: {event.kind.rpartition('.')[2].replace('_', ' ')}{f': {told}' if told else ''}")


def _log(text: str) -> None:
    """Write a line to standard error, which is the supervisor's log or systemd's journal."""
    line = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n"
    with contextlib.suppress(OSError):
        sys.stderr.write(line)
        sys.stderr.flush()
        log = os.readlink(f"/proc/self/fd/{sys.stderr.fileno()}")
        if log.endswith("/supervisor/log"):
            _logs.rotate(Path(log))


if __name__ == "__main__":
    main()
