# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One ``ansible-playbook``, run by ansible-runner in a thread of its own, that can be stopped cleanly or at once."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.provisioning.platform.plugins.module_utils import _process
from ansible_collections.provisioning.platform.plugins.module_utils._paths import write_atomically

from .exit_codes import RunnerStatus
from .private_folder import PrivateFolder
from .process_tree import children

#: Seconds between ansible-runner's looks at whether it is to cancel; its own default is 5.
_POLL = 0.5
#: Seconds that Ansible gets after an interrupt to stop its workers and clean up, before it is killed.
CANCEL_GRACE = 10.0
#: Seconds that modules get to end once Ansible itself has.
REST_GRACE = 5.0
_TAIL_LINES = 40


@dataclass(frozen=True)
class Outcome:
    """How Ansible ended.

    :param status: ansible-runner's word for it; ``error`` when it could not run at all.
    :param return_code: of ``ansible-playbook``; none when it could not run.
    :param output_tail: its last lines, for the case that nothing else tells what went wrong.
    :param error: the exception that kept it from running.
    """

    status: RunnerStatus
    return_code: int | None = None
    output_tail: tuple[str, ...] = ()
    error: Exception | None = None


@dataclass(frozen=True)
class Invocation:
    """What to run.

    :param playbook: absolute path.
    :param variables: extra vars; they travel in a 0600 file, never on the command line.
    :param environment: variables to add to this process's own.
    :param inventories: paths or host lists for ``--inventory``; none means Ansible's own default.
    :param verbosity: number of ``v``.
    """

    playbook: Path
    variables: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    inventories: tuple[str, ...] = ()
    check: bool = False
    verbosity: int = 0


class PlaybookProcess:
    """A playbook in its own thread and its own private folder, 0700, which is removed with :meth:`close`.

    :param invocation: what to run.
    :param on_output: called with each piece of Ansible's output, in the thread that calls :meth:`drain`.
    :param on_event: called with each event of ansible-runner, in that same thread.
    """

    def __init__(
        self,
        invocation: Invocation,
        *,
        on_output: Callable[[str], None] = lambda text: None,
        on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    ) -> None:
        self._invocation = invocation
        self._on_output = on_output
        self._on_event = on_event
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._private = PrivateFolder("provisioning-run-")
        self._folder = self._private.path
        self._thread = threading.Thread(target=self._run, name="ansible-runner", daemon=True)
        self._finished = threading.Event()
        self._pid: int | None = None
        self._workers: set[int] = set()
        self._cancelled_at: float | None = None
        self._killed = False
        self._status: RunnerStatus = "error"
        self._return_code: int | None = None
        self._error: Exception | None = None

    def start(self) -> None:
        """Begin.

        :raises OSError: the private folder cannot be written.
        """
        self._write_files()
        self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Wait for the end, at most ``timeout`` seconds; return whether it has come."""
        return self._finished.wait(timeout)

    def cancel(self) -> None:
        """Ask Ansible to stop its workers and end, as Ctrl-C would; after ``CANCEL_GRACE`` seconds it is killed.

        ansible-runner alone would kill at once, and Ansible's workers, which have sessions of their own, would live on.
        """
        if self._cancelled_at is not None:
            return
        self._cancelled_at = time.monotonic()
        if self._pid is not None and not self._finished.is_set():
            self._interrupt(self._pid)

    def kill(self) -> None:
        """End Ansible, its workers and the modules they run, at once. Services have sessions of their own and stay."""
        self._killed = True
        if self._cancelled_at is None:
            self._cancelled_at = time.monotonic()
        if self._pid is None or self._finished.is_set():
            return
        self._workers |= set(children(self._pid))
        for group in (*self._workers, self._pid):
            _signal_group(group, signal.SIGKILL)

    def stop_rest(self, *, at_once: Callable[[], bool] = lambda: False) -> None:
        """After a cancelled playbook has ended, wait for the modules that its workers ran; what stays on is killed.

        :param at_once: asked while waiting whether not to wait any longer.
        """
        for group in self._workers:
            _signal_group(group, signal.SIGTERM)
        deadline = time.monotonic() + REST_GRACE
        while any(_process.group_exists(group) for group in self._workers):
            if at_once() or time.monotonic() > deadline:
                for group in self._workers:
                    _signal_group(group, signal.SIGKILL)
                return
            time.sleep(0.05)

    def drain(self) -> None:
        """Hand on the events that have come since the last call."""
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return
            text = event.get("stdout")
            if text:
                self._tail.extend(str(text).splitlines())
                self._on_output(f"{text}\n")
            self._on_event(event)

    def outcome(self) -> Outcome:
        """Return how it ended; to be called after the end."""
        return Outcome(self._status, self._return_code, tuple(self._tail), self._error)

    def close(self) -> None:
        """Remove the private folder."""
        self._private.close()

    def _write_files(self) -> None:
        # A file, because ansible-runner drops the keyword when it may not write its own files.
        settings = {"pexpect_timeout": _POLL, "suppress_ansible_output": True}
        write_atomically(self._folder / "env" / "settings", json.dumps(settings), durable=False)
        write_atomically(self._folder / "variables.yml", dump_variables(self._invocation.variables), durable=False)

    def _run(self) -> None:
        try:
            # It costs 150 ms, which --help and validate need not wait for.
            import ansible_runner

            runner = ansible_runner.run(
                private_data_dir=str(self._folder),
                ident=uuid.uuid4().hex,
                playbook=str(self._invocation.playbook),
                extravars=str(self._folder / "variables.yml"),
                inventory=list(self._invocation.inventories) or None,
                envvars=dict(self._invocation.environment),
                cmdline="--check --diff" if self._invocation.check else None,
                verbosity=self._invocation.verbosity or None,
                suppress_env_files=True,
                quiet=True,
                event_handler=self._take,
                # Ours also keeps ansible-runner from replacing signal handlers.
                cancel_callback=self._must_die,
            )
            self._status, self._return_code = runner.status, runner.rc
        except Exception as error:  # noqa: BLE001  the thread's edge: whatever it is, the main thread tells it
            self._error = error
        finally:
            self._finished.set()

    def _take(self, event: dict[str, Any]) -> bool:
        # Called in Ansible's way: it only enqueues. Events of the display callback carry the pid of ansible-playbook.
        if self._pid is None and event.get("event") != "verbose" and isinstance(event.get("pid"), int):
            self._pid = event["pid"]
            if self._cancelled_at is not None:
                self._interrupt(event["pid"])
        self._events.put(event)
        return True

    def _interrupt(self, pid: int) -> None:
        # Each worker leads a group of its own, in which its module runs: that is remembered, to see that all is gone.
        self._workers = set(children(pid))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)

    def _must_die(self) -> bool:
        if self._cancelled_at is None:
            return False
        if self._killed or self._pid is None:
            return True
        if time.monotonic() - self._cancelled_at < CANCEL_GRACE:
            return False
        self.kill()
        return True


def dump_variables(variables: Mapping[str, Any]) -> str:
    """Return extra vars as YAML in which Ansible evaluates nothing: a ``{{`` in it is ours, or just text."""
    return yaml.dump(dict(variables), Dumper=_UnsafeDumper, allow_unicode=True, sort_keys=False)


class _UnsafeDumper(yaml.SafeDumper):
    """Marks text that looks like a Jinja template, so that Ansible takes it as it is."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if any(mark in text for mark in ("{{", "{%", "{#")):
        return dumper.represent_scalar("!unsafe", text, style='"')
    return dumper.represent_str(text)


_UnsafeDumper.add_representer(str, _represent_text)


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
