# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What definitions that are right alone can still get wrong together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._graph import dependencies_of, find_cycle
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.cluster import cluster_clashes
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import Listener, listeners
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import suggest_or_list

Services = Mapping[str, ServiceDefinition]


def platform_problems(
    services: Services, *, known: Collection[str], platform: str, here: Collection[str] | None = None
) -> list[Problem]:
    """Return what is wrong between the services of an installation.

    :param services: those that are installed.
    :param known: all names that the registry has.
    :param platform: the configuration's ``deployment.platform``.
    :param here: the services that share our host; all by default.
    """
    neighbours = services if here is None else {name: services[name] for name in here}
    return [
        *_dependencies(services, known),
        *_endless(services),
        *_cycle(services),
        *_port_clashes(neighbours),
        *_conflicts(neighbours),
        *cluster_clashes(services),
        *_unoffered_modes(services, platform),
    ]


def _dependencies(services: Services, known: Collection[str]) -> Iterator[Problem]:
    for name, service in services.items():
        for need in service.depends_on:
            path = f"{name}.depends_on.{need}"
            if need in services:
                continue
            if need in known:
                remedy = f"Enable {need} in deployment.services, or take it out of depends_on."
                yield Problem(path, f"{name} needs {need}, which is not installed here", remedy)
            else:
                yield Problem(path, "there is no such service", suggest_or_list(need, known))


def _endless(services: Services) -> Iterator[Problem]:
    for name, service in services.items():
        for need, dependency in service.depends_on.items():
            if need in services and not services[need].is_ours and dependency.condition == "completed":
                why = f"{need} runs elsewhere, and nobody here learns that it has completed"
                yield Problem(f"{name}.depends_on.{need}", why, "Write healthy or started.")


def _cycle(services: Services) -> Iterator[Problem]:
    cycle = find_cycle({name: [n for n in needs if n in services] for name, needs in dependencies_of(services).items()})
    if cycle:
        yield Problem(" -> ".join(cycle), "these services wait for each other", "Remove one of the dependencies.")


def _port_clashes(services: Services) -> Iterator[Problem]:
    taken: dict[tuple[int, str], list[tuple[str, Listener]]] = {}
    for name, service in services.items():
        for listener in listeners(service):
            others = taken.setdefault((listener.port, listener.protocol), [])
            for other, theirs in others:
                if listener.clashes_with(theirs):
                    yield _clash(name, listener, other)
                    break
            others.append((name, listener))


def _clash(name: str, listener: Listener, other: str) -> Problem:
    if name == other:
        return Problem(f"{name}.ports", f"takes {listener} twice")
    why = f"{name} and {other} both take port {listener.port} ({listener.protocol}) on {listener.address}"
    return Problem(f"{name}.port", why, f"Set deployment.services[{name}].port to another one.")


def _conflicts(services: Services) -> Iterator[Problem]:
    for name, service in services.items():
        for other in service.conflicts:
            if other == name:
                yield Problem(f"{name}.conflicts", "names the service itself", "Take it out.")
            elif other in services:
                yield Problem(f"{name}.conflicts", f"{name} cannot run beside {other}", "Disable one of them.")


def _unoffered_modes(services: Services, platform: str) -> Iterator[Problem]:
    if platform != "OrbStack":
        return
    for name, service in services.items():
        if service.mode == "binary":
            yield Problem(
                f"{name}.deployment.mode",
                "OrbStack means macOS, where services cannot run as processes (binary)",
                f"Set deployment.services[{name}].mode to a mode that it has, or disable it.",
            )
