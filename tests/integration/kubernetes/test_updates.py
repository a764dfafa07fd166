# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which a new version takes the place of the old one."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError

from tests.fixtures.kubernetes.clusters import until
from tests.integration.kubernetes.test_lifecycle import plan, pods

VERIFY = {"verify": [{"type": "http", "url": "http://web:8080/ready", "expected_status": [200]}]}


def colour(bench) -> str | None:
    return bench.read("Service", "web")["spec"]["selector"].get("io.provisioning/colour")


def test_blue_makes_way_for_green_once_that_has_proved_itself(bench, emulator):
    service = bench.service(update="blue-green", definition=VERIFY)
    bench.start(service)
    assert colour(bench) == "blue"
    assert bench.deployment("web-blue") is not None
    assert bench.deployment() is None
    assert plan(bench, service).verb == "none"
    changed = bench.service(update="blue-green", env={"A": "1"}, definition=VERIFY)
    assert plan(bench, changed).verb == "recreate"
    bench.start(changed)
    assert colour(bench) == "green"
    until(lambda: bench.deployment("web-blue"), lambda found: found is None)
    assert plan(bench, changed).verb == "none"
    again = bench.service(update="blue-green", env={"A": "2"}, definition=VERIFY)
    bench.start(again)
    assert colour(bench) == "blue"


def test_a_green_that_does_not_come_up_goes_and_blue_goes_on_serving(bench):
    bench.start(bench.service(update="blue-green"))
    serving = pods(bench, bench.service())
    bad = bench.service(update="blue-green", image="crash")
    with pytest.raises(DriverError) as caught:
        bench.driver.start(bad, bench.observe(bad), bench.digest(bad))
    said = str(caught.value)
    assert "the new version did not prove itself: CrashLoopBackOff" in said
    if bench.emulator is not None:  # a stand-in for a kubelet keeps no logs
        assert "its last words: cannot open /etc/app.conf / giving up" in said
    assert "the old one goes on serving" in said
    assert colour(bench) == "blue"
    assert bench.deployment("web-green") is None
    until(lambda: pods(bench, bad), lambda names: names == serving)
    assert plan(bench, bad).verb == "recreate"


def test_a_green_that_runs_but_does_not_verify_goes_too(bench, emulator):
    bench.start(bench.service(update="blue-green", definition=VERIFY))
    emulator.answers["better"] = (500, "not what was asked for")
    bad = bench.service(update="blue-green", image="better", definition=VERIFY)
    with pytest.raises(DriverError, match=r"/ready answered 500.*the old one goes on serving"):
        bench.driver.start(bad, bench.observe(bad), bench.digest(bad))
    assert (colour(bench), bench.deployment("web-green")) == ("blue", None)


def test_a_rolling_service_can_take_on_colours(bench):
    bench.start(bench.service())
    service = bench.service(update="blue-green", env={"A": "1"})
    bench.start(service)
    assert colour(bench) == "blue"
    until(lambda: bench.deployment(), lambda found: found is None)
    assert plan(bench, service).verb == "none"


def test_a_service_with_colours_can_go_back_to_rolling(bench):
    bench.start(bench.service(update="blue-green"))
    service = bench.service(env={"A": "1"})
    bench.start(service)
    assert plan(bench, service).verb == "none"
    assert colour(bench) == "blue"


def test_stopping_and_removing_find_the_colour(bench):
    service = bench.service(update="blue-green")
    bench.start(service)
    bench.driver.stop(service, bench.observe(service))
    assert bench.observe(service).status == "stopped"
    bench.start(service)
    assert bench.observe(service).status == "running"
    bench.driver.remove(service, bench.observe(service))
    assert bench.observe(service).status == "absent"


def test_recreating_takes_the_old_version_away_first(bench):
    bench.start(bench.service(update="recreate"))
    before = bench.deployment()["metadata"]["uid"]
    changed = bench.service(update="recreate", env={"A": "1"})
    bench.start(changed)
    assert bench.deployment()["metadata"]["uid"] != before
    assert plan(bench, changed).verb == "none"
