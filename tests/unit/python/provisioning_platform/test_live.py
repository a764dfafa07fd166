# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The display in a terminal, drawn on terminals of several sizes."""

from __future__ import annotations

import io

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._events import Event
from provisioning_platform.live import LiveProgress, fitting_columns, most_telling
from provisioning_platform.run_state import RunView, ServiceView
from rich.console import Console

STEPS = ["validate-prerequisites", "create-work-directory", "deploy-docker", "wait-for-services"]


def run_of(number: int) -> RunView:
    names = [f"service-{index}" for index in range(number)]
    return RunView.of(
        [
            Event(
                "run.started",
                0.0,
                1,
                data={"installation_id": "x", "platform": "Docker", "mode": "Solo", "steps": STEPS},
            ),
            Event("step.started", 0.0, 2, step="validate-prerequisites"),
            Event("step.completed", 1.5, 3, step="validate-prerequisites"),
            Event("step.started", 1.5, 4, step="deploy-docker"),
            *(
                Event(
                    "service.healthy",
                    2.0,
                    5,
                    service=name,
                    data={"mode": "binary", "address": "http://127.0.0.1:8080"},
                )
                for name in names[:-1]
            ),
            Event("service.starting", 2.0, 6, service=names[-1], data={"mode": "docker", "reason": "a reason " * 20}),
        ]
    )


def drawn(view: RunView, *, width: int, height: int, encoding: str = "utf-8", **options: object) -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, height=height, force_terminal=True, legacy_windows=False, **options)
    console.print(LiveProgress(view, console=console, clock=lambda: 4.0))
    stream.seek(0)
    return stream.read().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("height", [10, 24, 60])
@pytest.mark.parametrize("number", [1, 7, 40])
def test_it_fits_the_terminal(width, height, number):
    lines = drawn(run_of(number), width=width, height=height, no_color=True, color_system=None)
    assert len(lines) <= height - 1
    assert max(map(len, lines)) <= width


def test_it_shows_steps_and_services():
    lines = drawn(run_of(2), width=100, height=24, color_system=None)
    assert [line.rstrip() for line in lines[:4]] == [
        "install x  (Docker, Solo)  4.0 s",
        "✓ validate-prerequisites 1.5 s",
        "· create-work-directory",
        lines[3].rstrip(),
    ]
    assert lines[3].rstrip().endswith("deploy-docker          2.5 s")
    assert [line.split()[:5] for line in lines[6:8]] == [
        ["service", "status", "mode", "address", "reason"],
        ["✓", "service-0", "running", "binary", "http://127.0.0.1:8080"],
    ]


def test_without_colour_there_are_no_escapes():
    assert "\x1b[" not in "".join(drawn(run_of(2), width=80, height=24, color_system=None))


def test_a_terminal_without_unicode_gets_ascii():
    text = "\n".join(drawn(run_of(2), width=80, height=24, encoding="ascii", color_system=None))
    assert text.isascii()
    assert "+ validate-prerequisites" in text


def test_where_room_is_short_what_is_up_is_left_out_first():
    services = [ServiceView(f"s{index}", status="running", health="healthy") for index in range(5)]
    services[2].status = "failed"
    services[4].status = "starting"
    shown, hidden = most_telling(services, 4)
    assert ([one.name for one in shown], hidden) == (["s0", "s2", "s4"], 2)
    assert most_telling(services, 5) == (services, 0)


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (80, ["service", "status", "mode", "address", "reason"]),
        (58, ["service", "status", "mode", "reason"]),
        (40, ["service", "status", "reason"]),
        (30, ["service", "status"]),
    ],
)
def test_columns_go_as_the_terminal_gets_narrow(width, names):
    services = [ServiceView("orchestrator", mode="docker", address="http://127.0.0.1:8080")]
    assert [name for name, _ in fitting_columns(services, width)] == names


def test_a_run_without_steps_shows_its_services_alone():
    stream = io.StringIO()
    events = [Event("service.starting", 1.0, number, service=f"service-{number}") for number in range(3)]
    view = RunView.of(events)
    view.operation = "start"
    console = Console(file=stream, width=60, height=6, force_terminal=False)
    console.print(LiveProgress(view, console=console, clock=lambda: 2.0))
    shown = stream.getvalue()
    assert "steps" not in shown
    assert "service-0" in shown
