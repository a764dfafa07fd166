# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from provisioning_services.metrics import exposition


def metrics(view, answers=None) -> str:
    return exposition(service="orchestrator", version="1.2.3", started_at=12.5, answers=answers or {}, view=view)


def test_the_platform_is_told_service_by_service(seen, view_of):
    view = view_of(
        seen("api", health_duration_ms=2.5, restarts=3, since=100.0),
        seen("git", document={"required": False}, status="failed", health="unknown", mode="docker"),
    )

    lines = metrics(view, {200: 7, 421: 1}).splitlines()

    assert 'provisioning_service_up{service="api",mode="binary",required="true"} 1' in lines
    assert 'provisioning_service_up{service="git",mode="binary",required="false"} 0' in lines
    assert 'provisioning_service_healthy{service="api",mode="binary"} 1' in lines
    assert not any(line.startswith('provisioning_service_healthy{service="git"') for line in lines)
    assert 'provisioning_service_restarts_total{service="api",mode="binary"} 3' in lines
    assert 'provisioning_service_status_since_seconds{service="api",mode="binary"} 100' in lines
    assert 'provisioning_service_health_check_seconds{service="api",mode="binary"} 0.0025' in lines
    assert 'provisioning_services{status="running"} 1' in lines
    assert 'provisioning_services{status="failed"} 1' in lines
    assert 'provisioning_http_answers_total{code="200"} 7' in lines
    assert "process_start_time_seconds 12.5" in lines
    assert "provisioning_platform_observable 1" in lines


def test_a_platform_that_cannot_be_looked_at_is_told_too():
    text = metrics(None)

    assert "provisioning_platform_observable 0\n" in text
    assert "provisioning_build_info{" in text
    assert "provisioning_service_up" not in text


def test_every_metric_is_described_before_its_samples(seen, view_of):
    described: set[str] = set()
    for line in metrics(view_of(seen("a", since=1.0)), {200: 1}).splitlines():
        if line.startswith("# TYPE "):
            described.add(line.split()[2])
        elif not line.startswith("#"):
            assert line.split("{")[0].split(" ")[0] in described


def test_text_in_labels_is_escaped():
    text = exposition(service='a"b\\c\nd', version="1", started_at=0, answers={}, view=None)

    assert 'service="a\\"b\\\\c\\nd"' in text
