# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real helm, charts in all the places they can be in, and a driver's part for them."""

from __future__ import annotations

import functools
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.helm import HelmReleases
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore

from tests.fixtures.helm import CHART, find_helm, install_helm
from tests.fixtures.ports import free_port


@pytest.fixture(scope="session")
def helm() -> Path:
    """The helm that make fetches where there is none."""
    return find_helm()


@pytest.fixture
def context(tmp_path: Path) -> Context:
    work_dir = WorkDir(tmp_path / "work")
    install_helm(work_dir)
    secrets = SecretStore(work_dir.secrets)
    secrets.write("web", {"password": Secret("hunter2hunter2")})
    return Context(work_dir=work_dir, secrets=secrets, project="shop")


@pytest.fixture
def releases(context: Context) -> HelmReleases:
    return HelmReleases(context)


@pytest.fixture
def service() -> Callable[..., ServiceDefinition]:
    """Makes a service of a chart; ``chart`` is a path, or all that the block says of it."""

    def make(chart: Any = CHART, *, name: str = "web", startup: Any = None, **block: Any) -> ServiceDefinition:
        settings = {"chart": str(chart)} if not isinstance(chart, dict) else chart
        deployment = {"mode": "kubernetes", "kubernetes": {"chart": settings, **block}}
        document = {"name": name, "deployment": deployment, "startup": startup or {}, "secrets": {"password": {}}}
        return build(ServiceDefinition, document)

    return make


@pytest.fixture(scope="session")
def packaged(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as a package, in a folder with an index."""
    folder = tmp_path_factory.mktemp("charts")
    subprocess.run([helm, "package", CHART, "--destination", folder], check=True, capture_output=True)
    subprocess.run([helm, "repo", "index", folder], check=True, capture_output=True)
    return folder / "web-1.2.3.tgz"


@pytest.fixture(scope="session")
def repository(packaged: Path) -> Iterator[str]:
    """The URL of a chart repository on loopback."""
    handler = functools.partial(_Quiet, directory=str(packaged.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def oci(helm: Path, packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The OCI reference of the chart, pushed to a real registry on loopback."""
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        _await_registry(port)
        target = f"oci://127.0.0.1:{port}/charts"
        subprocess.run([helm, "push", packaged, target, "--plain-http"], check=True, capture_output=True)
        yield f"{target}/web"
    finally:
        process.terminate()
        process.wait(60)


def _await_registry(port: int) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/v2/").close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the registry does not start"
            time.sleep(0.05)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""
