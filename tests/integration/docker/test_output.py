# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The docker driver: logs, and commands run inside."""

from __future__ import annotations

import time

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError

from tests.fixtures.docker_bench import (
    command,
    eventually,
    service,
)


def test_logs_tell_the_streams_apart_and_when_each_line_was_written(bench):
    script = "echo one; sleep 0.1; echo two >&2; sleep 0.1; printf three; sleep 0.1; echo ' parts'; echo last"
    web = service(docker={"command": ["sh", "-c", script]}, startup={"restart": "no"})
    begin = time.time()
    bench.start(web)
    eventually(lambda: bench.see(web).exit_code == 0)
    lines = list(bench.driver.logs(web))
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "one"),
        ("stderr", "two"),
        ("stdout", "three parts"),
        ("stdout", "last"),
    ]
    assert all(line.service == "web" for line in lines)
    assert all(line.time is not None and begin - 2 < line.time < time.time() + 1 for line in lines)
    assert [line.text for line in bench.driver.logs(web, tail=1)] == ["last"]
    assert list(bench.driver.logs(web, tail=0)) == []


def test_logs_are_followed_until_the_service_ends(bench):
    script = "for i in 1 2 3; do echo $i; sleep 0.3; done"
    web = service(docker={"command": ["sh", "-c", script]}, startup={"restart": "no"})
    bench.start(web)
    arrived = [(line.text, time.monotonic()) for line in bench.driver.logs(web, follow=True)]
    assert [text for text, _ in arrived] == ["1", "2", "3"]
    assert arrived[2][1] - arrived[0][1] > 0.3, "each came as it was written"


def test_who_follows_logs_may_stop_reading(bench):
    web = service(docker={"command": ["sh", "-c", "while true; do echo tick; sleep 0.05; done"]})
    bench.start(web)
    for number, line in enumerate(bench.driver.logs(web, follow=True)):
        assert line.text == "tick"
        if number == 2:
            break
    assert bench.see(web).status == "running"


def test_logs_of_replicas_are_merged_by_time(bench):
    script = 'for i in 1 2 3; do sleep "0.$((REPLICA * 2))"; echo "$REPLICA:$i"; done'
    web = service(docker={"replicas": 2, "command": ["sh", "-c", script]}, startup={"restart": "no"})
    bench.start(web)
    followed = [line.text for line in bench.driver.logs(web, follow=True)]
    eventually(lambda: bench.see(web).exit_code == 0)
    expected = {f"{replica}:{number}" for replica in (1, 2) for number in (1, 2, 3)}
    assert set(followed) == expected
    lines = list(bench.driver.logs(web))
    assert {line.text for line in lines} == expected
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert len(list(bench.driver.logs(web, tail=2))) == 2


def test_a_service_that_is_not_there_has_no_logs(bench):
    assert list(bench.driver.logs(service())) == []
    assert list(bench.driver.logs(service(), follow=True)) == []


def test_a_command_inside_gives_its_exit_code_and_output(bench):
    web = service()
    bench.start(web)
    code, output = bench.driver.execute(web, command("sh", "-c", "echo out; echo err >&2; exit 5"))
    assert (code, sorted(output.splitlines())) == (5, ["err", "out"])
    assert bench.driver.execute(web, command("true")) == (0, "")
    code, output = bench.driver.execute(web, command("nonesuch"))
    assert code in (126, 127)
    assert "nonesuch" in output


def test_a_command_inside_that_takes_too_long_counts_as_failed(bench):
    web = service()
    bench.start(web)
    begin = time.monotonic()
    assert bench.driver.execute(web, command("sleep", "1000", timeout=0.5)) == (124, "did not end within 0.5 s")
    assert time.monotonic() - begin < 60


def test_nothing_can_be_run_inside_what_does_not_run(bench):
    with pytest.raises(DriverError, match="web: has no container that runs"):
        bench.driver.execute(service(), command("true"))
