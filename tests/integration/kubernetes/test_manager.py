# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine with services on a cluster: order, checks, drift, and what check mode and the diff say."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._cleanup import take_back
from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._ledger import Ledger
from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._plan import diff_of
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Settings


def manager(bench, *services, events=None) -> Manager:
    settings = Settings(project=bench.project)
    sinks = [events.append] if events is not None else []
    return Manager(bench.context.work_dir.root, {s.name: s for s in services}, settings, sinks=sinks)


def converge(bench, *services, goal="started", events=None):
    engine = manager(bench, *services, events=events)
    plan, outcomes = engine.converge({service.name: goal for service in services})
    return plan, {name: outcome.result for name, outcome in outcomes.items()}


def needing(name: str) -> dict:
    return {"depends_on": {name: {"condition": "healthy"}}}


def test_services_start_in_order_are_restarted_in_place_stopped_and_removed(bench):
    database = bench.service("database")
    web = bench.service("web", definition=needing("database"))
    events: list = []
    assert converge(bench, database, web, events=events)[1] == {"database": "healthy", "web": "healthy"}
    order = [(e.kind, e.service) for e in events if e.kind in ("service.started", "service.healthy")]
    assert order.index(("service.healthy", "database")) < order.index(("service.started", "web"))
    assert converge(bench, database, web)[1] == {"database": "unchanged", "web": "unchanged"}
    events.clear()
    assert converge(bench, database, web, goal="restarted", events=events)[1]["web"] == "healthy"
    assert not [e for e in events if e.kind == "service.stopped"]
    assert converge(bench, database, web, goal="stopped")[1] == {"database": "stopped", "web": "stopped"}
    assert converge(bench, database, web)[1] == {"database": "healthy", "web": "healthy"}
    assert converge(bench, database, web, goal="absent")[1] == {"database": "removed", "web": "removed"}


def test_a_change_is_told_by_its_setting_and_touches_nothing_in_check_mode(bench):
    converge(bench, bench.service(env={"LEVEL": "info"}))
    changed = manager(bench, bench.service(env={"LEVEL": "debug"}))
    before = bench.deployment()["metadata"]["resourceVersion"]
    plan = changed.plan({"web": "started"})
    assert plan.actions["web"].verb == "recreate"
    assert "objects.Deployment/web.spec.template" in plan.actions["web"].reason
    (shown,) = diff_of(plan.changes, plan.rendered, plan.before)
    assert '"debug"' in shown["after"]
    assert '"debug"' not in shown["before"]
    assert bench.deployment()["metadata"]["resourceVersion"] == before


def test_status_and_health_are_known_without_a_configuration(bench):
    converge(bench, bench.service())
    engine = manager(bench, bench.service())
    engine.save_settings()
    opened = Manager.open(bench.context.work_dir.root)
    (status,) = opened.status()
    assert (status.status, status.health) == ("running", "healthy")
    assert opened.verify()["web"] == []


def test_a_cluster_that_does_not_answer_keeps_all_from_being_touched(bench, tmp_path):
    service = bench.service(kubeconfig=str(tmp_path / "none"))
    with pytest.raises(PrerequisiteError, match="none does not exist"):
        converge(bench, service)


def test_a_process_waits_for_what_is_on_the_cluster_and_goes_before_it(bench):
    binary = {"mode": "binary", "binary": {"command": "sleep", "args": ["1000"]}}
    process = build(
        ServiceDefinition, {"name": "process", "deployment": binary, "depends_on": {"web": {"condition": "healthy"}}}
    )
    web, events = bench.service(), []
    assert converge(bench, web, process, events=events)[1] == {"web": "healthy", "process": "healthy"}
    started = [(event.kind, event.service) for event in events]
    assert started.index(("service.healthy", "web")) < started.index(("service.started", "process"))
    events.clear()
    assert converge(bench, web, process, goal="absent", events=events)[1] == {"web": "removed", "process": "removed"}
    gone = [event.service for event in events if event.kind == "service.removed"]
    assert gone == ["process", "web"]


def test_never_healthy_is_a_failure_with_the_clusters_words(bench):
    engine = manager(bench, bench.service(image="crash", definition={"startup": {"timeout": 90}}))
    _plan, outcomes = engine.converge({"web": "started"})
    assert outcomes["web"].result == "failed"
    assert "CrashLoopBackOff in web" in outcomes["web"].reason


def test_data_that_stays_when_a_failed_run_is_taken_back_is_named(bench):
    service = bench.service(image="crash", volumes=["data:/data"])
    told: list = []
    engine = manager(bench, service)
    engine.save_settings()
    Ledger(bench.context.work_dir, "run-1").add(services=["web"])
    assert engine.converge({"web": "started"})[1]["web"].result == "failed"
    assert take_back(bench.context.work_dir, "run-1", sinks=[told.append])[0] == "web"
    (warning,) = [event for event in told if event.kind == "service.warning"]
    claim = f"{bench.namespace}/volume-data-web-0"
    assert warning.service == "web"
    assert warning.data["reason"] == f"its data is kept, and goes with an uninstallation that purges: {claim}"
