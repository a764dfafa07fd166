# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions of services as standard dataclasses: the one schema of the product.

On the controller pydantic validates them (``plugin_utils/validation.py``); on the target they are built from data
already validated (``_build.py``). Durations are seconds, sizes of memory are bytes or a number with a unit, paths are
absolute once resolved. What a field means is said in its ``description``, which is also what editors show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Union

from ._fields import STRICT as _STRICT
from ._fields import Scalar
from ._fields import described as _described
from ._model_kubernetes import HelmChart, KubernetesDeployment
from ._model_logs import LogSettings
from ._model_restarts import RestartLimits

__all__ = ["HelmChart", "KubernetesDeployment", "LogSettings", "RestartLimits", "Scalar"]

Mode = Literal["binary", "docker", "compose", "kubernetes", "remote"]
Condition = Literal["started", "healthy", "completed"]


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """What a service needs of another one before it starts."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    condition: Condition = _described("What the other service must be: started, healthy, or completed.", "healthy")
    restart: bool = _described("Restart this service whenever the other one was restarted.", False)
    optional: bool = _described("Do without the other service where it is not installed.", False)


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """What the four checks have in common. Timings default to those of Kubernetes' probes."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    interval: float = _described("Seconds between checks once the service is up.", 10.0)
    timeout: float = _described("Seconds after which one check counts as failed.", 5.0)
    retries: int = _described("Consecutive failures after which a running service is unhealthy.", 3)
    start_period: float = _described("Seconds after the start in which failures do not count.", 0.0)
    success_threshold: int = _described("Consecutive successes that make a service healthy.", 1)


@dataclass(frozen=True, kw_only=True)
class HttpHealthCheck(HealthCheck):
    """Healthy when the URL answers with an expected status and, if given, an expected text."""

    type: Literal["http"]
    url: str
    method: str = _described("HTTP method.", "GET")
    headers: dict[str, str] = _described("Request headers; secrets only as ${secret.NAME}.", {})
    expected_status: list[int] = _described("Statuses that mean healthy; any 2xx or 3xx when empty.", [])
    expected_body: str | None = _described("Text that the answer must contain.")
    verify_tls: bool = _described("Check the certificate of an https URL.", True)
    ca_file: str | None = _described("CA bundle for an https URL; the system's when absent.")
    client_certificate: str | None = _described("Client certificate for an https URL, PEM.")
    client_key: str | None = _described("Key of the client certificate, PEM; it may be in the certificate's file.")


@dataclass(frozen=True, kw_only=True)
class TcpHealthCheck(HealthCheck):
    """Healthy when a TCP connection can be opened."""

    type: Literal["tcp"]
    port: int
    host: str = _described("Host to connect to.", "127.0.0.1")


@dataclass(frozen=True, kw_only=True)
class CommandHealthCheck(HealthCheck):
    """Healthy when the command exits as expected. It is run without a shell, on the service's host."""

    type: Literal["command"]
    command: list[str]
    expected_exit_code: int = _described("Exit code that means healthy.", 0)
    inside: bool = _described("Run it inside the service's container instead of beside it.", False)


@dataclass(frozen=True, kw_only=True)
class FileHealthCheck(HealthCheck):
    """Healthy when the file exists and, if asked, contains a text or is fresh."""

    type: Literal["file"]
    path: str
    contains: str | None = _described("Text that the file must contain.")
    max_age: float | None = _described("Seconds since its last change at most.")


AnyHealthCheck = Union[HttpHealthCheck, TcpHealthCheck, CommandHealthCheck, FileHealthCheck]


@dataclass(frozen=True, kw_only=True)
class DnsVerification:
    """Verified when the DNS server gives an address for the name, of IPv4 or else of IPv6."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    type: Literal["dns"]
    name: str
    port: int
    host: str = _described("Address of the DNS server.", "127.0.0.1")
    expected_address: str | None = _described("Address that must be among the answers.")
    timeout: float = _described("Seconds to wait for the answer.", 5.0)


AnyVerification = Union[HttpHealthCheck, TcpHealthCheck, CommandHealthCheck, FileHealthCheck, DnsVerification]


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A service on another host that is needed here; the controller makes it of a dependency."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    host: str
    check: Union[HttpHealthCheck, TcpHealthCheck]


@dataclass(frozen=True, kw_only=True)
class Download:
    """An artefact that is fetched before a binary is started."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    url: str
    sha256: str
    dest: str | None = _described("Where to put it; bin/ of the work dir when absent.")
    extract: str | None = _described("Member of a tar or zip archive that is the executable.")


@dataclass(frozen=True, kw_only=True)
class BinaryDeployment:
    """A plain process on the host."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    command: str
    args: list[str] = _described("Arguments of the command.", [])
    env: dict[str, Scalar] = _described("Environment variables beside the installation's env_vars.", {})
    user: str | None = _described("User to run as; needs root.")
    group: str | None = _described("Group to run as; the user's own when absent.")
    working_dir: str | None = _described("Working directory; the service's data directory when absent.")
    download: Download | None = _described("Artefact to fetch first.")
    replicas: int = _described("Number of processes; each gets REPLICA in its environment.", 1)


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """How to build an image when it is not pulled."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    context: str
    containerfile: str = _described("File in the context that says how.", "Containerfile")
    args: dict[str, Scalar] = _described("Build arguments; never secrets.", {})
    target: str | None = _described("Stage to build.")


@dataclass(frozen=True, kw_only=True)
class DockerDeployment:
    """A container on Docker, Podman or OrbStack."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    image: str
    build: BuildSpec | None = _described("Build the image under this name instead of pulling it.")
    pull: Literal["missing", "always", "never"] = _described("When to pull.", "missing")
    command: list[str] = _described("Command instead of the image's own.", [])
    entrypoint: list[str] = _described("Entry point instead of the image's own.", [])
    env: dict[str, Scalar] = _described("Environment variables beside the installation's env_vars.", {})
    ports: list[str] = _described("Published ports: [address:]host:container[/udp].", [])
    volumes: list[str] = _described("Mounts: volume-name or absolute path, :, container path, optional :ro.", [])
    tmpfs: list[str] = _described("Container paths on a tmpfs.", [])
    networks: list[str] = _described("Networks beside the platform's own.", [])
    user: str | None = _described("User, or user:group, to run as.")
    working_dir: str | None = _described("Working directory in the container.")
    read_only: bool = _described("Read-only root file system.", False)
    cap_add: list[str] = _described("Capabilities to add.", [])
    cap_drop: list[str] = _described("Capabilities to drop.", ["ALL"])
    no_new_privileges: bool = _described("Forbid gaining privileges.", True)
    extra_hosts: dict[str, str] = _described("Entries for /etc/hosts.", {})
    healthcheck: bool = _described("Give the container a HEALTHCHECK made from the service's command check.", False)
    replicas: int = _described("Number of containers; from two on, published ports must be ranges or absent.", 1)


@dataclass(frozen=True, kw_only=True)
class DockerComposeDeployment:
    """A service out of a Compose file."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    file: str
    service: str | None = _described("Service in the file; the definition's name when absent.")
    project: str | None = _described("Compose project; the platform's name and that of the file's folder when absent.")
    profiles: list[str] = _described("Profiles to enable.", [])
    env_files: list[str] = _described("Files with values for ${NAME} in the file, in place of its .env.", [])
    env: dict[str, Scalar] = _described(
        "Environment variables, of the container and for ${NAME} in the file, beside the installation's env_vars.", {}
    )


@dataclass(frozen=True, kw_only=True)
class RemoteDeployment:
    """A service that runs elsewhere and is only used."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    url: str
    ca_file: str | None = _described("CA bundle for https; the system's when absent.")
    client_certificate: str | None = _described("Client certificate, PEM.")
    client_key: str | None = _described("Key of the client certificate, PEM; it may be in the certificate's file.")
    token: str | None = _described("Bearer token of its checks, as ${secret.NAME}.")


@dataclass(frozen=True, kw_only=True)
class ServiceDeployment:
    """How a service is deployed: the mode in use, and a block for each mode it supports."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    mode: Mode
    binary: BinaryDeployment | None = _described("As a process.")
    docker: DockerDeployment | None = _described("As a container.")
    compose: DockerComposeDeployment | None = _described("Out of a Compose file.")
    kubernetes: KubernetesDeployment | None = _described("On a cluster.")
    remote: RemoteDeployment | None = _described("Elsewhere.")


@dataclass(frozen=True, kw_only=True)
class StartupConfig:
    """How a service is started and stopped."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    timeout: float = _described("Seconds from the start until it must be healthy.", 60.0)
    stop_timeout: float = _described("Seconds from the stop signal until it is killed.", 10.0)
    stop_signal: str = _described("Signal that asks it to stop.", "SIGTERM")
    restart: Literal["no", "on-failure", "always", "unless-stopped"] = _described(
        "When the engine or the supervisor restarts it.", "unless-stopped"
    )
    limits: RestartLimits = field(
        default_factory=RestartLimits, metadata={"description": "How often the supervisor restarts it."}
    )


@dataclass(frozen=True, kw_only=True)
class ResourceLimits:
    """Limits, enforced where the mode and the machine can."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    cpu: float | None = _described("Cores, e.g. 0.5.")
    memory: int | str | None = _described("Bytes, or a number with the unit k, m, g (powers of 1024).")
    open_files: int | None = _described("Open files at most (RLIMIT_NOFILE).")


@dataclass(frozen=True, kw_only=True)
class SecretSpec:
    """A secret that is made once, where it is missing, or given by the environment of who installs.

    ``htpasswd`` is a line for a password file, derived from another secret of the same service.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    length: int = _described("Characters; for base64 and hex, random bytes.", 32)
    format: Literal["password", "hex", "base64", "htpasswd"] = _described("What it looks like.", "password")
    of: str | None = _described("htpasswd: the secret that is the password.")
    user: str | None = _described("htpasswd: the user's name.")
    environment: str | None = _described("Variable of the installing machine's environment to take it from.")


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """A configuration file, rendered on the controller.

    After rendering ``template`` is gone and ``content`` holds the text, with secrets still as placeholders.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    dest: str
    template: str | None = _described("Jinja template, relative to the definition's templates folder.")
    content: str | None = _described("Text instead of a template.")
    mode: str = _described("Permissions, octal.", "0600")


@dataclass(frozen=True, kw_only=True)
class ServiceDefinition:
    """A named thing to run."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    deployment: ServiceDeployment
    description: str = _described("One line on what it is for.", "")
    port: int | None = _described("Main port.")
    ports: dict[str, int] = _described("Further ports by name.", {})
    scheme: str = _described("Scheme of its URL.", "http")
    bind_address: str = _described("Address it listens on.", "127.0.0.1")
    enabled: bool = _described("Whether it is installed.", True)
    required: bool = _described("Whether the installation fails without it.", True)
    auto_start: bool = _described("Whether it is started with the platform.", True)
    hosts: list[str] = _described(
        "Hosts or groups of the inventory that it is placed on; the group of its name when empty, else the first host.",
        [],
    )
    start_order: int = _described("Breaks ties between services that could start at once; lower is earlier.", 100)
    depends_on: dict[str, Dependency] = _described("Services it needs, with the condition.", {})
    conflicts: list[str] = _described("A service, a process name or host:port that must not be there.", [])
    health: AnyHealthCheck | None = _described("How its health is found out; running is enough when absent.")
    verify: list[AnyVerification] = _described("What it must be able to do once installed.", [])
    startup: StartupConfig = field(
        default_factory=StartupConfig, metadata={"description": "How it is started and stopped."}
    )
    resources: ResourceLimits = field(default_factory=ResourceLimits, metadata={"description": "Its limits."})
    logs: LogSettings | None = _described("When the log of its process is rotated, and what is kept.")
    secrets: dict[str, SecretSpec] = _described("Secrets it needs, by name.", {})
    config: list[ConfigFile] = _described("Its configuration files.", [])
    variables: dict[str, Any] = _described("Values for its templates: ${self.NAME} and {{ variables.NAME }}.", {})
    labels: dict[str, str] = _described("Labels for its container or objects.", {})
    annotations: dict[str, str] = _described("Annotations for its objects.", {})
    elsewhere: dict[str, Elsewhere] = _described(
        "What it needs of other hosts, by name of the service; filled in from depends_on.", {}, filled_in=True
    )
    round: int = _described("When it starts on a platform of many hosts; filled in.", 0, filled_in=True)

    @property
    def mode(self) -> Mode:
        """The mode in use."""
        return self.deployment.mode

    @property
    def is_ours(self) -> bool:
        """Whether it is ours to start and to stop; what runs elsewhere is only used."""
        return self.deployment.mode != "remote"

    @property
    def url(self) -> str | None:
        """Where it answers its own host or, on a cluster that publishes it nowhere, in there; None without a port."""
        if self.deployment.mode == "remote" and self.deployment.remote is not None:
            return self.deployment.remote.url
        if self.deployment.mode == "kubernetes" and self.deployment.kubernetes is not None:
            return self.deployment.kubernetes.url(self.name, self.scheme, self.port)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind_address, self.bind_address)  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{host}:{self.port}" if self.port else None


@dataclass(frozen=True, kw_only=True)
class ServiceRegistry:
    """All definitions of a platform by name."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    services: dict[str, ServiceDefinition] = _described("Definitions by name.", {})


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """What reality does not keep about a service: why, when, by whom.

    :param definition: the definition it was last started with, as JSON types, secrets as placeholders.
    :param rendered: what the driver made of it; tells which setting changed.
    :param project: of its containers, which were made on ``engine`` at ``engine_url``; of what is on a cluster,
        ``engine_url`` alone is known: the cluster's address.
    """

    name: str
    mode: Mode
    wanted: Literal["started", "stopped"] = "started"
    health: Literal["unknown", "healthy", "unhealthy"] = "unknown"
    reason: str = ""
    changed_at: float | None = None
    changed_by: str = ""
    started_at: float | None = None
    restarts: int = 0
    last_error: str | None = None
    definition: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Any] = field(default_factory=dict)
    project: str | None = None
    engine: str | None = None
    engine_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class ServiceOperation:
    """A request to do something to services.

    :param services: names; empty means all.
    :param reason: why, for the audit log.
    """

    operation: Literal["start", "stop", "restart", "remove"]
    services: tuple[str, ...] = ()
    with_dependents: bool = False
    force: bool = False
    reason: str = ""
