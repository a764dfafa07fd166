# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition of the right shape can still get wrong, looked at alone."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

from ansible_collections.provisioning.platform.plugins.module_utils._cgroups import memory_bytes
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    AnyVerification,
    CommandHealthCheck,
    DnsVerification,
    FileHealthCheck,
    HealthCheck,
    HttpHealthCheck,
    SecretSpec,
    ServiceDefinition,
    TcpHealthCheck,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import references
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import (
    LONGEST_WAIT,
    MOST_TRIES,
    credential_problems,
    header_problems,
    key_problems,
    least_problems,
    path_problems,
    port_problems,
    positive_problems,
    secret_problems,
    url_problems,
    variable_name_problems,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.mode_checks import mode_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.monitoring import log_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_address
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import shown, suggestion

SERVICE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_RESERVED_LABELS = ("io.provisioning.", "com.docker.compose.")
_SECRET = re.compile(r"[A-Za-z0-9_-]+")
_MEMORY = re.compile(r"\d+(\.\d+)?[kmg]?", re.IGNORECASE)
_OCTAL = re.compile(r"0?[0-7]{3}")
_METHOD = re.compile(r"[A-Z]+")
#: Those that end a process, if it likes; what is stopped or continued has not ended.
_SIGNALS = tuple(member.name for member in signal.Signals if member.name not in ("SIGSTOP", "SIGTSTP", "SIGCONT"))
_BCRYPT_BYTES = 72
_LONGEST_AGE = 366 * LONGEST_WAIT
_MOST_CORES = 10_000
_MOST_FILES = 1 << 30
_MOST_MEMORY = 1 << 50


def definition_problems(service: ServiceDefinition) -> list[Problem]:
    """Return what is wrong with a definition that is resolved, i.e. has no placeholder left but those of secrets."""
    return [
        *_name(service),
        *_filled_in(service),
        *_labels(service),
        *_shown_secrets(service),
        *_ports(service),
        *mode_problems(service),
        *_health(service),
        *_startup(service),
        *_resources(service),
        *log_problems(f"{service.name}.logs", service.logs),
        *_secrets(service),
        *_config(service),
    ]


def _name(service: ServiceDefinition) -> Iterator[Problem]:
    if not SERVICE_NAME.fullmatch(service.name):
        yield Problem(service.name or "name", "is not a service's name", "Use a-z, 0-9 and -, at most 63 characters.")
    if not is_address(service.bind_address):
        remedy = "E.g. 127.0.0.1, or 0.0.0.0 for all addresses."
        yield Problem(f"{service.name}.bind_address", f"{service.bind_address!r} is not an IP address", remedy)


def _filled_in(service: ServiceDefinition) -> Iterator[Problem]:
    for name in ("elsewhere", "round"):
        if getattr(service, name):
            yield Problem(f"{service.name}.{name}", "is worked out, not written", "Write depends_on and hosts.")


def _labels(service: ServiceDefinition) -> Iterator[Problem]:
    for name in service.labels:
        if name.startswith(_RESERVED_LABELS):
            yield Problem(f"{service.name}.labels.{name}", "is set by the platform or by Compose", "Take it out.")


def _shown_secrets(service: ServiceDefinition) -> Iterator[Problem]:
    """Find secrets where every user of the host would see them."""
    binary, health = service.deployment.binary, service.health
    shown_to_all = {
        "deployment.binary.args": binary.args if binary else [],
        "health.command": health.command if isinstance(health, CommandHealthCheck) else [],
    }
    for path, arguments in shown_to_all.items():
        yield from secret_problems(f"{service.name}.{path}", arguments, "ps would show to every user")


def _ports(service: ServiceDefinition) -> Iterator[Problem]:
    numbers = {"port": service.port, **{f"ports.{name}": number for name, number in service.ports.items()}}
    for name, number in numbers.items():
        if number is not None:
            yield from port_problems(f"{service.name}.{name}", number)


def _health(service: ServiceDefinition) -> Iterator[Problem]:
    if service.health is not None:
        yield from _check(f"{service.name}.health", service.health)
    for index, check in enumerate(service.verify):
        yield from _check(f"{service.name}.verify[{index}]", check)


def _check(path: str, check: AnyVerification) -> Iterator[Problem]:
    yield from positive_problems(f"{path}.timeout", check.timeout, LONGEST_WAIT)
    if isinstance(check, HealthCheck):
        yield from positive_problems(f"{path}.interval", check.interval, LONGEST_WAIT)
        yield from least_problems(f"{path}.retries", check.retries, 1, MOST_TRIES)
        yield from least_problems(f"{path}.start_period", check.start_period, 0, LONGEST_WAIT)
        yield from least_problems(f"{path}.success_threshold", check.success_threshold, 1, MOST_TRIES)
    if isinstance(check, HttpHealthCheck):
        yield from _http(path, check)
    elif isinstance(check, (TcpHealthCheck, DnsVerification)):
        yield from port_problems(f"{path}.port", check.port)
        if not check.host:
            yield Problem(f"{path}.host", "is empty")
    elif isinstance(check, CommandHealthCheck):
        if not check.command or not check.command[0]:
            yield Problem(f"{path}.command", "is empty")
    elif isinstance(check, FileHealthCheck):
        yield from path_problems(f"{path}.path", check.path)
        yield from positive_problems(f"{path}.max_age", check.max_age, _LONGEST_AGE)
    if isinstance(check, DnsVerification):
        yield from _dns(path, check)


def _http(path: str, check: HttpHealthCheck) -> Iterator[Problem]:
    yield from url_problems(f"{path}.url", check.url)
    yield from header_problems(f"{path}.headers", check.headers)
    yield from credential_problems(f"{path}.headers", check.headers)
    for name in ("ca_file", "client_certificate", "client_key"):
        yield from path_problems(f"{path}.{name}", getattr(check, name))
    yield from key_problems(path, check.client_certificate, check.client_key)
    if not _METHOD.fullmatch(check.method):
        yield Problem(f"{path}.method", f"{check.method!r} is not an HTTP method", "E.g. GET.")
    for index, status in enumerate(check.expected_status):
        if not 100 <= status <= 599:
            yield Problem(f"{path}.expected_status[{index}]", f"{status} is not an HTTP status")


def _dns(path: str, check: DnsVerification) -> Iterator[Problem]:
    labels = check.name.rstrip(".").split(".")
    if len(check.name) > 253 or not all(0 < len(label.encode()) <= 63 for label in labels):
        yield Problem(f"{path}.name", f"{shown(check.name, path)} is not a DNS name")
    if check.expected_address is not None and not is_address(check.expected_address):
        yield Problem(f"{path}.expected_address", f"{check.expected_address!r} is not an IP address")


def _startup(service: ServiceDefinition) -> Iterator[Problem]:
    path = f"{service.name}.startup"
    yield from positive_problems(f"{path}.timeout", service.startup.timeout, LONGEST_WAIT)
    yield from least_problems(f"{path}.stop_timeout", service.startup.stop_timeout, 0, LONGEST_WAIT)
    limits = service.startup.limits
    yield from least_problems(f"{path}.limits.burst", limits.burst, 1)
    yield from positive_problems(f"{path}.limits.interval", limits.interval)
    yield from least_problems(f"{path}.limits.delay", limits.delay, 0)
    yield from least_problems(f"{path}.limits.max_delay", limits.max_delay, limits.delay)
    yield from least_problems(f"{path}.limits.stable", limits.stable, 0)
    name = service.startup.stop_signal
    if name not in _SIGNALS:
        remedy = suggestion(name, _SIGNALS) or "E.g. SIGTERM."
        yield Problem(f"{path}.stop_signal", f"{name!r} is not a signal", remedy)


def _resources(service: ServiceDefinition) -> Iterator[Problem]:
    path = f"{service.name}.resources"
    yield from positive_problems(f"{path}.cpu", service.resources.cpu, _MOST_CORES)
    yield from least_problems(f"{path}.open_files", service.resources.open_files, 1, _MOST_FILES)
    memory = service.resources.memory
    if memory is not None:
        text = str(memory)
        if not _MEMORY.fullmatch(text) or float(text.rstrip("kmgKMG")) <= 0:
            yield Problem(f"{path}.memory", f"{text!r} is not an amount of memory", "E.g. 512m, 2g, or bytes.")
        elif memory_bytes(text) > _MOST_MEMORY:
            yield Problem(f"{path}.memory", f"{shown(text, path)} is too large", "The most is 1048576g.")


def _secrets(service: ServiceDefinition) -> Iterator[Problem]:
    for name, spec in service.secrets.items():
        path = f"{service.name}.secrets.{name}"
        if not _SECRET.fullmatch(name):
            yield Problem(path, "is not the name of a secret", "Use letters, digits, - and _.")
        yield from least_problems(f"{path}.length", spec.length, 8)
        if spec.length > 4096:
            yield Problem(f"{path}.length", f"{spec.length} is too long", "The most is 4096.")
        if spec.environment is not None:
            yield from variable_name_problems(f"{path}.environment", {spec.environment: None})
        if spec.format != "htpasswd":
            continue
        if spec.environment is not None:
            why = "cannot be given by the environment, since the line is made of a password"
            yield Problem(f"{path}.environment", why, f"Let {spec.of} come from there.")
        source = service.secrets.get(spec.of or "")
        if source is None or source.format == "htpasswd":
            yield Problem(f"{path}.of", "names no password of this service", "Name one of its other secrets.")
        elif _characters(source) > _BCRYPT_BYTES:
            why = f"{spec.of} is longer than the {_BCRYPT_BYTES} characters that count in a password file"
            yield Problem(f"{path}.of", why, "Give it a smaller length.")
        if not spec.user or ":" in spec.user or any(character.isspace() for character in spec.user):
            yield Problem(f"{path}.user", "is missing or not a user's name", "Name the user of the password file.")


def _characters(spec: SecretSpec) -> int:
    return {"hex": 2 * spec.length, "base64": -(-4 * spec.length // 3)}.get(spec.format, spec.length)


def _config(service: ServiceDefinition) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, file in enumerate(service.config):
        path = f"{service.name}.config[{index}]"
        if not _OCTAL.fullmatch(file.mode):
            remedy = 'Write octal digits in quotes, e.g. "0600".'
            yield Problem(f"{path}.mode", f"{file.mode!r} is not a file's permissions", remedy)
        if (file.template is None) == (file.content is None):
            yield Problem(path, "needs either template or content, and not both")
        if file.dest in seen:
            yield Problem(f"{path}.dest", f"{file.dest} is written twice")
        if references(file.dest):
            yield Problem(f"{path}.dest", "holds a secret, which names of files show", "Put it into the file.")
        seen.add(file.dest)
    for dest in sorted(seen):
        if any(other.startswith(f"{dest}/") for other in seen):
            yield Problem(f"{service.name}.config", f"{dest} cannot be a file and a folder of others", "Rename one.")
