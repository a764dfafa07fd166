# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm charts as services, with the real helm on a real API server."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._helm_commands import (
    Dialect,
    Mark,
    upgrade,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers.kubernetes import KubernetesDriver
from ansible_collections.provisioning.platform.plugins.module_utils._errors import CancelledRun, DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.helm import CHART, install_helm
from tests.fixtures.kubernetes.clusters import PATIENCE, until
from tests.integration.kubernetes.test_lifecycle import plan, pods


@pytest.fixture
def chart(bench):
    """Makes a service of a chart."""
    if bench.emulator is not None:
        pytest.skip("the emulator does not know all that helm asks for; set KUBECONFIG")
    install_helm(bench.context.work_dir)
    bench.context.secrets.write("web", {"password": Secret("hunter2hunter2")})

    def make(image: str = "good", **values):
        settings = {"chart": str(CHART), "values": {"image": bench.image(image), **values}}
        return bench.service(chart=settings, definition={"secrets": {"password": {}}, "startup": {"timeout": 300}})

    return make


def test_a_chart_is_installed_changed_stopped_restarted_and_uninstalled(bench, chart):
    service = chart()
    assert bench.driver.check(service) == []
    assert bench.observe(service) == ABSENT
    seen = bench.start(service)
    assert (seen.status, seen.digest) == ("running", bench.digest(service))
    assert plan(bench, service).verb == "none"
    assert bench.driver.judge(service, None).healthy
    changed = chart(replicas=2)
    assert plan(bench, changed).verb == "recreate"
    bench.start(changed)
    before = until(lambda: pods(bench, changed), lambda names: len(names) == 2)
    bench.driver.stop(changed, bench.observe(changed))
    assert (bench.observe(changed).status, pods(bench, changed)) == ("stopped", [])
    bench.start(changed)
    bench.start(changed)
    until(lambda: pods(bench, changed), lambda names: len(names) == 2 and not set(names) & set(before))
    bench.driver.remove(changed, bench.observe(changed))
    assert bench.observe(changed) == ABSENT


def made_without_waiting(bench, service):
    """Have Helm make a release as ours and not wait for it: so it is when what ran goes bad later."""
    given = json.dumps({**service.deployment.kubernetes.chart.values, "password": "hunter2hunter2"})
    mark = Mark(bench.project, service.name, bench.digest(service))
    words = [word for word in upgrade(service, mark, Dialect(4)) if word not in ("--wait", "--rollback-on-failure")]
    subprocess.run([bench.context.work_dir.bin / "helm", *words], input=given, text=True, check=True)


def failure(bench, service):
    with pytest.raises(DriverError) as raised:
        bench.driver.start(service, bench.observe(service), bench.digest(service))
    (problem,) = raised.value.problems
    return str(problem)


def test_an_image_that_cannot_be_pulled_ends_a_first_installation_at_once(bench, chart):
    service = chart("missing")
    told = failure(bench, service)
    assert told.startswith(("web: ImagePullBackOff in web of pod web-", "web: ErrImagePull in web of pod"))
    assert "; events: Failed: Failed to pull image" in told
    assert told.endswith(
        "; nothing of the release is left. Correct what it asks for: kubernetes.chart.values of web, or the chart."
    )
    assert bench.observe(service) == ABSENT


@pytest.mark.parametrize(("image", "reason"), [("crash", "CrashLoopBackOff"), ("misconfigured", "CreateContainer")])
def test_an_upgrade_whose_pods_will_not_come_up_is_taken_back_at_once(bench, chart, image, reason):
    if bench.has_kubelets:
        pytest.skip("no real image is known that does so")
    bench.start(chart())
    told = failure(bench, chart(image))
    assert told.startswith(f"web: {reason}")
    assert ("its last words: cannot open /etc/app.conf / giving up" in told) == (image == "crash")
    assert "the release was rolled back to revision 1" in told
    seen = bench.await_status(chart(), "running")
    assert seen.digest == bench.digest(chart())


def test_a_hook_that_cannot_run_ends_the_installation_at_once(bench, chart):
    service = chart(migration=bench.image("missing"))
    told = failure(bench, service)
    assert "in migration of pod web-migration-" in told
    assert bench.observe(service) == ABSENT


def test_a_release_whose_pods_crash_is_replaced_by_one_whose_pods_do_not(bench, chart):
    if bench.has_kubelets:
        pytest.skip("no real image is known that does so")
    broken = chart("crash")
    made_without_waiting(bench, broken)
    assert "CrashLoopBackOff" in bench.await_status(broken, "failed").detail
    before = pods(bench, broken)
    assert "CrashLoopBackOff" in failure(bench, broken)
    assert not set(before) & set(pods(bench, broken))
    assert bench.start(chart()).digest == bench.digest(chart())


@pytest.mark.parametrize("installed", [False, True])
def test_a_run_that_is_to_stop_ends_helm_and_takes_back_what_it_has_begun(bench, chart, installed):
    if bench.has_kubelets:
        pytest.skip("no real image is known that is never ready")
    if installed:
        bench.start(chart())
    service, cancelled = chart("slow"), threading.Event()
    context = dataclasses.replace(bench.context, is_cancelled=cancelled.is_set)
    driver = KubernetesDriver(context)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(driver.start, service, bench.observe(service), bench.digest(service))
        until(lambda: bench.observe(service), lambda seen: seen.status == "starting" and "pending" in seen.detail)
        cancelled.set()
        with pytest.raises(CancelledRun, match="helm was interrupted") as raised:
            run.result(PATIENCE)
    became = "the release was rolled back to revision 1" if installed else "nothing of the release is left"
    assert became in str(raised.value)
    assert bench.observe(service).status == ("running" if installed else "absent")
