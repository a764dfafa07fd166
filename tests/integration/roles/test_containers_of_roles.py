# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that run in containers, as their roles define them, on real engines with stand-ins for their images."""

from __future__ import annotations

import base64
import dataclasses
import functools
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._config_files import file_digest
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import ConfigWriter
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT, Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.docker import DockerDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError
from ansible_collections.provisioning.platform.plugins.module_utils._health import check_health
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    DnsVerification,
    ServiceDefinition,
    ServiceRegistry,
)
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir, make_directory
from ansible_collections.provisioning.platform.plugins.module_utils._plan import digest_of
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore
from ansible_collections.provisioning.platform.plugins.module_utils._wait import verify_service, wait_for_service
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    DeploymentConfig,
    ServiceOverride,
    UnattendedInstallConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve
from ansible_collections.provisioning.platform.plugins.plugin_utils.secret_values import missing

from tests.fixtures.ports import free_ports
from tests.fixtures.standins import build_standins

ROLES = Path(__file__).parents[3] / "roles"
PROCESSES = ("orchestrator", "control-center", "api-server", "mcp-server")
WATCHERS = ("prometheus", "alertmanager", "grafana", "loki", "tempo", "openbao")
CONTAINERS = ("coredns", "gitea", "oci-registry", "postgres", *WATCHERS, "api-gateway")


def test_every_service_of_a_container_becomes_healthy_and_passes_its_verification(host):
    for name in CONTAINERS[:-1]:
        host.start(name)
        for result in verify_service(host.services[name], host.driver):
            assert result.healthy, f"{name}: {result.reason}"


def test_the_real_gateway_becomes_healthy_in_a_container(host):
    host.start("api-gateway")


def test_the_zone_file_is_the_one_that_is_served(host):
    host.start("coredns")
    for name in ("git", "registry", "ns", "gitea"):
        question = DnsVerification(
            type="dns",
            name=f"{name}.provisioning.local",
            port=host.services["coredns"].port,
            expected_address="127.0.0.1",
        )
        assert check_health(question).healthy


def test_the_registry_lets_the_generated_password_in_and_no_other(host):
    host.start("oci-registry")
    password = host.secrets.read("oci-registry")["ci_password"].value
    assert host.status_of_login("ci", password) == 200
    assert host.status_of_login("ci", f"{password}x") == 401
    assert host.status_of_login("nobody", password) == 401


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("coredns", "Corefile"),
        ("gitea", "app.ini"),
        ("oci-registry", "htpasswd"),
        ("postgres", "databases.sql"),
        ("openbao", "openbao.hcl"),
    ],
)
def test_a_stand_in_fails_without_its_configuration(host, name, file):
    host.write(name)
    (host.layout.service_config(name) / file).unlink()
    assert file in host.output_of_failure(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_secrets_belong_to_the_user_of_the_container_alone(host):
    host.start("gitea")
    status = (host.layout.service_config("gitea") / "app.ini").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (1000, 0o600)


# ---- helpers


@dataclass
class Host:
    """A work dir and an engine, and the services that are started there."""

    layout: WorkDir
    driver: DockerDriver
    services: dict[str, ServiceDefinition]
    started: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> SecretStore:
        return self.driver.context.secrets

    def write(self, name: str) -> None:
        writer = ConfigWriter(self.layout)
        for change in writer.changes(self.services[name]):
            writer.apply(change)

    def create(self, name: str) -> None:
        service = self.services[name]
        self.driver.prepare([service])
        self.started.append(name)
        self.driver.start(service, ABSENT, digest_of(self.driver.render(service)))

    def start(self, name: str) -> None:
        self.write(name)
        self.create(name)
        result = wait_for_service(self.services[name], self.driver)
        assert result.healthy, f"{result.reason}\n{self.output_of(name)}"

    def output_of(self, name: str) -> str:
        return "\n".join(line.text for line in self.driver.logs(self.services[name]))

    def output_of_failure(self, name: str) -> str:
        # No restarts, or it could be seen running between two of them.
        startup = dataclasses.replace(self.services[name].startup, restart="no", timeout=90)
        self.services[name] = dataclasses.replace(self.services[name], startup=startup)
        try:
            self.create(name)
            assert not wait_for_service(self.services[name], self.driver).healthy
        except ProvisioningError:
            pass
        return self.output_of(name)

    def status_of_login(self, user: str, password: str) -> int:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        url = f"http://127.0.0.1:{self.services['oci-registry'].port}/v2/"
        request = urllib.request.Request(url, headers={"Authorization": f"Basic {token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def clean(self) -> None:
        for name in set(self.started):
            service = self.services[name]
            self.driver.remove(service, self.driver.observe([service])[name])
        self.driver.clean()


@pytest.fixture(params=["docker", "podman"])
def host(request, tmp_path, images_on) -> Iterator[Host]:
    """A host with secrets and an engine, on ports that nobody has."""
    url = request.getfixturevalue(f"{request.param}_url")
    images_on(url)
    layout = WorkDir(tmp_path / "work")
    make_directory(layout.root)
    services = resolved(layout.root, free_ports(20))
    secrets = SecretStore(layout.secrets)
    for name, values in missing(ServiceRegistry(services=services), {}, generate=True).items():
        secrets.write(name, values)
    context = Context(
        work_dir=layout,
        secrets=secrets,
        project=f"test-{uuid.uuid4().hex[:8]}",
        engine=request.param,
        engine_url=url,
        files={name: file_digest(service.config) for name, service in services.items()},
    )
    host = Host(layout, DockerDriver(context), services)
    try:
        yield host
    finally:
        host.clean()


@pytest.fixture(scope="session")
def images_on() -> Callable[[str], dict[str, str]]:
    return functools.cache(lambda url: build_standins(url, CONTAINERS))


def resolved(work_dir: Path, ports: list[int]) -> dict[str, ServiceDefinition]:
    """The containers of the enterprise profile, each port another one."""
    left = iter(ports)
    changes: dict[str, dict[str, object]] = {name: {"port": next(left), "mode": "docker"} for name in CONTAINERS}
    changes["coredns"]["ports"] = {"health": next(left), "ready": next(left)}
    changes["gitea"]["ports"] = {"ssh": next(left)}
    changes["tempo"]["ports"] = {"otlp-grpc": next(left), "otlp-http": next(left)}
    # They are not started here; a gateway in a container could not call them on loopback.
    changes |= {name: {"bind_address": "0.0.0.0"} for name in PROCESSES}
    overrides = [ServiceOverride(name=name, settings=settings) for name, settings in changes.items()]
    deployment = DeploymentConfig(services=overrides, mode="Enterprise")
    config = UnattendedInstallConfig(work_dir=str(work_dir), deployment=deployment)
    platform = resolve(config, home=str(work_dir), roles_dir=ROLES, env={})
    return {name: platform.registry.services[name] for name in CONTAINERS}
