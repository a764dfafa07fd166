# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compose driver: waiting for health, the file's own or ours, through the manager as a run does it."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._converge import Options
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._plan import diff_of
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings
from ansible_collections.provisioning.platform.plugins.module_utils._wait import check_now

from tests.fixtures.ports import free_port

PASSES = {"test": ["CMD", "true"], "interval": "1s", "timeout": "30s", "retries": 30}
FAILS = {"test": ["CMD-SHELL", "echo no luck; exit 1"], "interval": "1s", "timeout": "30s", "retries": 1}


@pytest.fixture
def manager(bench):
    """Makes a manager of services on the bench's engine."""

    def make(*services):
        context = bench.context
        settings = Settings(project=context.project, engine=context.engine, engine_url=context.engine_url)
        return Manager(context.work_dir.root, {one.name: one for one in services}, settings)

    return make


def test_the_health_check_of_the_file_is_waited_for(bench, manager):
    bench.write({"web": {"healthcheck": PASSES}})
    web = bench.service()
    _plan, outcomes = manager(web).converge({"web": "started"})
    assert outcomes["web"].result == "healthy"
    assert outcomes["web"].health.reason == "its own health check passes"
    plan, outcomes = manager(web).converge({"web": "started"})
    assert plan.actions["web"].reason == "already running"
    assert outcomes["web"].result == "unchanged"


def test_our_check_decides_where_there_is_one(bench, manager):
    port = free_port()
    bench.write({"web": {"healthcheck": FAILS, "ports": [f"127.0.0.1:{port}:8080"]}})
    web = bench.service(health={"type": "http", "url": f"http://127.0.0.1:{port}/"})
    _plan, outcomes = manager(web).converge({"web": "started"})
    assert outcomes["web"].result == "healthy"


def test_what_never_becomes_healthy_fails_with_what_its_check_says(bench, manager):
    bench.write({"web": {"healthcheck": FAILS, "command": ["sh", "-c", "echo last words; sleep 1000"]}})
    web = bench.service(startup={"timeout": 8})
    _plan, outcomes = manager(web).converge({"web": "started"})
    assert outcomes["web"].result == "failed"
    assert "not healthy within 8 s: its own health check fails: no luck" in outcomes["web"].reason
    assert "last words" in outcomes["web"].reason


def test_without_any_check_that_it_runs_is_enough(bench, manager):
    bench.write({"web": {}, "broken": {"command": ["sh", "-c", "exit 3"]}})
    web, broken = bench.service("web"), bench.service("broken")
    _plan, outcomes = manager(web, broken).converge({"web": "started", "broken": "started"}, Options(fail_fast=False))
    assert outcomes["web"].result == "healthy"
    assert outcomes["broken"].reason.startswith("exited with code 3")


def test_what_a_service_needs_is_waited_for_as_the_file_says(bench, manager):
    bench.write({"web": {"depends_on": {"db": {"condition": "service_healthy"}}}, "db": {"healthcheck": PASSES}})
    _plan, outcomes = manager(bench.service()).converge({"web": "started"})
    assert outcomes["web"].result == "healthy"


def test_what_a_service_needs_and_never_becomes_healthy_is_named_and_nothing_stays(bench):
    bench.write({"web": {"depends_on": {"db": {"condition": "service_healthy"}}}, "db": {"healthcheck": FAILS}})
    with pytest.raises(DriverError) as caught:
        bench.start(bench.service(startup={"timeout": 8}))
    (problem,) = caught.value.problems
    assert "db" in problem.why
    assert "unhealthy" in problem.why or "waiting for db" in problem.why
    assert bench.containers() == []
    assert bench.networks() == [bench.context.network]


def test_a_run_restarts_replaces_and_removes_and_says_why(bench, manager):
    bench.write({"web": {"environment": {"LEVEL": "info"}}})
    web = bench.service()
    manager(web).converge({"web": "started"})
    first = bench.see(web).id

    plan, outcomes = manager(web).converge({"web": "restarted"})
    assert (plan.actions["web"].verb, outcomes["web"].result, bench.see(web).id) == ("restart", "healthy", first)

    bench.write({"web": {"environment": {"LEVEL": "debug"}}})
    plan = manager(web).plan({"web": "started"})
    assert plan.actions["web"].verb == "recreate"
    assert 'compose.services.web.environment.LEVEL: "info" -> "debug"' in plan.actions["web"].changes
    (diff,) = diff_of(plan.changes, plan.rendered, plan.before)
    assert '"LEVEL": "info"' in diff["before"]
    assert '"LEVEL": "debug"' in diff["after"]
    assert bench.see(web).id == first, "a plan touches nothing"
    manager(web).converge({"web": "started"})
    assert bench.see(web).id != first

    bench.api.remove_container(bench.see(web).id, force=True)
    plan, _outcomes = manager(web).converge({"web": "started"})
    assert plan.actions["web"].verb == "create"

    manager(web).save_settings()
    opened = Manager.open(bench.context.work_dir.root)
    _plan, outcomes = opened.converge({"web": "absent"})
    assert outcomes["web"].result == "removed"
    assert opened.clean() == [bench.context.network]
    assert (bench.containers(), bench.networks()) == ([], [])


def test_a_plan_is_made_before_the_installation_has_written_the_file(bench, manager):
    dest = bench.context.work_dir.service_config("web") / "compose.yaml"
    config = [{"dest": str(dest), "content": "services: {}\n"}]
    web = bench.service("web", {"file": str(dest)}, config=config)
    plan = manager(web).plan({"web": "started"})
    assert plan.actions["web"].verb == "create"
    assert plan.unavailable == {}
    assert (bench.containers(), bench.networks()) == ([], [])
    assert not dest.exists()


def test_the_health_of_what_runs_can_be_asked_for(bench):
    bench.write({"web": {"healthcheck": FAILS}})
    web = bench.service()
    bench.start(web)
    assert not check_now(web, bench.driver).healthy
    bench.api.stop(bench.see(web).id, timeout=0)
    assert not check_now(web, bench.driver).healthy
