# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of operations, graphs and what is in the way."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._operations import Need, OperationCheck, Readiness
from ansible_collections.provisioning.platform.plugins.module_utils._preflight import Report
from provisioning_platform.cli.context import Request
from provisioning_platform.cli.inspecting import check_lines, drawn, graph_document, refuse_drawing
from provisioning_platform.cli.output import Form, Printer
from provisioning_platform.cli.validating import (
    Validation,
    faults_of,
    readiness_document,
    readiness_lines,
    validation_lines,
)
from provisioning_platform.exit_codes import ExitCode

from tests.fixtures.definitions import graph

GRAPH = graph({"web": {"api": "healthy", "cache": "started"}, "api": ["db"], "cache": (), "db": ()})


def plain() -> Printer:
    return Printer(stream=io.StringIO())


def checked(*needs: Need, may_start: bool = True) -> OperationCheck:
    return OperationCheck("backup", "Save it", may_start, needs)


def test_an_operation_that_has_what_it_needs_can_go_ahead() -> None:
    lines = check_lines(plain(), checked(Need("gitea", "ready", "runs"), Need("db", "started", "was")), started=True)
    assert lines[0] == "backup  Save it"
    assert lines[-1] == "backup can go ahead."


@pytest.mark.parametrize(
    ("may_start", "started", "last"),
    [
        (True, True, "  gitea: Start it."),
        (False, True, "  Nothing may be started for it: operations.backup.may_start is false."),
        (True, False, "  Without --no-start it is tried to start what is missing."),
    ],
)
def test_what_keeps_an_operation_is_told_with_its_remedy(may_start: bool, started: bool, last: str) -> None:
    found = checked(Need("gitea", "missing", "is stopped", "Start it."), may_start=may_start)
    lines = check_lines(plain(), found, started=started)
    assert "backup cannot go ahead." in lines
    assert lines[-1] == last


def test_a_graph_is_data_with_arrows_both_ways() -> None:
    document = graph_document(GRAPH)
    assert document["order"].index("db") < document["order"].index("api") < document["order"].index("web")
    by_name = {one["name"]: one for one in document["services"]}
    assert by_name["web"]["depends_on"] == {"api": "healthy", "cache": "started"}
    assert by_name["db"]["needed_by"] == ["api"]


def test_drawings_begin_where_they_are_asked_to() -> None:
    assert drawn(GRAPH, ["web"], "tree", reverse=False) == ["web", "├── api", "│   └── db", "└── cache (started)"]
    assert drawn(GRAPH, ["db"], "tree", reverse=True) == ["db", "└── api", "    └── web"]
    assert drawn(GRAPH, [], "dot", reverse=False)[0] == "digraph services {"
    assert drawn(GRAPH, [], "svg", reverse=False)[-1] == "</svg>"


def test_a_drawing_and_data_exclude_each_other() -> None:
    refuse_drawing(Request(), "svg")
    with pytest.raises(ConfigurationError, match=r"--format 'png': is no way to draw\. Choose one of: tree, mermaid"):
        refuse_drawing(Request(), "png")
    with pytest.raises(ConfigurationError, match="--format svg: excludes --output json"):
        refuse_drawing(Request(Form.JSON), "svg")


def test_the_exit_code_tells_what_kind_of_fault_there_is() -> None:
    def code(*about: tuple[str, bool]) -> ExitCode:
        report = Report(services={name: [Problem(name, "cannot run")] for name, _required in about})
        return Validation(Path("/w"), faults=faults_of(report, dict(about))).verdict()

    assert code() is ExitCode.OK
    assert code(("a", False)) is ExitCode.DEGRADED
    assert code(("a", False), ("b", True)) is ExitCode.PREREQUISITES
    report = Report(services={"a": [Problem("a", "cannot run")]})
    assert (
        Validation(Path("/w"), faults=faults_of(report, {"a": False}, asked=["a"])).verdict() is ExitCode.PREREQUISITES
    )


def test_a_validation_says_of_each_service_whether_it_can_run() -> None:
    report = Report(services={"web": [Problem("web", "port 80 is taken", "Stop it.")]})
    found = Validation(Path("/w"), Path("p.toml"), {"db": "binary", "web": "docker"}, faults_of(report, {}))
    found.warnings.append(Problem("memory", "is short"))
    assert validation_lines(plain(), found) == [
        "Configuration: p.toml",
        "Work dir:      /w",
        "",
        "SERVICE  MODE    CHECK",
        "db       binary  ok",
        "web      docker  failed",
        "",
        "error: web: port 80 is taken. Stop it.",
        "warning: memory: is short.",
        "2 services, 1 problem, 1 warning.",
    ]


def test_readiness_names_what_is_missing_and_what_is_in_the_way() -> None:
    problem = {"what": "web", "why": "port 80 is taken", "remedy": "Stop it."}
    report = {"platform": [], "services": {"web": [problem]}, "warnings": []}
    found = Readiness({"web": "it is stopped"}, report)
    document = readiness_document(found, {"web": False})
    assert document["problems"] == [{**problem, "about": "service", "required": False}]
    lines = readiness_lines(plain(), found, document)
    assert lines[0] == "The platform is not ready: 1 required service missing or not healthy."
    assert lines[-1] == "error: web: port 80 is taken. Stop it."
    well = Readiness({}, {"platform": [], "services": {}, "warnings": []})
    assert readiness_lines(plain(), well, readiness_document(well, {})) == ["The platform is ready."]
