# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus, Alertmanager and Grafana: what they are told, checked by their own programs where these can be had."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import (
    InstallationSample,
    ServiceSample,
    Snapshot,
    render,
)
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import MetricsConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.profiles import PROFILES
from provisioning_services.metrics import exposition
from provisioning_services.platform_view import PlatformView, ServiceView

from tests.fixtures.docs import quoted, tables

ROLES = Path(__file__).parents[3] / "roles"
EXAMPLES = ROLES.parent / "examples" / "monitoring"
HERE, THERE = (f'job="supervisor",instance="{host}:9464"' for host in ("here", "there"))
GIVEN_UP = 'state="failed"'
SNAPSHOT = Snapshot(
    publisher="supervisor",
    version="1",
    started_at=1.0,
    observed_at=1.0,
    services=[
        ServiceSample(
            status=ServiceStatus("x", "docker", "running", "healthy", "", since=1.0, health_duration_ms=1.0),
            checked_at=1.0,
            start_duration_s=1.0,
            restarts={"died": 1},
            supervision="healthy",
        )
    ],
    installation=InstallationSample(
        installation_id="i", result="completed", progress=1.0, started_at=1.0, finished_at=2.0
    ),
)
DASHBOARDS = sorted((ROLES / "grafana/templates/dashboards").glob("*.json"))
WITHOUT_METRICS = {"postgres"}
FAKE_SECRET = "s3cret"
_SECRET = re.compile(r"\$\{secret\.[^}]+\}")


@pytest.fixture(scope="module")
def containers(resolved):
    """The enterprise profile in containers of one engine."""
    return resolved({name: {"mode": "docker"} for name in PROFILES["enterprise"]}, mode="Enterprise")


@pytest.fixture(scope="module")
def on_cluster(resolved):
    return resolved(mode="Enterprise", platform="Kubernetes")


@pytest.fixture
def written(tmp_path):
    """Writes the files of a service, with a secret that is made up, and gives their folder."""

    def write(service) -> Path:
        for file in service.config:
            path = tmp_path / Path(file.dest).name
            path.write_text(_SECRET.sub(FAKE_SECRET, file.content))
        return tmp_path

    return write


def check(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- Prometheus


@pytest.mark.parametrize("where", ["containers", "on_cluster"])
def test_promtool_accepts_the_configuration_and_the_rules(request, written, where):
    check("promtool", "check", "config", written(request.getfixturevalue(where)["prometheus"]) / "prometheus.yml")


def test_promtool_accepts_what_an_owner_adds(resolved, written):
    variables = {
        "scrape_configs": [{"job_name": "machines", "static_configs": [{"targets": ["192.0.2.7:9100"]}]}],
        "rules": [{"name": "mine", "rules": [{"alert": "Hot", "expr": "temperature > 90"}]}],
    }
    service = resolved({"prometheus": {"variables": variables}})["prometheus"]
    folder = written(service)
    check("promtool", "check", "config", folder / "prometheus.yml")
    assert "machines" in targets(yaml.safe_load((folder / "prometheus.yml").read_text()))
    assert [group["name"] for group in yaml.safe_load((folder / "platform.rules.yml").read_text())["groups"]][
        -1
    ] == "mine"


@pytest.mark.parametrize("where", ["containers", "on_cluster"])
def test_every_service_with_metrics_is_scraped_where_it_listens(request, text_of, where):
    services = request.getfixturevalue(where)
    found = targets(yaml.safe_load(text_of(services["prometheus"], "prometheus.yml")))
    suffix = ".provisioning.svc" if where == "on_cluster" else ""
    assert set(found) == set(services) - WITHOUT_METRICS
    assert found["gitea"] == [f"gitea{suffix}:3000"]
    assert found["coredns"] == [f"coredns{suffix}:9153"]
    assert found["orchestrator"] == [f"orchestrator{suffix}:8080"]


def test_a_process_on_loopback_is_left_out_and_the_file_says_so(resolved, text_of):
    text = text_of(resolved({"prometheus": {}})["prometheus"], "prometheus.yml")
    assert "orchestrator" not in targets(yaml.safe_load(text))
    assert "# orchestrator has metrics, and listens where this one cannot reach it." in text


def test_a_process_scrapes_processes(resolved, text_of):
    found = targets(
        yaml.safe_load(text_of(resolved({"prometheus": {"mode": "binary"}})["prometheus"], "prometheus.yml"))
    )
    assert found["orchestrator"] == ["127.0.0.1:8080"]
    assert found["gitea"] == ["127.0.0.1:3000"]
    assert "coredns" not in found, "its metrics are not published on the host"


def test_what_asks_for_credentials_is_shown_them(containers, text_of):
    jobs = {
        job["job_name"]: job
        for job in yaml.safe_load(text_of(containers["prometheus"], "prometheus.yml"))["scrape_configs"]
    }
    assert jobs["gitea"]["authorization"] == {"credentials": "${secret.gitea.metrics_token}"}
    assert jobs["oci-registry"]["basic_auth"]["password"] == "${secret.oci-registry.metrics_password}"
    assert (jobs["openbao"]["metrics_path"], jobs["openbao"]["params"]) == (
        "/v1/sys/metrics",
        {"format": ["prometheus"]},
    )


def test_those_that_are_scraped_show_metrics_only_where_somebody_scrapes_them(resolved, containers, text_of):
    alone = resolved()
    for services, expected in ((alone, False), (containers, True)):
        assert ("prometheus :9153" in text_of(services["coredns"], "Corefile")) is expected
        assert ("/metrics" in text_of(services["api-gateway"], "Caddyfile")) is expected
        assert ("metrics" in json.loads(text_of(services["oci-registry"], "config.json"))["extensions"]) is expected
        assert f"[metrics]\nENABLED = {str(expected).lower()}\n" in text_of(services["gitea"], "app.ini")


@pytest.mark.parametrize(
    ("mode", "metrics", "wanted"),
    [
        ("docker", MetricsConfig(port=9464, bind_address="0.0.0.0"), ["host.docker.internal:9464"]),
        ("docker", MetricsConfig(port=9464, bind_address="192.0.2.7"), ["192.0.2.7:9464"]),
        ("docker", MetricsConfig(port=9464), None),
        ("binary", MetricsConfig(port=9464), ["127.0.0.1:9464"]),
        ("binary", MetricsConfig(textfile="/var/lib/node/a.prom"), None),
        ("binary", None, None),
    ],
)
def test_supervisors_are_scraped_where_they_can_be_reached(resolved, text_of, mode, metrics, wanted):
    text = text_of(resolved({"prometheus": {"mode": mode}}, metrics=metrics)["prometheus"], "prometheus.yml")
    assert targets(yaml.safe_load(text)).get("supervisor") == wanted
    is_told = metrics is not None and metrics.port is not None and wanted is None
    assert ("where this one cannot reach it: see deployment.metrics.bind_address" in text) is is_told


def test_the_examples_of_monitoring_are_what_the_roles_install(containers, text_of):
    assert (EXAMPLES / "alerts.yml").read_text().splitlines()[1:-1] == text_of(
        containers["prometheus"], "services.rules.yml"
    ).splitlines()[1:-1]
    assert (EXAMPLES / "dashboard.json").read_text() == text_of(containers["grafana"], "services.json")
    check("promtool", "check", "config", EXAMPLES / "prometheus.yml")


def test_alerts_go_to_alertmanager_where_it_is_installed(containers, resolved, text_of):
    alerting = yaml.safe_load(text_of(containers["prometheus"], "prometheus.yml"))["alerting"]
    assert alerting["alertmanagers"][0]["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert "alerting" not in yaml.safe_load(text_of(resolved({"prometheus": {}})["prometheus"], "prometheus.yml"))


def test_rules_alert_on_what_they_are_for(containers, written):
    folder = written(containers["prometheus"])
    tests = {
        "rule_files": ["services.rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    # As the orchestrator and another one show it; one service is down, one is optional, one is well.
                    *(
                        {
                            "series": f'provisioning_service_up{{job="{job}",service="{name}",required="{required}"}}',
                            "values": f"{up}x30",
                        }
                        for job in ("orchestrator", "api-server")
                        for name, required, up in (("gitea", "true", 0), ("tempo", "false", 0), ("loki", "false", 1))
                    ),
                    {"series": 'up{job="grafana",instance="grafana:3001"}', "values": "0x30"},
                    {"series": 'provisioning_platform_observable{job="orchestrator"}', "values": "1x30"},
                    # As supervisors show it: one has given up, one stands still since 10 minutes, one has just failed.
                    {
                        "series": f'provisioning_supervisor_state{{service="gitea",state="failed",{HERE}}}',
                        "values": "1x30",
                    },
                    {
                        "series": f'provisioning_supervisor_state{{service="loki",state="failed",{HERE}}}',
                        "values": "0x30",
                    },
                    {"series": f'provisioning_supervisor_flapping{{service="tempo",{HERE}}}', "values": "1x30"},
                    {"series": f'provisioning_supervisor_flapping{{service="loki",{HERE}}}', "values": "0x30"},
                    {"series": f"provisioning_supervisor_observed_timestamp_seconds{{{HERE}}}", "values": "600x30"},
                    {"series": f"provisioning_supervisor_observed_timestamp_seconds{{{THERE}}}", "values": "0+60x30"},
                    {"series": f'provisioning_installation_result{{result="failed",{HERE}}}', "values": "1x30"},
                    {"series": f'provisioning_installation_result{{result="completed",{HERE}}}', "values": "0x30"},
                    {"series": f'provisioning_installation_result{{result="running",{THERE}}}', "values": "1x30"},
                    {"series": f"provisioning_installation_started_timestamp_seconds{{{HERE}}}", "values": "-9000x30"},
                    {"series": f"provisioning_installation_started_timestamp_seconds{{{THERE}}}", "values": "-3000x30"},
                ],
                "alert_rule_test": [
                    alert(
                        "ServiceDown", service="gitea", severity="critical", summary="gitea is down", description=...
                    ),
                    alert("OptionalServiceDown", service="tempo", severity="warning", summary="tempo is down"),
                    {"alertname": "PlatformNotObservable", "eval_time": "20m", "exp_alerts": []},
                    alert(
                        "ServiceGivenUp",
                        service="gitea",
                        severity="critical",
                        summary="gitea is not restarted any more",
                        description=...,
                    ),
                    alert("ServiceFlaps", service="tempo", severity="warning", summary="tempo comes and goes"),
                    alert(
                        "SupervisorStandsStill",
                        job="supervisor",
                        instance="here:9464",
                        severity="critical",
                        summary="The supervisor at here:9464 has not looked at its services for 10m 0s",
                    ),
                    alert(
                        "InstallationFailed",
                        job="supervisor",
                        instance="here:9464",
                        result="failed",
                        severity="warning",
                        summary="The last installation at here:9464 ended as failed",
                    ),
                    alert(
                        "InstallationTakesLong",
                        job="supervisor",
                        instance="there:9464",
                        severity="warning",
                        summary="An installation at there:9464 has been under way for 1h 10m 0s",
                    ),
                    alert(
                        "TargetDown",
                        job="grafana",
                        instance="grafana:3001",
                        severity="warning",
                        summary="grafana at grafana:3001 shows no metrics",
                    ),
                ],
            }
        ],
    }
    rules = yaml.safe_load((folder / "services.rules.yml").read_text())["groups"][0]["rules"]
    descriptions = {rule["alert"]: rule["annotations"].get("description") for rule in rules}
    for wanted in tests["tests"][0]["alert_rule_test"]:
        for one in wanted["exp_alerts"]:
            if one["exp_annotations"].get("description") == "...":
                one["exp_annotations"]["description"] = descriptions[wanted["alertname"]]
    path = folder / "tests.yml"
    path.write_text(json.dumps(tests))
    check("promtool", "test", "rules", path)


def alert(name: str, summary: str, description: object = None, **labels: str) -> dict:
    annotations = {"summary": summary, **({"description": "..."} if description is ... else {})}
    return {
        "alertname": name,
        "eval_time": "20m",
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}],
    }


def test_rules_and_dashboards_ask_for_metrics_that_the_platform_has(containers, text_of):
    view = PlatformView(
        verdict="healthy",
        summary="",
        observed_at=1.0,
        source="",
        services=[
            ServiceView(
                name="x",
                mode="docker",
                status="running",
                health="healthy",
                since=1.0,
                health_duration_ms=1.0,
                depends_on={},
            )
        ],
    )
    text = exposition(service="x", version="1", started_at=1.0, answers={200: 1}, view=view) + render(SNAPSHOT)
    there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    asked = set()
    for source in (text_of(containers["prometheus"], "services.rules.yml"), *(path.read_text() for path in DASHBOARDS)):
        asked |= set(re.findall(r"\bprovisioning_[a-z_]+", source))
    assert asked
    assert asked <= there


def test_the_page_on_operations_names_every_metric_that_is_published_and_no_other():
    rows = tables(ROLES.parent / "docs" / "operations.md")["metrics"]
    named = {name for row in rows for name in quoted(row[0])}
    assert named == set(re.findall(r"^# TYPE (\S+)", render(SNAPSHOT), re.MULTILINE))


def targets(document: dict) -> dict[str, list[str]]:
    return {job["job_name"]: job["static_configs"][0]["targets"] for job in document["scrape_configs"]}


# ---- Alertmanager


RECEIVERS = {
    "webhook": {"webhook_configs": [{"url": "https://alerts.example.com/hook", "send_resolved": True}]},
    "pagerduty": {"pagerduty_configs": [{"routing_key": "${secret.key}"}]},
    "slack": {"slack_configs": [{"api_url": "https://hooks.slack.com/services/x", "channel": "#ops"}]},
}


@pytest.mark.parametrize("kind", [None, *RECEIVERS])
def test_amtool_accepts_the_configuration(resolved, written, kind):
    settings = {"variables": {"receiver": RECEIVERS[kind]}, "secrets": {"key": {}}} if kind else {}
    check("amtool", "check-config", written(resolved({"alertmanager": settings})["alertmanager"]) / "alertmanager.yml")


def test_amtool_sends_alerts_where_routes_say(resolved, written):
    variables = {
        "receivers": [{"name": "on-call", **RECEIVERS["webhook"]}],
        "routes": [{"receiver": "on-call", "matchers": ['severity="critical"']}],
    }
    path = written(resolved({"alertmanager": {"variables": variables}})["alertmanager"]) / "alertmanager.yml"
    for severity, receiver in (("critical", "on-call"), ("warning", "default")):
        check(
            "amtool",
            "config",
            "routes",
            "test",
            f"--config.file={path}",
            f"--verify.receivers={receiver}",
            f"severity={severity}",
        )


# ---- Grafana


@pytest.fixture
def ini(text_of):
    def read(service) -> configparser.RawConfigParser:
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text_of(service, "grafana.ini"))
        return parser

    return read


def test_data_sources_are_what_is_installed_and_others_are_taken_away(containers, resolved, text_of):
    found = yaml.safe_load(provisioned(containers["grafana"], "datasources"))
    assert {source["uid"]: source["url"] for source in found["datasources"]} == {
        "prometheus": "http://prometheus:9090",
        "loki": "http://loki:3100",
        "tempo": "http://tempo:3200",
        "alertmanager": "http://alertmanager:9093",
    }
    assert [source["uid"] for source in found["datasources"] if source["isDefault"]] == ["prometheus"]
    assert found["deleteDatasources"] == []
    few = yaml.safe_load(provisioned(resolved({"grafana": {}, "loki": {}})["grafana"], "datasources"))
    assert [source["uid"] for source in few["datasources"]] == ["loki"]
    assert [source["name"] for source in few["deleteDatasources"]] == ["Prometheus", "Tempo", "Alertmanager"]
    none = yaml.safe_load(provisioned(resolved({"grafana": {}})["grafana"], "datasources"))
    assert none["datasources"] == []


def test_nobody_gets_in_without_an_account_and_nothing_is_fetched(ini, containers):
    settings = ini(containers["grafana"])
    assert settings["auth.anonymous"]["enabled"] == "false"
    assert settings["users"]["allow_sign_up"] == "false"
    assert settings["plugins"]["preinstall_disabled"] == "true"
    assert settings["analytics"]["reporting_enabled"] == "false"


def test_any_other_setting_can_be_given_and_wins(ini, resolved):
    variables = {"settings": {"auth.generic_oauth": {"enabled": True}, "database": {"type": "mysql"}}}
    settings = ini(resolved({"grafana": {"variables": variables}})["grafana"])
    assert settings["auth.generic_oauth"]["enabled"] == "true"
    assert settings["database"]["type"] == "mysql"


def provisioned(service, kind: str) -> str:
    return next(file.content for file in service.config if file.dest.endswith(f"provisioning/{kind}/platform.yml"))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_reaches_grafana_as_it_is(containers, path):
    file = next(file for file in containers["grafana"].config if file.dest.endswith(f"dashboards/{path.name}"))
    assert file.content == path.read_text()
    assert "{{" not in file.content, "templates would take it for their own"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_what_grafana_expects(path):
    board = json.loads(path.read_text())
    assert {"uid", "title", "schemaVersion", "panels", "time", "templating", "annotations"} <= set(board)
    assert "id" not in board, "Grafana gives numbers itself"
    assert len(board["uid"]) <= 40
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in board["panels"]:
        assert {"type", "title", "datasource", "gridPos", "targets", "fieldConfig", "options"} <= set(panel)
        assert panel["datasource"]["uid"] in {"prometheus", "loki", "tempo", "alertmanager", "$datasource"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_of_a_dashboard_do_not_cover_each_other(path):
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text())["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboards_have_names_of_their_own():
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(boards) == 4


def test_promtool_understands_every_question_of_the_dashboards(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(questions())]
    assert rules
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    check("promtool", "check", "rules", "--lint=none", tmp_path / "rules.yml")


def questions() -> Iterator[str]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == "prometheus":
                    yield target["expr"].replace("$__rate_interval", "5m")
