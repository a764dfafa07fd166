# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition's block for a cluster can get wrong, before a manifest is made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    HelmChart,
    KubernetesDeployment,
    ServiceDefinition,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import references
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import (
    MOST_REPLICAS,
    environment_problems,
    image_problems,
    least_problems,
    mount_problems,
    path_problems,
    port_problems,
    positive_problems,
    secret_problems,
    url_problems,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import suggest_or_list

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_METADATA_NAME = re.compile(r"(?=.{1,63}\Z)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"(?=.{0,63}\Z)([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_HOST = re.compile(r"(\*\.)?" + _SUBDOMAIN.pattern)
_QUANTITY = re.compile(r"\d+(\.\d+)?([kMGTPE]|[KMGTPE]i)?")
# What a cluster adds to the name of a StatefulSet has to fit into a label of 63 characters.
_LONGEST_NAME = 52
_LONGEST_RELEASE = 53
_TOLERATION = ("effect", "key", "operator", "tolerationSeconds", "value")


def kubernetes_problems(service: ServiceDefinition) -> Iterator[Problem]:
    """Yield what is wrong with how a service is put on a cluster."""
    block = service.deployment.kubernetes
    if block is None:
        return
    path = f"{service.name}.deployment.kubernetes"
    if service.mode == "kubernetes":
        yield from _name(service)
        yield from _metadata(service)
    if not _is_label(block.namespace):
        yield Problem(f"{path}.namespace", f"{block.namespace!r} is not a namespace", "Use a-z, 0-9 and -.")
    yield from path_problems(f"{path}.kubeconfig", block.kubeconfig)
    if block.replicas is not None:
        yield from least_problems(f"{path}.replicas", block.replicas, 0, MOST_REPLICAS)
    if block.chart is not None:
        yield from _chart(f"{path}.chart", block.chart, service.name)
        words = [block.chart.chart, block.chart.repository, block.chart.version, block.chart.release]
        yield from secret_problems(f"{path}.chart", words, "ps would show to every user")
        if block.manifests or block.objects:
            yield Problem(path, "has a chart and manifests", "Keep one of them.")
    yield from _exposure(f"{path}.expose", service, block)
    yield from _pod(path, block)
    yield from _amounts(path, service, block)


def mounted(volumes: Iterable[str], tmpfs: Iterable[str]) -> list[str]:
    """Return the paths in a container on which something is mounted, of volumes that are written as they should be."""
    targets = [text.split(":")[1] for text in volumes if ":/" in text]
    return [*targets, *tmpfs]


def _name(service: ServiceDefinition) -> Iterator[Problem]:
    if not _LABEL.fullmatch(service.name) or service.name[0].isdigit() or len(service.name) > _LONGEST_NAME:
        why = "is not a name that a cluster takes"
        remedy = f"Use a-z, 0-9 and -, beginning with a letter, at most {_LONGEST_NAME} characters, or another mode."
        yield Problem(service.name, why, remedy)


def _metadata(service: ServiceDefinition) -> Iterator[Problem]:
    yield from _labels(f"{service.name}.labels", service.labels)
    for key in service.annotations:
        if not _is_key(key):
            yield Problem(f"{service.name}.annotations.{key}", "is not the name of an annotation", _KEY_REMEDY)


def _labels(path: str, labels: Mapping[str, str]) -> Iterator[Problem]:
    for key, value in labels.items():
        if not _is_key(key):
            yield Problem(f"{path}.{key}", "is not the name of a label", _KEY_REMEDY)
        elif not _LABEL_VALUE.fullmatch(value):
            remedy = "Use letters, digits, '-', '_' and '.', at most 63, or make it an annotation."
            yield Problem(f"{path}.{key}", f"{value!r} is not the value of a label", remedy)


_KEY_REMEDY = "It is a name of letters, digits, '-', '_' and '.', perhaps with a domain and / before it."


def _is_key(key: str) -> bool:
    domain, slash, name = key.rpartition("/")
    return bool(_METADATA_NAME.fullmatch(name)) and (not slash or bool(_SUBDOMAIN.fullmatch(domain)))


def _is_label(text: str) -> bool:
    return len(text) <= 63 and bool(_LABEL.fullmatch(text))


def _chart(path: str, chart: HelmChart, service: str) -> Iterator[Problem]:
    if not chart.chart.strip():
        yield Problem(f"{path}.chart", "is empty")
    elif chart.repository is not None:
        yield from url_problems(f"{path}.repository", chart.repository)
        if chart.chart.startswith(("oci://", "/")):
            why = f"{chart.chart} says itself where the chart is"
            yield Problem(f"{path}.repository", why, "Take the repository out, or write the chart's name alone.")
    elif not chart.chart.startswith(("oci://", "/")):
        why = f"{chart.chart!r} does not say where the chart is"
        yield Problem(f"{path}.chart", why, "Give its whole path, oci://registry/name, or a repository.")
    release = chart.release if chart.release is not None else service
    if len(release) > _LONGEST_RELEASE or not _LABEL.fullmatch(release):
        remedy = f"Use a-z, 0-9 and -, at most {_LONGEST_RELEASE} characters."
        yield Problem(f"{path}.release", f"{release!r} is not the name of a release", remedy)


def _exposure(path: str, service: ServiceDefinition, block: KubernetesDeployment) -> Iterator[Problem]:
    exposed = block.expose
    numbers = {"node_port": exposed.node_port, **{f"node_ports.{key}": n for key, n in exposed.node_ports.items()}}
    for key, number in numbers.items():
        if number is not None:
            yield from port_problems(f"{path}.{key}", number)
    if exposed.type != "NodePort" and any(number is not None for number in numbers.values()):
        yield Problem(f"{path}.node_port", f"has no meaning with the type {exposed.type}", "Set the type to NodePort.")
    for name in exposed.node_ports:
        if name not in service.ports:
            yield Problem(f"{path}.node_ports.{name}", "there is no such port", suggest_or_list(name, service.ports))
    if exposed.type != "ClusterIP" and service.port is None:
        yield Problem(path, "leads to the main port, and there is none", f"Set port of {service.name}.")
    if exposed.type == "Ingress" and not exposed.host:
        yield Problem(f"{path}.host", "is missing", "Name the host under which it is reached.")
    if exposed.host and not _HOST.fullmatch(exposed.host):
        yield Problem(f"{path}.host", f"{exposed.host!r} is not a host's name")
    if not exposed.path.startswith("/"):
        yield Problem(f"{path}.path", f"{exposed.path!r} does not begin with /")


def _pod(path: str, block: KubernetesDeployment) -> Iterator[Problem]:
    if block.image is not None:
        yield from secret_problems(f"{path}.image", block.image, "all who may look at pods would read")
        if not references(block.image):
            yield from image_problems(f"{path}.image", block.image)
    yield from mount_problems(path, mounted(block.volumes or (), block.tmpfs or ()))
    yield from environment_problems(f"{path}.env", block.env)
    for index, text in enumerate(block.tmpfs or ()):
        yield from path_problems(f"{path}.tmpfs[{index}]", text)
    yield from path_problems(f"{path}.working_dir", block.working_dir)
    yield from _labels(f"{path}.node_selector", block.node_selector)
    for index, toleration in enumerate(block.tolerations):
        for key in toleration:
            if key not in _TOLERATION:
                where = f"{path}.tolerations[{index}].{key}"
                yield Problem(where, "is no part of a toleration", suggest_or_list(key, _TOLERATION))
    names = {f"image_pull_secrets[{index}]": name for index, name in enumerate(block.image_pull_secrets)}
    for key, name in {**names, "service_account": block.service_account or "x"}.items():
        if not _SUBDOMAIN.fullmatch(name):
            yield Problem(f"{path}.{key}", f"{name!r} is not the name of an object", "Use a-z, 0-9, - and '.'.")


def _amounts(path: str, service: ServiceDefinition, block: KubernetesDeployment) -> Iterator[Problem]:
    if not _QUANTITY.fullmatch(block.storage.size):
        yield Problem(f"{path}.storage.size", f"{block.storage.size!r} is not a size", "E.g. 10Gi.")
    yield from positive_problems(f"{path}.requests.cpu", block.requests.cpu)
    asked, limit = block.requests.cpu, service.resources.cpu
    if asked is not None and limit is not None and asked > limit:
        why = f"{asked:g} is more than the limit of {limit:g}"
        yield Problem(f"{path}.requests.cpu", why, f"Ask for less, or raise resources.cpu of {service.name}.")
