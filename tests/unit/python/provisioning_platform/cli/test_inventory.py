# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts of an inventory answer, put together."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import LogLine
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem
from ansible_collections.provisioning.platform.plugins.module_utils._operations import Need, Readiness
from provisioning_platform.cli.host_inspecting import faults_of, joined, together
from provisioning_platform.cli.host_logs import read
from provisioning_platform.cli.host_looking import merged
from provisioning_platform.cli.host_operating import outcomes_of
from provisioning_platform.cli.inventory import Host, HostPrinter, Hosts, located
from provisioning_platform.cli.output import Printer
from provisioning_platform.exit_codes import ExitCode


def plain() -> Printer:
    return Printer(stream=io.StringIO())


def task(action: str, **result: object) -> dict[str, object]:
    return {"task": "Do it", "task_action": f"provisioning.platform.{action}", "res": result}


def test_the_results_of_our_modules_are_kept_and_others_are_not() -> None:
    host = Host("one")
    host.take("runner_on_ok", task("services", services={"a": 1}))
    host.take("runner_on_ok", {"task_action": "ansible.builtin.debug", "res": {"msg": "x"}})
    host.take("runner_on_ok", {"task_action": "provisioning.platform.services", "res": None})
    assert host.results == {"services": [{"services": {"a": 1}}]}
    assert host.result("services") == {"services": {"a": 1}}
    assert host.result("nothing") == {}
    assert not host.problems


def test_an_error_of_the_engine_comes_with_its_remedy_and_its_exit_code() -> None:
    host = Host("one")
    problem = {"what": "a", "why": "is needed by b", "remedy": "Stop b."}
    host.take("runner_on_failed", task("services", provisioning_error={"kind": "prerequisites", "problems": [problem]}))
    assert host.problems == [Problem("a", "is needed by b", "Stop b.")]
    assert Hosts([Host("two"), host], plain()).verdict() is ExitCode.PREREQUISITES


def test_other_failures_are_told_by_their_task_and_hosts_that_do_not_answer_by_their_name() -> None:
    failed, gone, ignored = Host("failed"), Host("gone"), Host("ignored")
    failed.take("runner_on_failed", {**task("services"), "res": {"msg": "no\n python"}})
    gone.take("runner_on_unreachable", {**task("services"), "res": {"msg": "refused"}})
    ignored.take("runner_on_failed", {**task("services", msg="x"), "ignore_errors": True})
    assert failed.problems == [Problem("Do it", "no python")]
    assert gone.problems[0].why == "cannot be reached: refused"
    assert gone.results == {}
    assert not ignored.problems
    assert Hosts([failed], plain()).verdict() is ExitCode.FAILED


def test_what_went_wrong_is_told_with_its_host_where_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = Host("one", problems=[Problem("a", "is wrong")]), Host("two", problems=[Problem("two", "is away")])
    Hosts([one, two], plain()).complain()
    assert capsys.readouterr().err.splitlines() == ["error: one: a: is wrong.", "error: two: is away."]
    Hosts([one], plain()).complain(unless=lambda problem: problem.why == "is wrong")
    assert capsys.readouterr().err == ""


def test_tables_get_a_column_for_hosts() -> None:
    printer = HostPrinter(plain(), ["one", "two"])
    assert printer.table(("SERVICE",), [("a",), ("b",)]) == ["HOST  SERVICE", "one   a", "two   b"]


def test_the_work_dir_is_told_where_all_hosts_have_the_same() -> None:
    one, two = Host("one", {"x": [{"work_dir": "/w"}]}), Host("two", {"x": [{"work_dir": "/w"}]})
    assert Hosts([one, two], plain()).work_dir() == "/w"
    two.results["x"].append({"work_dir": "/v"})
    assert Hosts([one, two], plain()).work_dir() is None


def test_an_inventory_is_a_file_or_hosts_with_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts.yml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert located("hosts.yml") == str(tmp_path / "hosts.yml")
    assert located("a,b,") == "a,b,"
    with pytest.raises(ConfigurationError, match=r"--inventory nothing\.yml: there is no such file"):
        located("nothing.yml")


def test_what_a_service_is_on_its_own_host_counts() -> None:
    here, there = Need("a", "ready"), Need("a", "elsewhere", "is on one")
    lost = Need("b", "elsewhere", "is on three")
    assert together([("one", here), ("two", there), ("one", lost), ("two", lost)]) == [("one", here), ("one", lost)]


def test_outcomes_of_all_rounds_count() -> None:
    outcome = {"result": "healthy", "reason": "new", "changed": True, "healthy": True, "duration_ms": 1.0}
    host = Host(
        "one", {"services": [{"services": {"a": outcome}}, {"services": {"b": {**outcome, "result": "failed"}}}]}
    )
    found = outcomes_of(host)
    assert [(name, one.is_well) for name, one in found.items()] == [("a", True), ("b", False)]
    assert found["a"].to_dict() == outcome


def test_definitions_of_hosts_make_one_graph() -> None:
    document = {"name": "a", "deployment": {"mode": "binary"}, "depends_on": {"b": {"condition": "started"}}}
    found = merged([document, {**document, "depends_on": {"c": {}}}, {**document, "name": "b", "depends_on": {}}])
    assert set(found) == {"a", "b"}
    assert {need: how.condition for need, how in found["a"].depends_on.items()} == {"b": "started", "c": "healthy"}


def test_reports_of_hosts_make_one() -> None:
    problem = {"what": "a", "why": "is wrong", "remedy": ""}
    report = {"platform": [], "services": {"a": [problem]}, "warnings": []}
    whole = joined([("one", Readiness({"a": "stopped"}, report)), ("two", Readiness({}, report))], several=True)
    assert whole.missing == {"a on one": "stopped"}
    assert [one["what"] for one in whole.report["services"]["a"]] == ["a on one", "a on two"]
    assert joined([("one", Readiness({"a": "stopped"}, report))], several=False).missing == {"a": "stopped"}
    assert [fault.required for fault in faults_of(report, {"a": False})] == [False]


def test_logs_are_dated_chosen_and_named() -> None:
    lines = [LogLine("a", "2026-01-31T12:00:00Z one"), LogLine("a", "two"), LogLine("a", "2026-01-31T12:00:09Z three")]
    assert [line.text for line in read(lines, None, 2)] == ["two", "2026-01-31T12:00:09Z three"]
    assert read(lines, None, 0) == []
    (last,) = read(lines, 1769860805.0, None, "one/")
    assert (last.service, last.text) == ("one/a", "2026-01-31T12:00:09Z three")
