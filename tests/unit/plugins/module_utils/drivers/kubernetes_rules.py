# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of every manifest that is generated: the published schemas, and the restricted standard for pods."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import kubernetes_validate
from kubernetes_validate import utils

# It reads megabytes of schemas anew for each object.
utils.schema_contents = functools.cache(utils.schema_contents)

#: The oldest version that is supported, and a recent one.
VERSIONS = ("1.25", "1.34")
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SYSCTLS = {"net.ipv4.ip_unprivileged_port_start", "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range"}


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


def _contexts(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [container["securityContext"] for container in _containers(pod)]


def _probe_hosts(pod: dict[str, Any]) -> list[Any]:
    probes = [c[key] for c in _containers(pod) for key in c if key.endswith("Probe")]
    return [h["host"] for probe in probes for h in probe.values() if isinstance(h, dict) and "host" in h]


#: The controls of the restricted Pod Security Standard, each with its test.
RESTRICTED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "host namespaces": lambda pod: not {"hostNetwork", "hostPID", "hostIPC"} & set(pod),
    "privileged containers": lambda pod: not any(c.get("privileged") for c in _contexts(pod)),
    "capabilities dropped": lambda pod: all(c["capabilities"]["drop"] == ["ALL"] for c in _contexts(pod)),
    "capabilities added": lambda pod: all(
        set(c["capabilities"].get("add", ())) <= {"NET_BIND_SERVICE"} for c in _contexts(pod)
    ),
    "volume types": lambda pod: all(set(v) - {"name"} <= _VOLUMES for v in pod.get("volumes", ())),
    "host ports": lambda pod: not any("hostPort" in p for c in _containers(pod) for p in c.get("ports", ())),
    "probe hosts": lambda pod: not _probe_hosts(pod),
    "proc mount": lambda pod: not any("procMount" in c for c in _contexts(pod)),
    "seccomp": lambda pod: pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault",
    "sysctls": lambda pod: {s["name"] for s in pod["securityContext"].get("sysctls", ())} <= _SYSCTLS,
    "privilege escalation": lambda pod: all(c["allowPrivilegeEscalation"] is False for c in _contexts(pod)),
    "runs as non-root": lambda pod: pod["securityContext"]["runAsNonRoot"] is True,
    "user": lambda pod: pod["securityContext"].get("runAsUser") != 0,
}


def pods(manifests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        if "template" in manifest.get("spec", {}):
            yield manifest["spec"]["template"]["spec"]


def check_schema(manifests: list[dict[str, Any]]) -> None:
    for manifest in manifests:
        for version in VERSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)


def broken_controls(manifests: list[dict[str, Any]]) -> list[str]:
    return [name for pod in pods(manifests) for name, holds in RESTRICTED.items() if not holds(pod)]
