# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leads to a service's pods: the cluster's Services, and an Ingress. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._model import ServiceDefinition
from ._kubernetes_names import present
from ._kubernetes_workload import ServedPort, Workload, block


def headless_name(service: str) -> str:
    """Return the name of the Service through which the pods of a StatefulSet find each other."""
    return f"{service}-headless"


def services(
    service: ServiceDefinition, workload: Workload, metadata: Mapping[str, Any], selector: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the Services of a workload: the one others call, if it has ports, and a StatefulSet's headless one.

    :param metadata: labels, annotations and namespace of what is made.
    :param selector: labels of its pods.
    """
    found = []
    if workload.ports:
        exposed = block(service).expose
        kind = exposed.type if exposed.type in ("NodePort", "LoadBalancer") else "ClusterIP"
        ports = [_port(port, _node_port(service, port)) for port in workload.ports]
        spec: dict[str, Any] = {"type": kind, "selector": dict(selector), "ports": ports}
        found.append(_service(service.name, metadata, spec))
    if workload.kind == "StatefulSet":
        spec = {
            "clusterIP": "None",
            "selector": dict(selector),
            "ports": [_port(port, None) for port in workload.ports],
            # Pods that make a cluster of their own meet before they are ready.
            "publishNotReadyAddresses": True,
        }
        found.append(_service(headless_name(service.name), metadata, present(spec)))
    return found


def ingresses(
    service: ServiceDefinition, ports: Sequence[ServedPort], metadata: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the Ingress of a service that asks for one."""
    exposed = block(service).expose
    if exposed.type != "Ingress" or service.port is None or not ports:
        return []
    backend = {"service": {"name": service.name, "port": {"number": service.port}}}
    rule = {"http": {"paths": [{"path": exposed.path, "pathType": "Prefix", "backend": backend}]}}
    tls = [present({"secretName": exposed.tls_secret, "hosts": [exposed.host] if exposed.host else None})]
    spec = {
        "ingressClassName": exposed.ingress_class,
        "rules": [{**present({"host": exposed.host}), **rule}],
        "tls": tls if exposed.tls_secret else None,
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": service.name, **metadata},
            "spec": present(spec),
        }
    ]


def _service(name: str, metadata: Mapping[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **metadata}, "spec": spec}


def _port(port: ServedPort, node_port: int | None) -> dict[str, Any]:
    return present(
        {
            "name": port.name,
            "port": port.number,
            "targetPort": port.target,
            "protocol": port.protocol,
            "appProtocol": port.application,
            "nodePort": node_port,
        }
    )


def _node_port(service: ServiceDefinition, port: ServedPort) -> int | None:
    exposed = block(service).expose
    if exposed.type != "NodePort":
        return None
    if port.number == service.port:
        return exposed.node_port
    return next((exposed.node_ports.get(name) for name, number in service.ports.items() if number == port.number), None)
