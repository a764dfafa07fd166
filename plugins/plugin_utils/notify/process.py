# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier as a process of its own, for plain ansible-playbook, whose forks and threads do not go together.

The child has its own session, so that Ctrl-C in a terminal does not take away the one that has to tell of it. What it
must know comes through its standard input, because that holds secrets; what became of it goes to its standard output.
It ends by itself: when the run has ended or the parent has died, and then after ``drain_seconds`` at most.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._events import RUN_FAILED, Journal
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.report import DeliveryReport
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget

_MODULE = "ansible_collections.provisioning.platform.plugins.plugin_utils.notify.process"
_LOOK_SECONDS = 0.1
_BROKEN_OFF = "The run ended before it was finished: ansible-playbook was stopped or broke off."


@dataclass(frozen=True)
class Errand:
    """What a courier process is told.

    :param journal: path of the run's journal; ``outbox`` of what cannot be delivered.
    :param offset: bytes of the journal before this run.
    :param drain_seconds: the longest it may go on after the run has ended.
    :param parent_pid: the process whose death ends the run; it must be the courier's parent.
    """

    journal: str
    outbox: str
    target: WebhookTarget
    offset: int = 0
    drain_seconds: float = 8.0
    parent_pid: int = 0

    def to_json(self) -> bytes:
        """Return what goes through the pipe."""
        return json.dumps({**vars(self), "target": self.target.to_dict()}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Errand:
        """Read what came through the pipe.

        :raises ValueError, KeyError, TypeError: it is no errand.
        """
        document = json.loads(text)
        return cls(**{**document, "target": WebhookTarget.from_dict(document["target"])})


class CourierProcess:
    """A courier that runs as a child of this process.

    :param errand: what to deliver where; ``parent_pid`` is this process.
    :raises OSError: the process cannot be started.
    """

    def __init__(self, errand: Errand) -> None:
        search = [collections_root(), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            start_new_session=True,
        )
        self._hand_over(errand)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, seconds: float) -> DeliveryReport | None:
        """Wait for its report; nothing if it has none in time or has died."""
        try:
            output, _nothing = self._process.communicate(timeout=seconds)
            return DeliveryReport(**json.loads(output))
        except (subprocess.TimeoutExpired, ValueError, TypeError):
            return None

    def _hand_over(self, errand: Errand) -> None:
        stream, self._process.stdin = self._process.stdin, None
        if stream is not None:
            # If it has died already, wait() tells.
            with contextlib.suppress(BrokenPipeError), stream:
                stream.write(errand.to_json())


def collections_root() -> str:
    """Return the folder that holds ``ansible_collections``, by which this very file was found."""
    return str(Path(__file__).absolute().parents[6])


def main() -> int:
    """Deliver what the errand on standard input says; return the exit code, 0 when everything was delivered."""
    # Imported here: HTTP and TLS are the child's business, and take the parent longer than all else it does.
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.courier import Courier

    try:
        errand = Errand.from_json(sys.stdin.buffer.read())
        journal = Journal(Path(errand.journal))
        courier = Courier(journal, errand.target, outbox=Path(errand.outbox), offset=errand.offset)
    except (ValueError, KeyError, TypeError, ConfigurationError):
        sys.stderr.write("courier: expects an errand as JSON on standard input; the webhook callback starts it.\n")
        return 2
    courier.run_in_thread()
    while not courier.look() and os.getppid() == errand.parent_pid:
        time.sleep(_LOOK_SECONDS)
    if not courier.look():
        _tell_the_end(journal)
    report = courier.finish(errand.drain_seconds)
    try:
        sys.stdout.write(json.dumps(asdict(report)))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody listens any more
    return 1 if report.undelivered else 0


def _tell_the_end(journal: Journal) -> None:
    """Write the ending that the run could not write itself, so that nobody waits for it for ever."""
    try:
        journal.append(RUN_FAILED, data={"error": _BROKEN_OFF, "kind": "failed", "problems": []})
    except OSError:
        return  # the disk is full, or the folder gone: the receiver is not told more than the journal says


if __name__ == "__main__":
    sys.exit(main())
