# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does with a service, the same in every mode in which a service is ours to run.

``CASES`` says which test shows what; each is made of every mode in ``_MODES``. For services that run elsewhere
``REMOTE`` says it, of ``test_remote.py``, and what there cannot be because they are not ours to run.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import compose_bench, docker_bench
from tests.fixtures.kubernetes.clusters import make_bench, running_cluster
from tests.fixtures.kubernetes.server import Running
from tests.fixtures.machine import tree
from tests.fixtures.stands import BinaryStand, ComposeStand, DockerStand, HelmStand, KubernetesStand, Stand

CASES = {
    "start": "test_it_is_started_awaited_and_then_left_alone",
    "already running": "test_it_is_started_awaited_and_then_left_alone",
    "changed": "test_a_change_is_told_with_its_setting_before_it_replaces_what_runs",
    "restart": "test_it_is_restarted_stopped_started_again_and_removed",
    "stop": "test_it_is_restarted_stopped_started_again_and_removed",
    "remove": "test_it_is_restarted_stopped_started_again_and_removed",
    "logs": "test_it_is_started_awaited_and_then_left_alone",
    "wait until healthy": "test_it_is_started_awaited_and_then_left_alone",
    "never healthy": "test_one_that_never_becomes_healthy_fails_with_its_last_words_and_can_be_taken_away",
    "gone behind our back": "test_what_is_gone_behind_our_back_is_seen_and_brought_back",
    "check mode that touches nothing": "test_checking_touches_nothing",
    "a diff that tells what would change": "test_a_change_is_told_with_its_setting_before_it_replaces_what_runs",
}
REMOTE = {
    "start": "test_it_is_awaited_and_what_needs_it_starts_after_it",  # and says that it is not ours to start
    "already running": "test_it_is_awaited_and_what_needs_it_starts_after_it",  # which is all that it can be
    "changed": "test_another_url_is_told_and_remembered",
    "restart": "test_it_is_not_ours_to_stop_to_restart_or_to_remove",
    "stop": "test_it_is_not_ours_to_stop_to_restart_or_to_remove",
    "remove": "test_it_is_not_ours_to_stop_to_restart_or_to_remove",
    "logs": "test_it_has_no_log_here_and_says_so",
    "wait until healthy": "test_it_may_come_later_than_we_do",
    "never healthy": "test_one_that_never_answers_fails_with_the_reason_and_what_needs_it_is_skipped",
    "gone behind our back": "test_it_is_awaited_and_what_needs_it_starts_after_it",  # seen, and not ours to bring back
    "check mode that touches nothing": "test_checking_touches_nothing_and_a_diff_tells_the_change",
    "a diff that tells what would change": "test_checking_touches_nothing_and_a_diff_tells_the_change",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running | None]:
    with running_cluster() as running:
        yield running


def _binary(folder: Path, ask: Callable[[str], Any], stack: ExitStack) -> Stand:
    return BinaryStand(folder / "work")


def _docker(engine: str) -> Any:
    def make(folder: Path, ask: Callable[[str], Any], stack: ExitStack) -> Stand:
        url, api = ask(f"{engine}_url"), ask("engine_client")(engine)
        return DockerStand(stack.enter_context(docker_bench.make_bench(folder / "work", engine, url, api)))

    return make


def _compose(engine: str) -> Any:
    def make(folder: Path, ask: Callable[[str], Any], stack: ExitStack) -> Stand:
        url, api = ask(f"{engine}_url"), ask("engine_client")(engine)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("DOCKER_CONFIG", str(compose_bench.docker_config(folder / "docker")))
        return ComposeStand(stack.enter_context(compose_bench.make_bench(folder, engine, url, api)))

    return make


def _kubernetes(folder: Path, ask: Callable[[str], Any], stack: ExitStack) -> Stand:
    bench = make_bench(folder, ask("cluster"))
    stack.callback(bench.close)
    return KubernetesStand(bench)


def _helm(folder: Path, ask: Callable[[str], Any], stack: ExitStack) -> Stand:
    bench = make_bench(folder, ask("cluster"))
    stack.callback(bench.close)
    if bench.emulator is not None:
        pytest.skip("the emulator does not know all that helm asks for; set KUBECONFIG")
    return HelmStand(bench)


_MODES = {
    "binary": _binary,
    "docker": _docker("docker"),
    "docker on podman": _docker("podman"),
    "compose": _compose("docker"),
    "compose on podman": _compose("podman"),
    "kubernetes": _kubernetes,
    "helm": _helm,
}


@pytest.fixture(params=_MODES)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """The service in one mode."""
    with ExitStack() as stack:
        found = _MODES[request.param](tmp_path, request.getfixturevalue, stack)
        yield found
        found.bring(found.web(), "absent")


@pytest.mark.parametrize(("file", "table"), [("test_every_mode.py", CASES), ("test_remote.py", REMOTE)])
def test_each_case_is_tested(file: str, table: dict[str, str]) -> None:
    written = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
    there = {node.name for node in written.body if isinstance(node, ast.FunctionDef)}
    assert set(table.values()) <= there
    assert list(table) == list(CASES)


def test_it_is_started_awaited_and_then_left_alone(stand: Stand) -> None:
    action, outcome = stand.bring(stand.web())
    assert (action.verb, action.reason, outcome.result) == ("create", "new", "healthy")
    kinds = [event.kind for event in stand.told]
    assert kinds.index("service.starting") < kinds.index("service.started") < kinds.index("service.healthy")

    before = stand.trace()
    assert before
    action, outcome = stand.bring(stand.web())
    assert (action.verb, action.reason, outcome.result) == ("none", "already running", "unchanged")
    assert stand.trace() == before
    assert any(stand.words in line.text for line in stand.manager(stand.web()).logs("web"))


def test_a_change_is_told_with_its_setting_before_it_replaces_what_runs(stand: Stand) -> None:
    stand.bring(stand.web("info"))
    before = stand.trace()

    changed = stand.web("debug")
    plan = stand.manager(changed).plan({"web": "started"})
    assert plan.actions["web"].verb == "recreate"
    (shown,) = stand.manager(changed).diff(plan)
    assert ("info" in shown["before"], "debug" in shown["before"]) == (True, False)
    assert ("info" in shown["after"], "debug" in shown["after"]) == (False, True)
    assert stand.trace() == before

    action, outcome = stand.bring(changed)
    assert (action.verb, outcome.result) == ("recreate", "healthy")
    assert action.reason.startswith("changed: ")
    assert stand.trace() != before
    assert stand.bring(changed)[0].verb == "none"


def test_it_is_restarted_stopped_started_again_and_removed(stand: Stand) -> None:
    web = stand.web()
    stand.bring(web)
    before = stand.trace()
    assert stand.bring(web, "restarted")[1].result == "healthy"
    assert stand.trace() != before

    assert stand.bring(web, "stopped")[1].result == "stopped"
    assert stand.manager(web).status()[0].status == "stopped"
    assert stand.bring(web, "stopped")[1].result == "unchanged"
    assert stand.bring(web)[1].result == "healthy"

    assert stand.bring(web, "absent")[1].result == "removed"
    assert not stand.trace()
    assert stand.manager(web).status()[0].status == "absent"
    assert stand.bring(web, "absent")[1].result == "unchanged"


def test_one_that_never_becomes_healthy_fails_with_its_last_words_and_can_be_taken_away(stand: Stand) -> None:
    web = stand.web(well=False)
    _action, outcome = stand.bring(web)
    assert outcome.result == "failed"
    assert stand.last_words in outcome.reason
    assert outcome.remedy
    assert [event.service for event in stand.told if event.kind == "service.failed"] == ["web"]
    assert stand.bring(web, "absent")[1].result == stand.end_of_failed
    assert not stand.trace()


def test_what_is_gone_behind_our_back_is_seen_and_brought_back(stand: Stand) -> None:
    web = stand.web()
    stand.bring(web)
    stand.take_away()
    before = stand.trace()
    assert stand.manager(web).status()[0].status in ("failed", "stopped", "absent")
    assert stand.manager(web).plan({"web": "started"}).actions["web"].is_change
    assert stand.bring(web)[1].result == "healthy"
    assert stand.trace() != before


def test_checking_touches_nothing(stand: Stand) -> None:
    web = stand.web()
    files = tree(stand.work_dir)
    plan = stand.manager(web).plan({"web": "started"})
    assert [shown["before"] for shown in stand.manager(web).diff(plan)] == [""]
    assert (not stand.trace(), tree(stand.work_dir)) == (True, files)

    stand.bring(web)
    before, files = stand.trace(), tree(stand.work_dir)
    for goal, verb in {"restarted": "restart", "stopped": "stop", "absent": "remove"}.items():
        plan = stand.manager(web).plan({"web": goal})
        assert plan.actions["web"].verb == verb
        (shown,) = stand.manager(web).diff(plan)
        assert shown["before_header"].startswith(f"web ({verb}: ")
        assert stand.manager(web).preflight().unavailable() == {}
    assert (stand.trace(), tree(stand.work_dir)) == (before, files)
