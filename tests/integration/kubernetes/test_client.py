# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to an API that is busy, gone for a moment, or not what it seems."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_client import Api
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from kubernetes.client import ApiClient, Configuration


@contextmanager
def answering(*answers: tuple[int, dict] | None) -> Iterator[tuple[Api, list[float]]]:
    """An API that answers so, one after the other; None closes the connection instead."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answer = left.pop(0)
            if answer is None:
                self.close_connection = True
                return
            body = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    pauses: list[float] = []
    settings = Configuration()
    settings.host = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Api(ApiClient(settings), sleep=pauses.append), pauses
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def busy(seconds: int) -> tuple[int, dict]:
    return 429, {"kind": "Status", "reason": "TooManyRequests", "details": {"retryAfterSeconds": seconds}}


def test_a_connection_that_ends_without_an_answer_is_made_again():
    with answering(None, None, (200, {"major": "1"})) as (api, pauses):
        assert api.request("GET", "/version", service="web") == {"major": "1"}
    assert len(pauses) == 2
    assert pauses[0] < pauses[1]


def test_a_busy_api_is_asked_again_when_it_says():
    with answering(busy(3), busy(1000), (200, {})) as (api, pauses):
        api.request("GET", "/version", service="web")
    assert pauses == [3.0, 10.0]


def test_five_attempts_are_enough():
    with answering(*[None] * 5) as (api, pauses), pytest.raises(DriverError) as caught:
        api.request("GET", "/version", service="web")
    assert len(pauses) == 4
    assert "does not answer: it closed the connection without an answer. See whether it runs" in str(caught.value)


def test_an_api_in_trouble_is_given_up_after_five_attempts():
    trouble = (503, {"kind": "Status", "reason": "ServiceUnavailable", "message": "in trouble"})
    with (
        answering(*[trouble] * 5) as (api, pauses),
        pytest.raises(DriverError, match="API says: in trouble"),
    ):
        api.request("GET", "/version", service="web")
    assert len(pauses) == 4


def test_a_proxy_that_answers_in_place_of_the_api_is_shown():
    with answering((407, {"error": "sign in first"})) as (api, _pauses), pytest.raises(DriverError) as caught:
        api.request("GET", "/version", service="web")
    assert 'the Kubernetes API says: {"error": "sign in first"}' in str(caught.value)
