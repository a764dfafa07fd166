# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of an installation's configuration, as standard dataclasses that pydantic validates.

Standard dataclasses as in the engine's ``_model``: one way to write a schema, and it imports without pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ansible_collections.provisioning.platform.plugins.module_utils._fields import STRICT, described
from ansible_collections.provisioning.platform.plugins.module_utils._model import Scalar
from ansible_collections.provisioning.platform.plugins.module_utils._model_kubernetes import DEFAULT_NAMESPACE
from ansible_collections.provisioning.platform.plugins.module_utils._model_logs import LogSettings
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation

PlatformName = Literal["Docker", "Podman", "Kubernetes", "OrbStack"]
InstallationMode = Literal["Solo", "MultiUser", "CICD", "Enterprise"]
Profile = Literal["solo", "multi-user", "cicd", "enterprise"]
NotificationFormat = Literal["generic", "pagerduty", "slack"]

PROFILE_OF_MODE: dict[InstallationMode, Profile] = {
    "Solo": "solo",
    "MultiUser": "multi-user",
    "CICD": "cicd",
    "Enterprise": "enterprise",
}

# The engine of services in containers. On Kubernetes a single service may still be told to run as a container.
_ENGINE_OF_PLATFORM: dict[PlatformName, str] = {
    "Docker": "docker",
    "Podman": "podman",
    "Kubernetes": "docker",
    "OrbStack": "orbstack",
}


@dataclass(frozen=True, kw_only=True)
class ServiceOverride:
    """What an installation changes of one service, or the wish to have it.

    :param settings: a part of a definition, merged deeply over the registry's.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    name: str
    settings: dict[str, Any] = described("Any part of a definition.", {})


@dataclass(frozen=True, kw_only=True)
class KubernetesConfig:
    """What all services on the cluster have in common, unless one says otherwise."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    namespace: str = described("Namespace.", DEFAULT_NAMESPACE)
    kubeconfig: str | None = described("Kubeconfig file on the installing host; kubectl's when absent.", None)
    context: str | None = described("Context of the kubeconfig; its current one when absent.", None)
    node_address: str | None = described("Name or address of a node, under which node ports are reached.", None)
    storage_class: str | None = described("Storage class; the cluster's default when absent.", None)
    ingress_class: str | None = described("Class of ingresses; the cluster's default when absent.", None)
    image_pull_secrets: list[str] = described("Existing secrets with which images are pulled.", [])


@dataclass(frozen=True, kw_only=True)
class MetricsConfig:
    """Where the supervisor of a host shows metrics, for Prometheus."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    port: int | None = described("Port of /metrics and /health; none is opened when absent.", None)
    bind_address: str = described("Address of that port. Nobody is asked who they are.", "127.0.0.1")
    textfile: str | None = described("File for node-exporter's textfile collector, NAME.prom in its folder.", None)


@dataclass(frozen=True, kw_only=True)
class DeploymentConfig:
    """What is installed, and on what."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    platform: PlatformName = described("Where containers run: Docker, Podman, Kubernetes, OrbStack.", "Docker")
    mode: InstallationMode = described("The profile: Solo, MultiUser, CICD, Enterprise.", "Solo")
    domain: str = described("Domain or address under which the platform is reached.", "localhost")
    bind_address: str = described("Address that services listen on, unless they say otherwise.", "127.0.0.1")
    project: str = described("Prefix of containers and networks, one for each installation.", "provisioning")
    engine_url: str | None = described("Socket or address of the container engine; found by itself when absent.", None)
    kubernetes: KubernetesConfig = field(
        default_factory=KubernetesConfig, metadata={"description": "What services on a cluster have in common."}
    )
    auto_generate_secrets: bool = described("Make the secrets that are missing.", True)
    supervise: bool = described("Restart what dies or stays unhealthy.", True)
    metrics: MetricsConfig | None = described("Where the supervisor shows metrics; nowhere when absent.", None)
    logs: LogSettings = field(
        default_factory=LogSettings, metadata={"description": "How logs of processes are rotated."}
    )
    services: list[ServiceOverride] = described("Changes to the profile's services, and services beside them.", [])

    @property
    def profile(self) -> Profile:
        """The profile, as it is called in file names and on the command line."""
        return PROFILE_OF_MODE[self.mode]

    @property
    def engine(self) -> str:
        """The container engine: ``docker``, ``podman`` or ``orbstack``."""
        return _ENGINE_OF_PLATFORM[self.platform]


@dataclass(frozen=True, kw_only=True)
class NotificationConfig:
    """Whom to tell about the installation, and what."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    webhook_url: str | None = described("Where events are posted; https, or http to this machine.", None)
    format: NotificationFormat | None = described("What the receiver wants; known of some by their host.", None)
    routing_key: str | None = described("PagerDuty's key of the integration.", None)
    notify_progress: bool = described("Tell about each step.", True)
    notify_completion: bool = described("Tell about success.", True)
    notify_failure: bool = described("Tell about failure.", True)
    retry_attempts: int = described("Attempts after the first one that failed.", 3)
    headers: dict[str, str] = described("Headers of the request, e.g. Authorization.", {})
    timeout: float = described("Seconds to wait for an answer.", 15.0)


@dataclass(frozen=True, kw_only=True)
class UnattendedInstallConfig:
    """An installation, as its owner writes it down."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    installation_id: str = described("Name of the installation; made up when absent.", "")
    verbose: bool = described("Tell more, and write a debug log.", False)
    fail_fast: bool = described("Stop at the first error.", True)
    cleanup_on_failure: bool = described("Take away what a failed installation created.", True)
    provisioning_path: str | None = described("The provisioning command that operations call.", None)
    work_dir: str = described("Folder of the platform's files on its hosts.", "~/.provisioning")
    registry: list[str] = described("Files and folders of definitions beside the built-in ones.", [])
    variables: dict[str, Any] = described("Values for ${var.NAME}.", {})
    deployment: DeploymentConfig = field(
        default_factory=DeploymentConfig, metadata={"description": "What is installed, and on what."}
    )
    notifications: NotificationConfig | None = described("Whom to tell.", None)
    env_vars: dict[str, Scalar] = described("Environment variables that reach every service.", {})
    operations: dict[str, Operation] = described("What is done with the platform, and the services that it takes.", {})


TOP_LEVEL_KEYS = tuple(UnattendedInstallConfig.__dataclass_fields__)
