# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of services on the hosts of an inventory, merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import LogLine
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._log_streams import dated
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem

from ..exit_codes import ExitCode
from . import inventory, reading_logs
from .context import Request
from .moments import parse_since
from .output import Form, Printer
from .waiting import busy


def show_logs(
    request: Request,
    services: Sequence[str] | None = None,
    *,
    follow: bool = False,
    since: str | None = None,
    tail: str | None = None,
) -> int:
    """Show what services have written; each line has the name of its service, and of its host where there are several.

    :raises ConfigurationError: the output is to be followed, which takes a connection for each service.
    """
    if follow:
        raise ConfigurationError(Problem("--follow", "excludes --inventory", "Follow the output on its host."))
    begin = None if since is None else parse_since(since)
    number = reading_logs.parse_tail(tail, follow=False, is_since=since is not None)
    wanted: dict[str, Any] = {"show": False}
    wanted |= {"service_names": list(services)} if services else {}
    wanted |= {"since": begin} if begin is not None else {"tail": number} if number is not None else {}
    with busy("Reading what services have written"):
        hosts = inventory.run(request, "logs", wanted)
    sources: dict[str, list[LogLine]] = {}
    for host in hosts.hosts:
        by_service: dict[str, list[LogLine]] = {}
        for line in host.result("service_logs").get("lines", ()):
            by_service.setdefault(line["service"], []).append(LogLine(**line))
        # Where a service is on several hosts, its output on each is another one.
        lead = f"{host.name}/" if hosts.are_several else ""
        sources |= {f"{lead}{name}": read(lines, begin, number, lead) for name, lines in by_service.items()}
        host.problems += [Problem(**problem) for problem in host.result("service_logs").get("problems", ())]
    _write(request.printer(), sources)
    hosts.complain()
    if hosts.verdict() or not any(host.problems for host in hosts.hosts):
        return hosts.verdict()
    return ExitCode.FAILED if services else ExitCode.DEGRADED


def read(lines: Sequence[LogLine], begin: float | None, number: int | None, lead: str = "") -> list[LogLine]:
    """Return the lines of one service that are wanted, with the times that stand in them.

    :param begin: unix time in seconds, from which on.
    :param number: how many from the end.
    :param lead: to stand before the name of the service.
    """
    found = dated(lines)
    chosen = list(found if begin is None else reading_logs.since_then(found, begin))
    wanted = chosen if number is None else chosen[-number:] if number else []
    return [dataclasses.replace(line, service=f"{lead}{line.service}") for line in wanted]


def _write(printer: Printer, sources: Mapping[str, Sequence[LogLine]]) -> None:
    colours = reading_logs.colours_of(list(sources))
    width = max(map(len, sources), default=0) if len(sources) > 1 else 0
    for line in reading_logs.merged([partial(iter, lines) for lines in sources.values()]):
        host, slash, service = line.service.rpartition("/")
        if printer.form is Form.TABLE or not slash:
            reading_logs.write_line(printer, line, name_width=width, colour=colours[line.service])
        else:
            document = {"host": host, **reading_logs.document_of(dataclasses.replace(line, service=service))}
            for text in printer.encoded(document, compact=True):
                printer.line(text)
        if not printer.is_open:
            return
