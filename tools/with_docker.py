#!/usr/bin/env python3
"""with_docker.py COMMAND...: runs it with a Docker engine that answers.

Where none does, one is started for the command and ended after it, however the command ends. It keeps its images apart
from those of the machine's own engine, which does not run now but may have containers that it would start.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SOCKET = Path("/var/run/docker.sock")
SECONDS_TO_START = 60
SECONDS_TO_STOP = 30


class Terminated(BaseException):
    """SIGTERM or SIGHUP came: what was started is to be ended."""


def main() -> int:
    """Run the command of the command line; return its exit code."""
    command = sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    try:
        if _answers():
            return _run(command)
        with _engine():
            return _run(command)
    except KeyboardInterrupt:
        return 130
    except Terminated:
        return 143


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _answers() -> bool:
    """Whether the engine that the docker command is set to answers it."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, check=False)
    return asked.returncode == 0


def _run(command: list[str]) -> int:
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # the terminal told it too
            raise
        except Terminated:
            process.terminate()
            process.wait()
            raise


@contextmanager
def _engine() -> Iterator[None]:
    """An engine of our own on the usual socket.

    :raises SystemExit: there is none to start, or it does not start.
    """
    if os.getuid() != 0:
        sys.exit(
            "No Docker engine answers, and only root can start one. Start it (systemctl start docker), and let this "
            "user use its socket (usermod -aG docker USER, then log in again)."
        )
    if shutil.which("docker") is None or shutil.which("dockerd") is None:
        sys.exit("Docker is not installed. Install it (on Debian: apt-get install docker.io).")
    work = Path(tempfile.mkdtemp(prefix="provisioning-docker.", dir="/run"))
    images = Path(tempfile.mkdtemp(prefix="provisioning-docker.", dir="/var/lib"))
    try:
        process = _start(work, images)
        try:
            _wait_until_it_answers(process, work / "log")
            yield
        finally:
            _stop(process)
    finally:
        _remove(work, images)


def _start(work: Path, images: Path) -> subprocess.Popen[bytes]:
    print("Starting a Docker engine for the tests", flush=True)
    SOCKET.unlink(missing_ok=True)
    command = ["dockerd", "--host", f"unix://{SOCKET}", "--pidfile", str(work / "pid")]
    command += ["--exec-root", str(work / "exec"), "--data-root", str(images)]
    with (work / "log").open("wb") as log:
        # In a session of its own, so that Ctrl-C ends the command first and the engine after it.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _wait_until_it_answers(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not _answers():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.stderr.write("\n".join(log.read_text(errors="replace").splitlines()[-30:]) + "\n")
            sys.exit("dockerd did not start; its last lines are above.")
        time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _remove(*folders: Path) -> None:
    """Remove the engine's folders; what a container left mounted in them is unmounted and not emptied."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for folder in folders:
        # Innermost first, the folder itself last: the engine mounts it onto itself where mounts are not shared.
        for point in sorted((point for point in mounted if f"{point}/".startswith(f"{folder}/")), reverse=True):
            subprocess.run(["umount", point], check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
