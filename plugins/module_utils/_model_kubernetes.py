# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the schema that says how a service runs on a cluster; see ``_model`` for the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Union

from ._fields import STRICT, Scalar, described

#: How much of a volume's nodes may use it at once, in Kubernetes' words.
AccessMode = Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"]
ExposureType = Literal["ClusterIP", "NodePort", "LoadBalancer", "Ingress"]

DEFAULT_NAMESPACE = "provisioning"


@dataclass(frozen=True, kw_only=True)
class HelmChart:
    """A Helm chart."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    chart: str
    repository: str | None = described("Repository URL; absent for a path or an OCI reference.")
    version: str | None = described("Chart version.")
    release: str | None = described("Release name; the service's when absent.")
    values: dict[str, Any] = described("Values.", {})
    plain_http: bool = described("Reach an OCI registry without TLS; for one on this machine.", False)


@dataclass(frozen=True, kw_only=True)
class KubernetesStorage:
    """The volumes that a service's data is kept on."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    size: str = described("Size of each volume, as Kubernetes writes it.", "10Gi")
    storage_class: str | None = described("Storage class; the cluster's default when absent.")
    access_mode: AccessMode = described("How many nodes may use it, and how.", "ReadWriteOnce")


@dataclass(frozen=True, kw_only=True)
class KubernetesExposure:
    """How a service is reached from beyond the cluster."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    type: ExposureType = described("ClusterIP (not at all), NodePort, LoadBalancer or Ingress.", "ClusterIP")
    address: str | None = described("NodePort, LoadBalancer: the name or address that leads there from outside.")
    node_port: int | None = described("NodePort: port of the nodes for the main port; any when absent.")
    node_ports: dict[str, int] = described("NodePort: ports of the nodes for the further ports, by name.", {})
    host: str | None = described("Ingress: host name.")
    path: str = described("Ingress: path below which everything goes to the service.", "/")
    ingress_class: str | None = described("Ingress: class; the cluster's default when absent.")
    tls_secret: str | None = described("Ingress: secret with the certificate, made by others, in the namespace.")


@dataclass(frozen=True, kw_only=True)
class KubernetesRequests:
    """What the scheduler sets aside for a pod."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    cpu: float | None = described("Cores; resources.cpu when absent.")
    memory: Union[int, str, None] = described("Bytes, or a number and k, m, g; resources.memory when absent.")


@dataclass(frozen=True, kw_only=True)
class KubernetesDeployment:
    """A workload on a cluster. Of what it leaves out, the docker block says the most."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    namespace: str = described("Namespace.", DEFAULT_NAMESPACE)
    kubeconfig: str | None = described("Kubeconfig file on the installing host; the client's own choice when absent.")
    context: str | None = described("Context of the kubeconfig; its current one when absent.")
    replicas: int | None = described("Number of pods; the docker block's when absent.")
    update: Literal["rolling", "recreate", "blue-green"] = described("How a new version replaces the old.", "rolling")
    force_conflicts: bool = described("Take over fields that another manager owns.", False)
    manifests: list[str] = described("Manifest files or folders, .j2 ones rendered, instead of generated ones.", [])
    objects: list[dict[str, Any]] = described("Objects as data, beside those of the manifests.", [])
    chart: HelmChart | None = described("Helm chart instead of manifests.")
    kind: Literal["Deployment", "StatefulSet"] | None = described(
        "Workload; when absent, a StatefulSet if it keeps data."
    )
    image: str | None = described("Image; the docker block's when absent.")
    pull: Literal["missing", "always", "never"] | None = described("When to pull; as in the docker block when absent.")
    entrypoint: list[str] | None = described("Entry point; the docker block's when absent.")
    command: list[str] | None = described("Command; the docker block's when absent.")
    env: dict[str, Scalar] = described("Environment variables beside those of the docker block.", {})
    ports: list[str] | None = described("[port:]container port[/udp]; those of the docker block when absent.")
    volumes: list[str] | None = described("Mounts, as in the docker block; its when absent.")
    tmpfs: list[str] | None = described("Paths in memory, as in the docker block; its when absent.")
    user: str | None = described("uid or uid:gid; the docker block's when absent.")
    working_dir: str | None = described("Working directory; the docker block's when absent.")
    read_only: bool = described("Read-only root file system, /tmp apart.", True)
    requests: KubernetesRequests = field(
        default_factory=KubernetesRequests, metadata={"description": "What is set aside for each pod."}
    )
    storage: KubernetesStorage = field(
        default_factory=KubernetesStorage, metadata={"description": "Volumes for its data."}
    )
    expose: KubernetesExposure = field(
        default_factory=KubernetesExposure, metadata={"description": "How it is reached from beyond the cluster."}
    )
    node_address: str | None = described("Name or address of a node, under which node ports are reached.")
    service_account: str | None = described("Existing account to run as; one without rights is made when absent.")
    node_selector: dict[str, str] = described("Labels that its nodes must have.", {})
    tolerations: list[dict[str, Any]] = described("Taints of nodes that it puts up with, in Kubernetes' words.", [])
    image_pull_secrets: list[str] = described("Existing secrets with which its image is pulled.", [])

    def url(self, name: str, scheme: str, port: int | None) -> str | None:
        """Return where the main port of a service is reached: from outside where that is known, else on the cluster."""
        exposed = self.expose
        if exposed.type == "Ingress" and exposed.host and not exposed.host.startswith("*"):
            return f"{'https' if exposed.tls_secret else 'http'}://{exposed.host}{exposed.path.rstrip('/')}"
        node = exposed.address or self.node_address
        if exposed.type == "NodePort" and exposed.node_port is not None and node is not None:
            return f"{scheme}://{_bracketed(node)}:{exposed.node_port}"
        if port is None:
            return None
        if exposed.type == "LoadBalancer" and exposed.address is not None:
            return f"{scheme}://{_bracketed(exposed.address)}:{port}"
        return f"{scheme}://{name}.{self.namespace}.svc:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
