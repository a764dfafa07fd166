# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller does for services on a cluster: common settings, the user's own objects, and a first try."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    KubernetesDeployment,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model_kubernetes import DEFAULT_NAMESPACE
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import KubernetesConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.manifests import Render, load_objects


def with_common_settings(service: ServiceDefinition, config: KubernetesConfig) -> ServiceDefinition:
    """Return a definition whose block for the cluster has, where it says nothing, what all services have in common.

    :param config: of the installation, paths in it absolute.
    """
    block = service.deployment.kubernetes
    if service.mode != "kubernetes" or block is None:
        return service
    expose, storage = block.expose, block.storage
    if expose.type == "Ingress":
        expose = dataclasses.replace(expose, ingress_class=expose.ingress_class or config.ingress_class)
    storage = dataclasses.replace(storage, storage_class=storage.storage_class or config.storage_class)
    block = dataclasses.replace(
        block,
        namespace=block.namespace if block.namespace != DEFAULT_NAMESPACE else config.namespace,
        kubeconfig=block.kubeconfig or config.kubeconfig,
        context=block.context or config.context,
        node_address=block.node_address or config.node_address,
        image_pull_secrets=block.image_pull_secrets or list(config.image_pull_secrets),
        expose=expose,
        storage=storage,
    )
    return _with_block(service, block)


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


def _with_way_out(problem: Problem, service: ServiceDefinition) -> Problem:
    blocks = {"docker": service.deployment.docker, "binary": service.deployment.binary}
    mode = next((mode for mode, block in blocks.items() if block is not None), None)
    if mode is None:
        return problem
    way_out = f"Or leave it off the cluster: set deployment.services[{service.name}].mode to {mode}."
    return dataclasses.replace(problem, remedy=f"{problem.remedy} {way_out}".strip())


def _with_block(service: ServiceDefinition, block: KubernetesDeployment) -> ServiceDefinition:
    return dataclasses.replace(service, deployment=dataclasses.replace(service.deployment, kubernetes=block))
