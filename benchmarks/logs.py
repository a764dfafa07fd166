"""How fast a process writes its log while it is rotated, beside the same process whose log is left alone."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._logs import Rotation, rotate

from benchmarks.report import Table, seconds

CONTENDERS = {
    "left alone": None,
    "rotated": Rotation(size=10 << 20, count=1000, compress=False),
    "rotated, gzip": Rotation(size=10 << 20, count=1000),
}
BASE = "left alone"
_PAUSE_SECONDS = 0.05

# Lines of 100 bytes, one in each write, as a program does that writes lines at once.
_WRITER = """
import os, sys
line, amount = b"x" * 99 + b"\\n", int(sys.argv[1])
for _ in range(amount):
    os.write(1, line)
"""


def write(path: Path, lines: int, rotation: Rotation | None) -> int:
    """Have a process write a log; return how often it was rotated meanwhile."""
    rotations = 0
    over = threading.Event()

    def keep_small() -> None:
        nonlocal rotations
        while rotation is not None and not over.wait(_PAUSE_SECONDS):
            rotations += rotate(path, rotation)

    rotator = threading.Thread(target=keep_small)
    rotator.start()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        subprocess.run([sys.executable, "-c", _WRITER, str(lines)], stdout=descriptor, check=True)
    finally:
        os.close(descriptor)
        over.set()
        rotator.join()
    return rotations


def measure(turns: int, lines: int) -> None:
    """Let all write in turns, and print how long they took."""
    table = Table(f"{lines} lines of 100 bytes to a log", BASE)
    counts: dict[str, int] = {}
    for _turn in range(turns):
        for name, rotation in CONTENDERS.items():
            with tempfile.TemporaryDirectory(prefix="provisioning-logs-") as folder:
                path = Path(folder) / "a.log"

                def work(path: Path = path, name: str = name, rotation: Rotation | None = rotation) -> None:
                    counts[name] = write(path, lines, rotation)

                table.add("written", name, seconds(work))
    table.show()
    print(", ".join(f"{name}: rotated {count} times" for name, count in counts.items()), flush=True)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    measure(given.turns, given.lines)


if __name__ == "__main__":
    main()
