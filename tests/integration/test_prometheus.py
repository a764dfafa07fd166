# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus scrapes the metrics, evaluates the rules, and answers every question of the dashboard."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import (
    InstallationSample,
    ServiceSample,
    Snapshot,
)
from ansible_collections.provisioning.platform.plugins.module_utils._metrics_server import MetricsServer
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus

from tests.fixtures.ports import free_port

EXAMPLES = Path(__file__).parents[2] / "examples" / "monitoring"
PATIENCE_SECONDS = 60.0


def snapshot() -> Snapshot:
    now = time.time()
    well = ServiceStatus("api", "binary", "running", "healthy", "", since=now - 60, health_duration_ms=2.0)
    broken = ServiceStatus("git", "docker", "failed", "unknown", "", since=now - 10)
    common: dict[str, Any] = {"checked_at": now, "start_duration_s": 1.5, "restarts": {"died": 2}}
    return Snapshot(
        publisher="supervisor",
        version="1",
        started_at=now - 100,
        observed_at=now,
        services=[
            ServiceSample(status=well, supervision="healthy", **common),
            ServiceSample(status=broken, supervision="failed", **common),
        ],
        installation=InstallationSample(
            installation_id="i", result="failed", progress=0.5, started_at=now - 90, finished_at=now - 80
        ),
    )


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Asks a Prometheus that has the configuration of the examples, with ports and intervals of the test."""
    folder = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    with MetricsServer("127.0.0.1", 0, snapshot) as server:
        config = yaml.safe_load((EXAMPLES / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(EXAMPLES / "alerts.yml")]
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{server.port}"]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        command = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                yield lambda path, **query: ask(f"http://127.0.0.1:{port}/api/v1/{path}", query)
            finally:
                process.terminate()


def ask(url: str, query: dict[str, str]) -> Any:
    try:
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["data"]
    except (ConnectionError, urllib.error.URLError):
        return None


def eventually(look: Callable[[], Any], wanted: Any) -> None:
    begun = time.monotonic()
    while (found := look()) != wanted:
        assert time.monotonic() - begun < PATIENCE_SECONDS, found
        time.sleep(0.2)


def test_it_scrapes_what_is_shown(prometheus: Callable[..., Any]) -> None:
    def up() -> dict[str, str]:
        found = prometheus("query", query="provisioning_service_up") or {"result": []}
        return {row["metric"]["service"]: row["value"][1] for row in found["result"]}

    eventually(up, {"api": "1", "git": "0"})


def test_the_alerts_that_wait_for_nothing_fire(prometheus: Callable[..., Any]) -> None:
    def firing() -> bool:
        found = prometheus("alerts") or {"alerts": []}
        names = {alert["labels"]["alertname"] for alert in found["alerts"] if alert["state"] == "firing"}
        return names >= {"ServiceGivenUp", "InstallationFailed"}

    eventually(firing, True)


def test_it_answers_every_question_of_the_dashboard(prometheus: Callable[..., Any]) -> None:
    eventually(lambda: bool((prometheus("query", query="provisioning_service_up") or {}).get("result")), True)
    panels = json.loads((EXAMPLES / "dashboard.json").read_text())["panels"]
    for panel in panels:
        for target in panel["targets"]:
            question = target["expr"].replace("$__rate_interval", "1m").replace("$job", ".+").replace("$service", ".+")
            found = prometheus("query", query=question)
            assert found is not None, question
            # A rate needs two samples; everything else is there at once.
            assert found["result"] or "increase(" in question, panel["title"]
