# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    DriverError,
    Problem,
)
from provisioning_services.platform_view import PlatformView, unknown_view
from provisioning_services.sources import Observer, OrchestratorSource, ask_orchestrator

NOBODY = "http://127.0.0.1:9"
VIEW = b'{"verdict": "empty", "summary": "", "observed_at": 1.0, "source": "", "services": %s}'


class Source:
    """Gives what it was told to, counts how often, and may be held up."""

    def __init__(self, *outcomes: PlatformView | Exception) -> None:
        self._outcomes = list(outcomes)
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def fetch(self) -> PlatformView:
        self.asked += 1
        self.gate.wait(60)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Server(ThreadingHTTPServer):
    """An HTTP server that gives one answer to everything."""

    answer: tuple[int, bytes] = (200, b"")
    paths: list[str]
    pause = 0.0


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            owner.paths.append(self.path)
            time.sleep(owner.pause)
            status, body = owner.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):  # whoever asked has given up
                self.wfile.write(body)

        def log_message(self, *_args) -> None:
            pass

    owner = Server(("127.0.0.1", 0), Handler)
    owner.paths = []
    thread = threading.Thread(target=owner.serve_forever, args=(0.01,))
    thread.start()
    yield owner
    owner.shutdown()
    thread.join()
    owner.server_close()


def url_of(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def nothing() -> PlatformView:
    return unknown_view(observed_at=1.0, source="nowhere", notice="")


# --- the orchestrator ------------------------------------------------------------------------------------------------


def test_the_orchestrators_answer_becomes_the_view(server, seen, view_of):
    view = view_of(seen("db"), seen("web", {"db": "started"}, since=5.0, health_duration_ms=1.5))
    document = asdict(view)
    document["invented_later"] = document["services"][0]["invented_later"] = 1
    server.answer = (200, json.dumps(document).encode())

    got = ask_orchestrator(f"{url_of(server)}/base", timeout=60)

    assert got.services == view.services
    assert got.source == f"the orchestrator at {url_of(server)}/base"
    assert server.paths == ["/base/api/v1/status"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>"), "it answers 200 and no JSON"),
        ((200, b"[]"), "it answers 200: OK"),
        ((503, b'{"error": "the engine is away"}'), "it answers 503: the engine is away"),
        ((404, b'{"detail": "Not Found"}'), "it answers 404: Not Found"),
        ((200, b"{}"), "its answer is not the status of a platform: verdict: is missing."),
        ((200, VIEW % b"1"), "its answer is not the status of a platform: services: is not a list."),
        ((200, VIEW % b"[1]"), "its answer is not the status of a platform: ServiceView: expected a mapping, got int."),
        ((200, VIEW % b'[{"name": 1}]'), "its answer is not the status of a platform: mode: is missing."),
    ],
)
def test_an_answer_that_is_not_a_status_is_an_error_in_words(server, answer, said):
    server.answer = answer

    with pytest.raises(DriverError) as raised:
        ask_orchestrator(url_of(server), timeout=60)

    assert said in str(raised.value)
    assert str(raised.value).startswith(f"The orchestrator at {url_of(server)}: ")


def test_an_orchestrator_that_is_not_there_or_slow_is_an_error_in_words(server):
    with pytest.raises(DriverError, match="it cannot be reached: Connection refused"):
        ask_orchestrator(NOBODY, timeout=60)
    with pytest.raises(DriverError, match="it cannot be reached: "):
        ask_orchestrator("http://no-such-host.invalid", timeout=60)
    server.pause = 0.2
    with pytest.raises(DriverError, match=r"it does not answer within 0\.05 s"):
        ask_orchestrator(url_of(server), timeout=0.05)


def test_without_the_orchestrator_the_engine_of_this_host_is_asked_and_a_notice_says_so(seen, view_of):
    local = view_of(seen("orchestrator", status="failed", health="unknown"))

    view = OrchestratorSource(NOBODY, Source(local)).fetch()

    assert view.services == local.services
    assert view.notice.startswith(f"The orchestrator at {NOBODY}: it cannot be reached: Connection refused.")
    assert view.notice.endswith("Shown is what this host sees by itself.")


@pytest.mark.parametrize(
    "engine", [Source(nothing()), Source(DriverError(Problem("docker", "is away"))), Source(OSError())]
)
def test_where_the_engine_knows_nothing_either_the_last_answer_stays(server, engine, seen, view_of):
    server.answer = (200, json.dumps(asdict(view_of(seen("web")))).encode())
    source = OrchestratorSource(url_of(server), engine)
    source.fetch()
    server.answer = (503, b"{}")

    view = source.fetch()

    assert [service.name for service in view.services] == ["web"]
    assert view.notice.endswith("Shown is what it said last.")


def test_where_nothing_was_ever_known_the_view_is_empty_with_the_notice():
    view = OrchestratorSource(NOBODY, Source(nothing())).fetch()

    assert view.verdict == "unknown"
    assert "it cannot be reached" in view.notice


# --- the observer ----------------------------------------------------------------------------------------------------


def test_many_who_ask_at_once_cost_one_observation():
    source = Source(nothing())

    async def scenario() -> list[PlatformView]:
        observer = Observer(source)
        return await asyncio.gather(*(observer.view() for _ in range(50)))

    assert len(asyncio.run(scenario())) == 50
    assert source.asked == 1


def test_a_view_is_kept_for_its_time_and_then_taken_anew():
    source = Source(nothing())
    now = [0.0]

    async def scenario() -> list[int]:
        observer = Observer(source, max_age=1.0, clock=lambda: now[0])
        asked = []
        for moment in (0.0, 0.9, 1.0):
            now[0] = moment
            await observer.view()
            asked.append(source.asked)
        return asked

    assert asyncio.run(scenario()) == [1, 1, 2]


def test_an_error_reaches_all_who_wait_and_the_next_one_asks_again():
    source = Source(ConfigurationError(Problem("state/web.json", "is damaged")), nothing())

    async def scenario() -> tuple[list[object], PlatformView]:
        observer = Observer(source)
        failed = await asyncio.gather(observer.view(), observer.view(), return_exceptions=True)
        return failed, await observer.view()

    failed, view = asyncio.run(scenario())
    assert [str(error) for error in failed] == ["state/web.json: is damaged."] * 2
    assert view.verdict == "unknown"
    assert source.asked == 2


def test_an_observation_that_hangs_is_given_up_on_but_not_begun_twice():
    source = Source(nothing())
    source.gate.clear()

    async def scenario() -> PlatformView:
        observer = Observer(source, patience=0.02, clock=lambda: 0.0)  # so that a view is good for ever
        for _ in range(2):
            with pytest.raises(DriverError, match=r"looking at it takes longer than 0\.02 s"):
                await observer.view()
        source.gate.set()
        for _ in range(3000):
            with contextlib.suppress(DriverError):
                return await observer.view()
        pytest.fail("it is never seen")

    assert asyncio.run(scenario()).verdict == "unknown"
    assert source.asked == 1


def test_the_event_loop_goes_on_while_the_source_blocks():
    source = Source(nothing())
    source.gate.clear()

    async def scenario() -> PlatformView:
        pending = asyncio.create_task(Observer(source).view())
        await asyncio.sleep(0)  # the observation begins
        source.gate.set()  # only reached because the loop is free
        return await pending

    assert asyncio.run(scenario()).verdict == "unknown"
