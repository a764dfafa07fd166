# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a cluster: the official client brings credentials, of files, contexts, plugins or a pod's own account."""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .._errors import DriverError, Problem
from ._kubernetes_client import Api
from ._kubernetes_light import LightClient, light_client

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

MINIMUM_VERSION = (1, 25)

_POOL = 128  # more than there are ever threads: a pool that overflows complains
_CHOOSE = "Set deployment.kubernetes.kubeconfig and context, or KUBECONFIG on the host."
_POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True)
class Cluster:
    """Which cluster is meant.

    :param kubeconfig: file with credentials; KUBECONFIG's, the usual one or the pod's own account when absent.
    :param context: context in it; its current one when absent.
    """

    kubeconfig: str | None = None
    context: str | None = None


class Connection:
    """Connects to the cluster when it is first needed, once for all threads.

    :param env: environment of this process.
    """

    def __init__(self, cluster: Cluster, *, env: Mapping[str, str] | None = None) -> None:
        self._cluster = cluster
        self._env = os.environ if env is None else env
        self._lock = threading.Lock()
        self._api: Api | None = None
        self._is_checked = False

    def api(self) -> Api:
        """Return the API.

        :raises DriverError: the client is missing, there are no credentials, the API does not answer or is too old.
        """
        with self._lock:
            api = self._known()
            if not self._is_checked:
                _check_version(api)
                self._is_checked = True
            return api

    def address(self) -> str:
        """Return the address of the API, which is not asked.

        :raises DriverError: the client is missing, or there are no credentials.
        """
        with self._lock:
            return self._known().host

    def _known(self) -> Api:
        if self._api is None:
            self._api = Api(self._light() or self._client())
        return self._api

    def _light(self) -> LightClient | None:
        """Return what serves in place of the official client where credentials are plain."""
        files = self._files()
        if files is None or os.pathsep in files or not _is_installed():
            return None
        return light_client(Path(files), self._cluster.context, self._client, env=self._env, connections=_POOL)

    def _client(self) -> ApiClient:
        try:
            from kubernetes import client, config
        except ImportError:
            why = "the Python package kubernetes is not installed"
            raise DriverError(Problem("kubernetes", why, "Install it on the host: pip install kubernetes.")) from None
        settings = client.Configuration()
        settings.connection_pool_maxsize = _POOL
        files = self._files()
        try:
            if files is None and not _POD_ACCOUNT.exists():
                raise DriverError(Problem("kubernetes", "there are no credentials for a cluster", _CHOOSE))
            if files is None:
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            else:
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    files, self._cluster.context, client_configuration=settings
                )
        except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DriverError(self._no_credentials(files or str(_POD_ACCOUNT), error)) from None
        return client.ApiClient(settings)

    def _files(self) -> str | None:
        """Return the files with credentials: those configured, KUBECONFIG's, the usual one; None without any."""
        if self._cluster.kubeconfig:
            return str(Path(self._cluster.kubeconfig).expanduser())
        named = self._env.get("KUBECONFIG")
        if named:
            return named
        usual = Path(self._env.get("HOME") or "~").expanduser() / ".kube" / "config"
        return str(usual) if usual.exists() else None

    def _no_credentials(self, files: str, error: Exception) -> Problem:
        missing = [name for name in files.split(os.pathsep) if name and not Path(name).exists()]
        if missing:
            return Problem("kubernetes", f"{missing[0]} does not exist", _CHOOSE)
        text = re.sub(r"^Invalid kube-config file\. ?", "", str(error).strip()) or type(error).__name__
        if self._cluster.context and self._cluster.context in text:
            text = f"has no context {self._cluster.context}"
        return Problem("kubernetes", f"{files}: {text}", _CHOOSE)


def _is_installed() -> bool:
    """Whether the official client can be imported, which takes long."""
    try:
        return importlib.util.find_spec("kubernetes") is not None
    except ValueError:  # somebody has seen to it that it cannot be
        return False


def _check_version(api: Api) -> None:
    answer = api.request("GET", "/version", service="kubernetes")
    digits = re.match(r"(\d+)\.(\d+)", f"{answer.get('major')}.{answer.get('minor')}")
    version = (int(digits[1]), int(digits[2])) if digits else (0, 0)
    if version < MINIMUM_VERSION:
        oldest = ".".join(map(str, MINIMUM_VERSION))
        why = f"the cluster {api.host} has version {answer.get('gitVersion', 'unknown')}"
        raise DriverError(Problem("kubernetes", why, f"Kubernetes {oldest} or later is needed: update the cluster."))
