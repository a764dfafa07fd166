# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that look at services on the hosts of an inventory: as on this host, with a column for hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    PrerequisiteError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._graph import part, unknown_service
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus

from ..exit_codes import ExitCode
from . import inspecting, inventory, looking
from .context import Request
from .inventory import HostPrinter, Hosts
from .output import Printer
from .supervising import supervision_lines, with_supervision
from .waiting import busy


@dataclass(frozen=True)
class Seen:
    """What was seen on all hosts.

    :param services: all definitions by name, as far as they tell how services belong together.
    :param statuses: with the host of each, in the order of hosts.
    """

    hosts: Hosts
    services: Mapping[str, ServiceDefinition]
    statuses: Sequence[tuple[str, ServiceStatus]]

    @property
    def found(self) -> list[ServiceStatus]:
        """The statuses alone."""
        return [one for _host, one in self.statuses]

    def printer(self, printer: Printer) -> Printer:
        """Return who writes tables of the statuses."""
        if not self.hosts.are_several:
            return printer
        return HostPrinter(printer, [host for host, _one in self.statuses])

    def verdict(self, asked: Sequence[str]) -> ExitCode:
        """Return the exit code; a host that could not be asked counts more than what is seen on others."""
        return self.hosts.verdict() or looking.verdict(self.found, self.services, asked=asked)

    def show(self, request: Request, document: Any, lines: Callable[[Printer], list[str]]) -> None:
        """Write an answer, unless no host gave one, and say what went wrong.

        :param document: it as JSON types.
        :param lines: it for people.
        """
        if self.statuses or not self.hosts.verdict():
            printer = self.printer(request.printer())
            printer.show(document, lambda: lines(printer))
        self.hosts.complain()

    def document(self, **more: Any) -> dict[str, Any]:
        """Return it as JSON types."""
        services = [{"host": host, **one.to_dict()} for host, one in self.statuses]
        return {"work_dir": self.hosts.work_dir(), **more, "services": services}


def look(request: Request, names: Sequence[str], doing: str, *, health: bool = True) -> Seen:
    """Ask all hosts for their services.

    :param names: only of these.
    :param doing: what goes on, in words.
    :raises ConfigurationError: a name is that of no service on any host.
    :raises PrerequisiteError: nothing is installed on any host, and none failed.
    """
    with busy(doing):
        hosts = inventory.run(request, "status", {"show": False, "health": health})
    results = {host.name: host.result("service_info") for host in hosts.hosts}
    services = merged([document for result in results.values() for document in result.get("definitions", ())])
    if not services and not hosts.verdict():
        remedy = "Install: provisioning-run --config FILE --inventory INV. Or name the right work dir by --work-dir."
        raise PrerequisiteError(Problem(f"--inventory {request.inventory}", "its hosts have no installation", remedy))
    if not hosts.verdict():
        raise_if_any([unknown_service(name, services) for name in names if name not in services], ConfigurationError)
    statuses = [
        (host, ServiceStatus(**document))
        for host, result in results.items()
        for document in result.get("services", ())
        if not names or document["name"] in names
    ]
    return Seen(hosts, services, statuses)


def merged(documents: Sequence[Mapping[str, Any]]) -> dict[str, ServiceDefinition]:
    """Return the definitions of all hosts together; what a service needs on one of them, it needs."""
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        before = found.setdefault(document["name"], dict(document))
        before["depends_on"] = {**document["depends_on"], **before["depends_on"]}
    return {name: build(ServiceDefinition, document, path=name) for name, document in found.items()}


def status(request: Request, services: Sequence[str] | None = None) -> int:
    """Show the status of services."""
    seen = look(request, services or (), "Looking at the services")
    supervised = supervisions(seen.hosts)
    told = [(host if seen.hosts.are_several else "", one) for host, one in supervised if not services]
    seen.show(
        request,
        seen.document(supervision=[{"host": host, **one} for host, one in supervised]),
        lambda printer: [
            *looking.status_lines(printer, seen.found),
            "",
            *looking.summed_up(seen.found, seen.services),
            *supervision_lines(printer, told),
        ],
    )
    return with_supervision(seen.verdict(services or ()), told)


def supervisions(hosts: Hosts) -> list[tuple[str, Mapping[str, Any]]]:
    """Return for each host that answered whether it is supervised."""
    answers = [(host.name, host.result("service_info").get("supervision")) for host in hosts.hosts]
    return [(name, answer) for name, answer in answers if answer]


def details(request: Request, services: Sequence[str] | None = None) -> int:
    """Show all that is known of services."""
    seen = look(request, services or (), "Looking at the services")

    def lines(printer: Printer) -> list[str]:
        shown = []
        for host, one in seen.statuses:
            first, *rest = looking.detail_lines(printer, one, seen.services)
            shown += [f"{first}  on {host}" if seen.hosts.are_several else first, *rest, ""]
        return shown[:-1]

    seen.show(request, seen.document(), lines)
    return seen.verdict(services or ())


def health(request: Request, services: Sequence[str] | None = None) -> int:
    """Check the health of services now."""
    seen = look(request, services or (), "Checking the health of the services")
    code = seen.verdict(services or ())
    document = {
        "work_dir": seen.hosts.work_dir(),
        "healthy": code is ExitCode.OK,
        "services": [{"host": host, **looking.health_document(one)} for host, one in seen.statuses],
    }
    seen.show(
        request,
        document,
        lambda printer: [*looking.health_lines(printer, seen.found), "", *looking.summed_up(seen.found, seen.services)],
    )
    return code


def list_services(request: Request, *, running: bool = False) -> int:
    """List the services that there are.

    :param running: only those that run.
    """
    seen = look(request, (), "Looking at the services", health=False)
    chosen = [(host, one) for host, one in seen.statuses if not running or one.status in ("running", "starting")]
    seen = Seen(seen.hosts, seen.services, chosen)
    document = {
        "work_dir": seen.hosts.work_dir(),
        "services": [{"host": host, **looking.list_document(one, seen.services)} for host, one in chosen],
    }
    seen.show(request, document, lambda printer: looking.list_lines(printer, seen.found, seen.services))
    return seen.hosts.verdict()


def dependencies(
    request: Request, services: Sequence[str] | None = None, *, drawing: str | None = None, reverse: bool = False
) -> int:
    """Draw what services depend on, those on other hosts among them."""
    names = list(services or ())
    inspecting.refuse_drawing(request, drawing)
    seen = look(request, names, "Reading the graph", health=False)
    chosen = part(seen.services, names, reverse=reverse) if names else dict(seen.services)
    request.printer().show(
        {"work_dir": seen.hosts.work_dir(), **inspecting.graph_document(chosen)},
        lambda: inspecting.drawn(chosen, names, drawing or "tree", reverse=reverse),
    )
    seen.hosts.complain()
    return seen.hosts.verdict()
