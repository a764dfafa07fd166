# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks as Compose makes them: inside the container, where there is often nothing to make them with.

Our own checks are made from the host. For a file that is to work without us, a helper lends every container a static
busybox by way of a volume; images without any shell, such as CoreDNS's and Zot's, can be checked so too. Pure.
"""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    CommandHealthCheck,
    HttpHealthCheck,
    ServiceDefinition,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import parse_published

#: Name of the helper and of its volume.
HELPER = "healthcheck-tools"
#: What is taken when nobody names another: 1 MB, and static.
IMAGE = "docker.io/library/busybox:1.37-musl"

_TARGET = "/healthcheck"
_BUSYBOX = f"{_TARGET}/busybox"
_LONGEST_INTERVAL = 5.0  # seconds: whoever waits for the file to come up waits for one at least
_PORTS = {"http": 80, "https": 443}


def needs_helper(service: ServiceDefinition) -> bool:
    """Whether a service's check is made with what the helper lends."""
    return isinstance(service.health, (HttpHealthCheck, TcpHealthCheck))


def helper(image: str, network: str) -> dict[str, Any]:
    """Return the service that fills the volume and then waits: one that ends would count as failed with ``--wait``.

    :param image: has a static ``/bin/busybox``.
    """
    script = f"cp /bin/busybox {_BUSYBOX} && trap 'exit 0' TERM && while true; do sleep 3600 & wait $$!; done"
    return {
        "image": image,
        "command": ["/bin/busybox", "sh", "-c", script],
        "volumes": [{"type": "volume", "source": HELPER, "target": _TARGET}],
        "networks": [network],
        "healthcheck": {"test": ["CMD", _BUSYBOX, "true"], "interval": "1s", "timeout": "5s", "retries": 30},
        "restart": "unless-stopped",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def lent(service: ServiceDefinition) -> list[dict[str, Any]]:
    """Return what a container mounts for its check."""
    if not needs_helper(service):
        return []
    return [{"type": "volume", "source": HELPER, "target": _TARGET, "read_only": True}]


def healthcheck(service: ServiceDefinition) -> dict[str, Any] | None:
    """Return a service's check, to be made inside its container; nothing where that cannot be."""
    check = service.health
    if check is None:
        return None
    test = _test(service)
    if test is None:
        return None
    return {
        "test": test,
        "interval": seconds(min(check.interval, _LONGEST_INTERVAL)),
        "timeout": seconds(check.timeout),
        "retries": max(check.retries, 1),
        "start_period": seconds(max(check.start_period, service.startup.timeout)),
    }


def seconds(number: float) -> str:
    """Return a time as Compose writes it."""
    return f"{number:g}s" if number == int(number) else f"{round(number * 1000)}ms"


def _test(service: ServiceDefinition) -> list[str] | None:
    check = service.health
    if isinstance(check, CommandHealthCheck):
        return ["CMD", *check.command] if check.inside and check.expected_exit_code == 0 else None
    if isinstance(check, TcpHealthCheck):
        return _open(_inside(service, check.port))
    if isinstance(check, HttpHealthCheck):
        return _http(service, check)
    return None


def _http(service: ServiceDefinition, check: HttpHealthCheck) -> list[str]:
    parts = urlsplit(check.url)
    port = _inside(service, parts.port or _PORTS.get(parts.scheme, 80))
    takes_success = not check.expected_status or any(200 <= status < 300 for status in check.expected_status)
    if check.method.upper() != "GET" or not takes_success:
        return _open(port)  # busybox asks for pages, and takes none but good answers
    url = urlunsplit((parts.scheme, f"127.0.0.1:{port}", parts.path or "/", parts.query, ""))
    command = [_BUSYBOX, "wget", "-q"]
    command += ["--no-check-certificate"] if parts.scheme == "https" else []
    for name, value in check.headers.items():
        command += ["--header", f"{name}: {value}"]
    if check.expected_body is None:
        return ["CMD", *command, "-O", "/dev/null", url]
    script = f"{shlex.join([*command, '-O', '-', url])} | {_BUSYBOX} grep -qF -- {shlex.quote(check.expected_body)}"
    return ["CMD", _BUSYBOX, "sh", "-c", script]


def _open(port: int) -> list[str]:
    # Not every busybox has -z; all have -e, which runs a program once there is a connection.
    return ["CMD", _BUSYBOX, "nc", "-w", "5", "127.0.0.1", str(port), "-e", _BUSYBOX, "true"]


def _inside(service: ServiceDefinition, port: int) -> int:
    """Return the port in the container that leads to one on the host."""
    docker = service.deployment.docker
    for text in docker.ports if docker is not None else []:
        published = parse_published(text)
        if port in published.hosts and published.protocol == "tcp":
            return published.container
    return port
