# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helm charts as services, with the real helm on a real API server."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import ABSENT
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret

from tests.fixtures.helm import CHART, install_helm
from tests.fixtures.kubernetes.clusters import until
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
        return bench.service(chart=settings, definition={"secrets": {"password": {}}, "startup": {"timeout": 30}})

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


def test_a_chart_that_does_not_come_up_is_a_failure(bench, chart):
    service = chart("missing")
    with pytest.raises(DriverError):
        bench.driver.start(service, bench.observe(service), bench.digest(service))
