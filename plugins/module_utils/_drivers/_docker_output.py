# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers write: their logs, and the output of commands run inside them.

The engine's framed stream is taken apart, lines are put together, replicas are merged by time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ._base import LogLine
from ._docker_engine import Engine
from ._docker_errors import engine_errors
from ._log_streams import decoded, split_stamp, together

if TYPE_CHECKING:
    from requests import Response

Stream = Literal["stdout", "stderr"]

_HEADER = struct.Struct(">BxxxI")
_STREAMS: dict[int, Stream] = {0: "stdout", 1: "stdout", 2: "stderr"}


def read_logs(
    engine: Engine, containers: Sequence[str], service: str, *, follow: bool, tail: int | None
) -> Iterator[LogLine]:
    """Yield the output of a service's containers, oldest first.

    :param containers: ids of all its replicas.
    :param follow: go on as more is written, until all have ended or the caller stops reading.
    :param tail: only this many lines from the end.
    :raises DriverError: the engine does not answer.
    """
    sources = [partial(_container_lines, engine, name, service, follow, tail) for name in containers]
    yield from together(sources, follow=follow, tail=tail)


def frames(read: Callable[[int], bytes]) -> Iterator[tuple[Stream, bytes]]:
    """Take the stream of a container without a terminal apart: stdout and stderr come in turns, each with a header.

    :param read: returns up to so many bytes, fewer only at the end.
    """
    while len(header := read(_HEADER.size)) == _HEADER.size:
        kind, size = _HEADER.unpack(header)
        yield _STREAMS.get(kind, "stdout"), read(size)


def lines(parts: Iterable[tuple[Stream, bytes]], service: str) -> Iterator[LogLine]:
    """Put frames together to lines. Each frame begins with the time at which it was written."""
    unfinished: dict[Stream, tuple[float | None, bytes]] = {}
    for stream, data in parts:
        written, text = split_stamp(data)
        first, before = unfinished.pop(stream, (written, b""))
        *whole, rest = (before + text).split(b"\n")
        for line in whole:
            yield LogLine(service, decoded(line), stream, first)
        if rest:
            unfinished[stream] = (first, rest)
    for stream, (first, rest) in unfinished.items():
        yield LogLine(service, decoded(rest), stream, first)


def _container_lines(engine: Engine, container: str, service: str, follow: bool, tail: int | None) -> Iterator[LogLine]:
    query: dict[str, Any] = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow)}
    query["tail"] = "all" if tail is None else str(tail)
    # What is followed may be silent for as long as it likes.
    timeout = (engine.api.timeout, None if follow else engine.api.timeout)
    with engine_errors(service):
        url = engine.path(f"/containers/{container}/logs")
        response = engine.api.get(url, params=query, stream=True, timeout=timeout)
        try:
            response.raise_for_status()
            yield from lines(frames(response.raw.read), service)
        finally:
            response.close()


def execute(engine: Engine, container: str, service: str, command: Sequence[str], timeout: float) -> tuple[int, str]:
    """Run a command in a container; return exit code and output, stdout and stderr in the order they came.

    :param timeout: seconds; a command that takes longer goes on in there, and counts as having ended with 124.
    :raises DriverError: it cannot be run there.
    """
    import requests.exceptions
    import urllib3.exceptions

    with engine_errors(service):
        run = engine.api.exec_create(container, list(command))["Id"]
        try:
            output = _run(engine, run, timeout)
        except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
            return 124, f"did not end within {timeout:g} s"
        code = engine.api.exec_inspect(run)["ExitCode"]
    return (code if code is not None else -1), output


def _run(engine: Engine, run: str, timeout: float) -> str:
    url = engine.path(f"/exec/{run}/start")
    response: Response = engine.api.post(
        url, json={"Detach": False, "Tty": False}, stream=True, timeout=(engine.api.timeout, timeout)
    )
    try:
        response.raise_for_status()
        return b"".join(data for _stream, data in frames(response.raw.read)).decode(errors="replace")
    finally:
        response.close()
