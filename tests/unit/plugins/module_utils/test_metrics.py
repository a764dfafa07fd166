# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured, as Prometheus reads it: names and labels checked by promtool, values from tables."""

from __future__ import annotations

import dataclasses
import subprocess
from typing import get_args

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._exposition import counter, exposition, gauge
from ansible_collections.provisioning.platform.plugins.module_utils._metrics import (
    InstallationSample,
    Result,
    ServiceSample,
    Snapshot,
    Supervision,
    render,
    render_for_file,
)
from ansible_collections.provisioning.platform.plugins.module_utils._status import ServiceStatus

GITEA = ServiceStatus(
    "gitea", "docker", "running", "healthy", "", since=100.0, restarts=2, required=False, health_duration_ms=2.5
)
SAMPLE = ServiceSample(
    status=GITEA,
    checked_at=200.0,
    start_duration_s=1.25,
    restarts={"unhealthy": 1, "died": 1},
    supervision="down",
    is_flapping=True,
)
DONE = InstallationSample(
    installation_id="i-1",
    result="completed",
    progress=1.0,
    started_at=10.0,
    finished_at=14.5,
    platform="Docker",
    profile="Solo",
)
FULL = Snapshot(
    publisher="supervisor",
    version="1.2.3",
    started_at=50.0,
    observed_at=210.0,
    services=(SAMPLE,),
    installation=DONE,
)


def lines_of(snapshot: Snapshot) -> list[str]:
    return render(snapshot).splitlines()


def one_service(**changes) -> list[str]:
    return lines_of(Snapshot(publisher="x", version="1", services=(dataclasses.replace(SAMPLE, **changes),)))


def seen(**changes) -> ServiceStatus:
    return dataclasses.replace(GITEA, **changes)


@pytest.mark.parametrize(
    "line",
    [
        'provisioning_services{status="running"} 1',
        'provisioning_services{status="failed"} 0',
        'provisioning_service_up{service="gitea",mode="docker",required="false"} 1',
        'provisioning_service_healthy{service="gitea",mode="docker"} 1',
        'provisioning_service_restarts_total{service="gitea",mode="docker"} 2',
        'provisioning_service_status_since_seconds{service="gitea",mode="docker"} 100',
        'provisioning_service_health_check_seconds{service="gitea",mode="docker"} 0.0025',
        'provisioning_service_checked_timestamp_seconds{service="gitea",mode="docker"} 200',
        'provisioning_service_start_duration_seconds{service="gitea",mode="docker"} 1.25',
        'provisioning_supervisor_restarts_total{service="gitea",mode="docker",reason="died"} 1',
        'provisioning_supervisor_state{service="gitea",mode="docker",state="down"} 1',
        'provisioning_supervisor_state{service="gitea",mode="docker",state="healthy"} 0',
        'provisioning_supervisor_flapping{service="gitea",mode="docker"} 1',
        "provisioning_supervisor_observed_timestamp_seconds 210",
        'provisioning_installation_info{installation_id="i-1",platform="Docker",profile="Solo",step=""} 1',
        "provisioning_installation_progress_ratio 1",
        'provisioning_installation_result{result="completed"} 1',
        'provisioning_installation_result{result="failed"} 0',
        "provisioning_installation_started_timestamp_seconds 10",
        "provisioning_installation_finished_timestamp_seconds 14.5",
        "provisioning_installation_duration_seconds 4.5",
        "process_start_time_seconds 50",
    ],
)
def test_everything_that_is_known_is_told(line):
    assert line in lines_of(FULL)


@pytest.mark.parametrize(
    "snapshot",
    [
        FULL,
        Snapshot(publisher="installer", version="1", installation=dataclasses.replace(DONE, finished_at=None)),
        Snapshot(publisher="x", version="1"),
    ],
)
def test_promtool_has_nothing_to_say_against_names_types_and_form(snapshot):
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=render(snapshot), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("state", get_args(Supervision))
def test_each_state_of_supervision_is_one_and_all_others_are_nothing(state):
    values = [line[-1] for line in one_service(supervision=state) if line.startswith("provisioning_supervisor_state")]
    assert sorted(values) == ["0"] * (len(get_args(Supervision)) - 1) + ["1"]


@pytest.mark.parametrize("result", get_args(Result))
def test_each_result_of_an_installation_is_one(result):
    snapshot = Snapshot(publisher="x", version="1", installation=dataclasses.replace(DONE, result=result))
    assert f'provisioning_installation_result{{result="{result}"}} 1' in lines_of(snapshot)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"status": seen(health="unknown")}, "provisioning_service_healthy"),
        ({"status": seen(health="unknown")}, "provisioning_service_health_check_seconds"),
        ({"status": seen(since=None)}, "provisioning_service_status_since_seconds"),
        ({"checked_at": None}, "provisioning_service_checked_timestamp_seconds"),
        ({"start_duration_s": None}, "provisioning_service_start_duration_seconds"),
        ({"restarts": {}}, "provisioning_supervisor_restarts_total"),
        ({"supervision": None}, "provisioning_supervisor_state"),
        ({"supervision": None}, "provisioning_supervisor_flapping"),
    ],
)
def test_what_is_not_known_is_left_out_with_its_description(changes, missing):
    assert missing not in "\n".join(one_service(**changes))


@pytest.mark.parametrize(
    ("changes", "up"),
    [
        ({"status": seen(health="unknown")}, 1),
        ({"status": seen(health="unhealthy")}, 0),
        ({"status": seen(status="stopped", health="unknown")}, 0),
        ({"status": seen(status="stopped", health="unknown"), "up": True}, 1),
    ],
)
def test_a_service_is_up_when_it_does_what_it_is_there_for(changes, up):
    assert f'provisioning_service_up{{service="gitea",mode="docker",required="false"}} {up}' in one_service(**changes)


def test_a_state_or_a_duration_that_was_measured_better_wins():
    lines = one_service(state_changed_at=7.0, check_duration_s=0.5)
    assert 'provisioning_service_status_since_seconds{service="gitea",mode="docker"} 7' in lines
    assert 'provisioning_service_health_check_seconds{service="gitea",mode="docker"} 0.5' in lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (True, "1"),
        (2.0, "2"),
        (0.1, "0.1"),
        (1700000000.1234567, "1700000000.123457"),
        (-1.5, "-1.5"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(value, text):
    assert exposition([gauge("a", "A.", [({}, value)])]).splitlines()[-1] == f"a {text}"


def test_texts_and_labels_are_escaped_and_never_spoil_the_rest():
    text = exposition([counter("a_total", "back\\slash\nline", [({"x": 'q"b\\n\nz\udc80'}, 1)])])
    assert text == ('# HELP a_total back\\\\slash\\nline\n# TYPE a_total counter\na_total{x="q\\"b\\\\n\\nz?"} 1\n')


def test_a_file_for_node_exporter_has_nothing_that_another_one_shows():
    text = render_for_file(FULL)
    assert "process_start_time_seconds" not in text
    assert "provisioning_installation_" not in text
    assert "provisioning_service_up{" in text
