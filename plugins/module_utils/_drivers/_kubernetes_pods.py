# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod of a service: one container under the restricted standard for pods. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._cgroups import memory_bytes
from .._errors import ConfigurationError, Problem
from .._model import Scalar, ServiceDefinition
from .._secrets import references
from ._kubernetes_mounts import Mounts
from ._kubernetes_names import cores, memory, present, seconds
from ._kubernetes_probes import probes
from ._kubernetes_workload import Workload, block
from ._launch import text_of

_FIRST_UNPRIVILEGED_PORT = 1024
_SPREAD_OVER = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


def secret_environment(service: str) -> str:
    """Return the name of the Secret that holds the environment variables in which there are secrets."""
    return f"{service}-env"


def environment(workload: Workload, env: Mapping[str, Scalar]) -> dict[str, str]:
    """Return a container's environment variables, secrets as placeholders.

    :param env: of the installation, which the service's own win over.
    """
    return {name: text_of(value) for name, value in {**env, **workload.env}.items()}


def pod_spec(
    service: ServiceDefinition,
    workload: Workload,
    mounts: Mounts,
    variables: Mapping[str, str],
    selector: Mapping[str, str],
) -> dict[str, Any]:
    """Return the specification of a service's pods.

    :param selector: the labels of its pods, over which they are spread.
    """
    wanted = block(service)
    spec = {
        "serviceAccountName": wanted.service_account or service.name,
        # Nothing of ours talks to the API from inside.
        "automountServiceAccountToken": False,
        # Variables like GITEA_PORT=tcp://..., which the cluster would add for each Service, are mistaken for settings.
        "enableServiceLinks": False,
        "restartPolicy": "Never" if workload.kind == "Job" else "Always",
        "terminationGracePeriodSeconds": seconds(service.startup.stop_timeout),
        "securityContext": _pod_security(workload),
        "containers": [_container(service, workload, mounts, variables)],
        "volumes": mounts.volumes,
        "hostAliases": _host_aliases(workload.extra_hosts),
        "nodeSelector": dict(wanted.node_selector),
        "tolerations": [dict(toleration) for toleration in wanted.tolerations],
        "imagePullSecrets": [{"name": name} for name in wanted.image_pull_secrets],
        "topologySpreadConstraints": _spread(workload, selector),
    }
    return present(spec)


def _container(
    service: ServiceDefinition, workload: Workload, mounts: Mounts, variables: Mapping[str, str]
) -> dict[str, Any]:
    container = {
        "name": service.name,
        "image": workload.image,
        "imagePullPolicy": workload.pull_policy,
        "command": workload.entrypoint,
        "args": workload.command,
        "workingDir": workload.working_dir,
        "env": [_variable(service.name, name, text) for name, text in variables.items()],
        "ports": _ports(workload),
        "resources": _resources(service),
        "securityContext": _container_security(service, workload),
        "volumeMounts": mounts.mounts,
        # The last lines of a container that failed are its message, also where it writes none.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **probes(service, workload.ports),
    }
    return present(container)


def _variable(service: str, name: str, text: str) -> dict[str, Any]:
    if references(text):
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_environment(service), "key": name}}}
    return {"name": name, "value": text}


def _ports(workload: Workload) -> list[dict[str, Any]]:
    targets = dict.fromkeys((port.target, port.protocol) for port in workload.ports)
    return [{"containerPort": target, "protocol": protocol} for target, protocol in targets]


def _resources(service: ServiceDefinition) -> dict[str, Any]:
    asked, limits = block(service).requests, service.resources
    requests = {
        "cpu": limits.cpu if asked.cpu is None else asked.cpu,
        "memory": limits.memory if asked.memory is None else asked.memory,
    }
    resources = {
        "requests": _amounts(service.name, requests),
        "limits": _amounts(service.name, {"cpu": limits.cpu, "memory": limits.memory}),
    }
    return present(resources)


def _amounts(service: str, amounts: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    if amounts["cpu"] is not None:
        found["cpu"] = cores(amounts["cpu"])
    if amounts["memory"] is not None:
        try:
            found["memory"] = memory(memory_bytes(amounts["memory"]))
        except ValueError as error:
            remedy = f"Correct resources.memory and kubernetes.requests.memory of {service}."
            raise ConfigurationError(Problem(service, str(error), remedy)) from error
    return found


def _pod_security(workload: Workload) -> dict[str, Any]:
    context: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if workload.user is not None:
        uid, gid = workload.user
        group = uid if gid == -1 else gid
        context |= {"runAsNonRoot": uid != 0, "runAsUser": uid}
        context |= {} if gid == -1 else {"runAsGroup": gid}
        # Volumes and files from Secrets are the group's, so that the user can use them.
        context |= {"fsGroup": group, "fsGroupChangePolicy": "OnRootMismatch"}
    if any(port.target < _FIRST_UNPRIVILEGED_PORT for port in workload.ports):
        # Not every runtime lets a user other than root listen there; the setting is one that is safe.
        context["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    return context


def _container_security(service: ServiceDefinition, workload: Workload) -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": block(service).read_only,
        "capabilities": present({"drop": ["ALL"], "add": workload.capabilities}),
    }


def _host_aliases(hosts: Mapping[str, str]) -> list[dict[str, Any]]:
    names: dict[str, list[str]] = {}
    for name, address in hosts.items():
        names.setdefault(address, []).append(name)
    return [{"ip": address, "hostnames": found} for address, found in names.items()]


def _spread(workload: Workload, selector: Mapping[str, str]) -> list[dict[str, Any]]:
    if workload.replicas <= 1 or workload.kind == "Job":
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            # A cluster of one node still runs them all.
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": dict(selector)},
        }
        for key in _SPREAD_OVER
    ]
