#!/usr/bin/env python3
"""sections.py [--jobs NUMBER] [--once-more TARGET... --] TARGET...: makes targets and says which failed.

They begin in the order given, several at a time; one that fails keeps no other from being made. What a target says is
shown whole, under its heading, as soon as it has ended. An interruption is handed on to all that runs; what that has
said is shown, too. Those named after --once-more are made again when they fail, each alone and with AGAIN=yes in its
environment: what then passes did so at the second try, and the summary says that.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

ROOT = Path(__file__).parents[1]
#: While nothing ends, this often a line says what runs, for people and for systems that take silence for death.
SECONDS_BETWEEN_SIGNS_OF_LIFE = 60.0
SECONDS_TO_END = 60.0
_PAUSE = 0.1


class Interruptions:
    """Takes note of signals; what runs is ended when the time has come, and never in the middle of a beginning."""

    def __init__(self) -> None:
        self.number = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number


@dataclass
class Section:
    """A target that is being made, or has been.

    :param target: its name.
    :param again: it has failed before.
    :param said: a file with its output.
    :param result: a word, once it has ended.
    :param seconds: how long it took.
    """

    target: str
    again: bool = False
    said: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    result: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        # In a session of its own: Ctrl-C reaches it through us, once.
        self._process = subprocess.Popen(
            [os.environ.get("MAKE") or "make", "--no-print-directory", self.target],
            cwd=ROOT,
            env={**os.environ, **({"AGAIN": "yes"} if self.again else {})},
            stdin=subprocess.DEVNULL,
            stdout=self.said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def has_ended(self) -> bool:
        """Whether it has ended by now."""
        code = self._process.poll()
        self.seconds = time.monotonic() - self._began
        if code is not None:
            self.result = "FAILED" if code else "passed at the second try" if self.again else "passed"
        return code is not None

    @property
    def has_passed(self) -> bool:
        """Whether it has ended well, at whatever try."""
        return self.result.startswith("passed")

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to it and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def show(self) -> None:
        """Print all it said."""
        print(f"\n======== {self.target} ========", flush=True)
        self.said.seek(0)
        shutil.copyfileobj(self.said, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def main() -> int:
    """Make the targets of the command line; return an exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many are made at a time")
    parser.add_argument("--once-more", nargs="+", default=[], metavar="TARGET", help="what is made again when it fails")
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    arguments = parser.parse_args()
    interruptions = Interruptions()
    ended: list[Section] = []
    running: list[Section] = []
    try:
        _make(arguments.targets, max(1, arguments.jobs), running, ended, interruptions)
        failed = [one for one in ended if one.result == "FAILED" and one.target in arguments.once_more]
        ended = [one for one in ended if one not in failed]
        _make([one.target for one in failed], 1, running, ended, interruptions, again=True)
    finally:  # also when nobody reads what we print any more
        _end(running)
    for section in running:
        section.result = "interrupted"
        section.show()
    code = _summarize([*ended, *running], arguments.targets)
    return 128 + interruptions.number if interruptions.number else code


def _make(
    targets: list[str],
    jobs: int,
    running: list[Section],
    ended: list[Section],
    interruptions: Interruptions,
    *,
    again: bool = False,
) -> None:
    """Make the targets until all are made or a signal has come."""
    waiting = list(targets)
    last_sign = time.monotonic()
    while (waiting or running) and not interruptions.number:
        if waiting and len(running) < jobs:
            running.append(Section(waiting.pop(0), again))
            print(f"-- {running[-1].target} begins{' again' if again else ''}", flush=True)
            continue
        time.sleep(_PAUSE)
        for section in [section for section in running if section.has_ended()]:
            running.remove(section)
            ended.append(section)
            section.show()
            print(f"-- {section.target} {section.result} after {section.seconds:.0f} s", flush=True)
            last_sign = time.monotonic()
        if running and time.monotonic() > last_sign + SECONDS_BETWEEN_SIGNS_OF_LIFE:
            print("--", ", ".join(f"{one.target} since {one.seconds:.0f} s" for one in running), flush=True)
            last_sign = time.monotonic()


def _end(sections: list[Section]) -> None:
    """Interrupt what runs, as Ctrl-C does, so that it cleans up; kill what does not end."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for section in sections:
            if not section.has_ended():
                section.tell(number)
        deadline = time.monotonic() + SECONDS_TO_END
        while any(not section.has_ended() for section in sections) and time.monotonic() < deadline:
            time.sleep(_PAUSE)


def _summarize(sections: list[Section], targets: list[str]) -> int:
    print("\n======== summary ========")
    for section in sorted(sections, key=lambda one: targets.index(one.target)):
        print(f"{section.target:<12} {section.result:<11} {section.seconds:6.0f} s")
    failed = [target for target in targets if any(one.target == target and not one.has_passed for one in sections)]
    if failed:
        print(
            f"Failed: {' '.join(failed)}. See above, under the heading of that name; `make {failed[0]}` runs it alone."
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
