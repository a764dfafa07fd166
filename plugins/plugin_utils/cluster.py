# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller does for services on a cluster: common settings, the user's own objects, and a first try."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_places import (
    ORBSTACK_KUBERNETES_CONTEXT,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    KubernetesDeployment,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model_kubernetes import DEFAULT_NAMESPACE
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import KubernetesConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.manifests import Render, load_objects
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_loopback


def with_common_settings(
    service: ServiceDefinition, config: KubernetesConfig, *, domain: str, platform: str
) -> ServiceDefinition:
    """Return a definition whose block for the cluster has, where it says nothing, what all services have in common.

    :param config: of the installation, paths in it absolute.
    :param domain: the installation's ``deployment.domain``, under which the cluster is reached unless more is said.
    :param platform: its ``deployment.platform``: OrbStack brings a cluster of its own.
    """
    block = service.deployment.kubernetes
    if service.mode != "kubernetes" or block is None:
        return service
    expose, storage = block.expose, block.storage
    outside = None if is_loopback(domain) else domain
    if expose.type == "Ingress":
        expose = dataclasses.replace(expose, ingress_class=expose.ingress_class or config.ingress_class)
    if expose.type == "LoadBalancer":
        expose = dataclasses.replace(expose, address=expose.address or outside)
    storage = dataclasses.replace(storage, storage_class=storage.storage_class or config.storage_class)
    block = dataclasses.replace(
        block,
        namespace=block.namespace if block.namespace != DEFAULT_NAMESPACE else config.namespace,
        kubeconfig=block.kubeconfig or config.kubeconfig,
        context=block.context or _common_context(block, config, platform),
        node_address=block.node_address or config.node_address or outside,
        image_pull_secrets=block.image_pull_secrets or list(config.image_pull_secrets),
        expose=expose,
        storage=storage,
    )
    return _with_block(service, block)


def _common_context(block: KubernetesDeployment, config: KubernetesConfig, platform: str) -> str | None:
    """Return the context of a service that names none; a context belongs to the file it is in."""
    if block.kubeconfig is not None:
        return None
    is_orbstack = platform == "OrbStack" and config.kubeconfig is None
    return config.context or (ORBSTACK_KUBERNETES_CONTEXT if is_orbstack else None)


def with_objects(service: ServiceDefinition, *, base: Path, render: Render) -> ServiceDefinition:
    """Return a definition with the objects of the user's manifests in place of the names of their files.

    :param base: what relative paths are relative to.
    :param render: for templates.
    :raises ConfigurationError: a manifest is wrong; all faults are in it.
    """
    block = service.deployment.kubernetes
    if service.mode != "kubernetes" or block is None or not block.manifests:
        return service
    objects = load_objects(block.manifests, base=base, service=service.name, render=render)
    return _with_block(service, dataclasses.replace(block, manifests=[], objects=[*block.objects, *objects]))


def generation_problems(service: ServiceDefinition, *, work_dir: str, platform_chose: bool) -> list[Problem]:
    """Return why no objects can be made of a definition, which is tried before anything is touched.

    :param platform_chose: whether the service is on the cluster because the platform is one, and may be elsewhere.
    """
    if service.mode != "kubernetes":
        return []
    from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_manifests import (
        manifests_for,
    )

    try:
        manifests_for(service, project="x", work_dir=WorkDir(Path(work_dir)), env={})
    except ConfigurationError as error:
        return [_with_way_out(problem, service) if platform_chose else problem for problem in error.problems]
    return []


def cluster_clashes(services: Mapping[str, ServiceDefinition]) -> Iterator[Problem]:
    """Yield what two services on one cluster cannot both have."""
    taken: dict[tuple[object, ...], str] = {}
    for name, service in services.items():
        for key, what, setting in _claimed(service):
            if key in taken:
                why = f"{name} and {taken[key]} both take {what}"
                yield Problem(f"{name}.deployment.{setting}", why, "Choose another one.")
            taken.setdefault(key, name)


def cluster_warnings(services: Mapping[str, ServiceDefinition], platform: str) -> list[str]:
    """Return what the owner of an installation on a cluster should know.

    :param platform: the configuration's ``deployment.platform``.
    """
    warnings = [
        f"{name}: its pods run as root, which a namespace under the restricted standard refuses. "
        "Set kubernetes.user to the number of another user."
        for name, service in services.items()
        if service.mode == "kubernetes" and _runs_as_root(service)
    ]
    processes = [name for name, service in services.items() if service.mode == "binary"]
    if platform == "Kubernetes" and processes:
        verb = "stays a process" if len(processes) == 1 else "stay processes"
        warnings.append(
            f"{', '.join(processes)}: {verb} on the host, for want of a kubernetes or docker block or by its owner's "
            "choice; the rest is on the cluster."
        )
    return warnings


def _claimed(service: ServiceDefinition) -> Iterator[tuple[tuple[object, ...], str, str]]:
    """Yield what a service takes on its cluster alone: key, in words, and the setting that says so."""
    block = service.deployment.kubernetes
    if service.mode != "kubernetes" or block is None:
        return
    cluster = (block.kubeconfig, block.context)
    exposed = block.expose
    if exposed.type == "NodePort":
        for number in (exposed.node_port, *exposed.node_ports.values()):
            if number is not None:
                yield (cluster, "port", number), f"port {number} of the nodes", "kubernetes.expose"
    if exposed.type == "Ingress":
        place = f"{exposed.host}{exposed.path}"
        yield (cluster, "ingress", place), f"the ingress {place}", "kubernetes.expose"
    if block.chart is not None:
        release = block.chart.release or service.name
        yield (cluster, "release", block.namespace, release), f"the release {release}", "kubernetes.chart.release"


def _runs_as_root(service: ServiceDefinition) -> bool:
    docker, block = service.deployment.docker, service.deployment.kubernetes
    if block is None or block.chart is not None or block.objects:
        return False
    user = block.user or (docker.user if docker else None)
    return (user or "").partition(":")[0] == "0"


def _with_way_out(problem: Problem, service: ServiceDefinition) -> Problem:
    blocks = {"docker": service.deployment.docker, "binary": service.deployment.binary}
    mode = next((mode for mode, block in blocks.items() if block is not None), None)
    if mode is None:
        return problem
    way_out = f"Or leave it off the cluster: set deployment.services[{service.name}].mode to {mode}."
    return dataclasses.replace(problem, remedy=f"{problem.remedy} {way_out}".strip())


def _with_block(service: ServiceDefinition, block: KubernetesDeployment) -> ServiceDefinition:
    return dataclasses.replace(service, deployment=dataclasses.replace(service.deployment, kubernetes=block))
