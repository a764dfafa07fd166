# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of metrics and logs: what is refused, in which words, and how they reach the services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._log_settings import age_seconds, rotation_of
from ansible_collections.provisioning.platform.plugins.module_utils._logs import Rotation
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    BinaryDeployment,
    DockerDeployment,
    LogSettings,
    ServiceDefinition,
    ServiceDeployment,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import MetricsConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.monitoring import (
    log_problems,
    metrics_clashes,
    metrics_problems,
    with_log_settings,
)

PROCESS = ServiceDefinition(
    name="api", port=9464, deployment=ServiceDeployment(mode="binary", binary=BinaryDeployment(command="api"))
)
CONTAINER = ServiceDefinition(
    name="git",
    port=3000,
    deployment=ServiceDeployment(mode="docker", docker=DockerDeployment(image="git", ports=["9464:3000"])),
)


def test_they_are_absent_unless_somebody_asks_for_them(tmp_path: Path) -> None:
    config = from_mapping({}, env={}, base_dir=tmp_path)
    assert config.deployment.metrics is None
    assert config.deployment.logs == LogSettings()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "deployment.metrics: says neither where to listen nor where to write. Set port, e.g. 9464,"),
        ({"port": 70000}, "deployment.metrics.port: 70000 is not a port. Ports go from 1 to 65535."),
        ({"port": 1, "bind_address": "here"}, "deployment.metrics.bind_address: 'here' is not an IP address."),
        ({"textfile": "a.prom"}, "deployment.metrics.textfile: 'a.prom' is not an absolute path."),
        ({"textfile": "/x/a.txt"}, "deployment.metrics.textfile: '/x/a.txt' does not end with .prom; node-exporter"),
    ],
)
def test_what_makes_no_sense_for_metrics_is_told(settings: dict[str, Any], words: str) -> None:
    (problem,) = metrics_problems(MetricsConfig(**settings))
    assert str(problem).startswith(words)


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        MetricsConfig(port=9464),
        MetricsConfig(port=9464, bind_address="::"),
        MetricsConfig(textfile="/var/lib/node/a.prom"),
    ],
)
def test_what_makes_sense_for_metrics_is_taken(metrics: MetricsConfig | None) -> None:
    assert not list(metrics_problems(metrics))


@pytest.mark.parametrize("service", [PROCESS, CONTAINER], ids=lambda service: service.mode)
def test_a_service_on_the_port_of_metrics_is_named(service: ServiceDefinition) -> None:
    (problem,) = metrics_clashes(MetricsConfig(port=9464), {service.name: service})
    assert str(problem) == (
        f"deployment.metrics.port: {service.name} and the supervisor's metrics both take port 9464 (tcp) on 127.0.0.1. "
        f"Set it, or deployment.services[{service.name}].port, to another one."
    )


@pytest.mark.parametrize(
    "metrics",
    [None, MetricsConfig(port=9465), MetricsConfig(port=9464, bind_address="::1"), MetricsConfig(textfile="/a.prom")],
)
def test_other_ports_and_addresses_are_free(metrics: MetricsConfig | None) -> None:
    assert not list(metrics_clashes(metrics, {"api": PROCESS, "git": CONTAINER}))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_size": "big"}, "x.logs.max_size: 'big' is not a size. E.g. 10m, 1g, or bytes."),
        ({"max_size": 1000}, "x.logs.max_size: '1000' is too small. The least is 64k."),
        ({"max_files": 0}, "x.logs.max_files: 0 is not between 1 and 1000."),
        ({"max_age": "soon"}, "x.logs.max_age: 'soon' is not an age. E.g. 14d, 12h, or seconds."),
        ({"max_age": 0}, "x.logs.max_age: '0' is not an age. E.g. 14d, 12h, or seconds."),
    ],
)
def test_what_makes_no_sense_for_logs_is_told(settings: dict[str, Any], words: str) -> None:
    (problem,) = log_problems("x.logs", LogSettings(**settings))
    assert str(problem) == words


def test_what_a_service_leaves_open_is_as_for_all_processes() -> None:
    own = ServiceDefinition(name="own", deployment=PROCESS.deployment, logs=LogSettings(max_files=2))
    found = with_log_settings({"api": PROCESS, "own": own, "git": CONTAINER}, LogSettings(max_files=9, max_age="2w"))
    assert found["api"].logs == LogSettings(max_files=9, max_age="2w")
    assert found["own"].logs == LogSettings(max_files=2, max_age="2w")
    assert found["git"].logs is None, "an engine rotates the logs of its containers"


@pytest.mark.parametrize(
    ("settings", "rotation"),
    [
        (None, Rotation()),
        (LogSettings(), Rotation()),
        (LogSettings(max_size="1g", compress=False), Rotation(size=1 << 30, compress=False)),
        (LogSettings(max_size=100_000, max_files=1, max_age="1.5h"), Rotation(100_000, 1, 5400.0)),
    ],
)
def test_settings_become_bytes_and_seconds(settings: LogSettings | None, rotation: Rotation) -> None:
    assert rotation_of(settings) == rotation


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(90, 90), ("90", 90), ("90s", 90), ("2m", 120), ("12h", 43_200), ("1D", 86_400), ("2w", 1_209_600)],
)
def test_an_age_is_written_as_people_do(age: int | str, seconds: float) -> None:
    assert age_seconds(age) == seconds


@pytest.mark.parametrize("age", ["", "d", "-1d", "1y", "1d2h", "٣d", "0"])
def test_what_is_no_age_is_refused(age: str) -> None:
    with pytest.raises(ValueError, match="is not an age"):
        age_seconds(age)
