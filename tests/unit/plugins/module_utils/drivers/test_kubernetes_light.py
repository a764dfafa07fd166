# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credentials for a cluster are plain enough to do without the official client."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_light import (
    LightClient,
    light_client,
)

from tests.fixtures.authority import Authority


def client(
    folder: Path, cluster: dict[str, Any], user: dict[str, Any], *, context: str | None = None, **env: str
) -> LightClient | None:
    document = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(document))
    return light_client(file, context, make=lambda: pytest.fail("made"), env=env, connections=4)


def test_a_token_is_shown_to_an_api_without_tls(tmp_path: Path) -> None:
    found = client(tmp_path, {"server": "http://127.0.0.1:1/"}, {"token": "t0ken"}, context="x")
    assert found is not None
    assert found.configuration.host == "http://127.0.0.1:1"
    (setting,) = found.configuration.auth_settings().values()
    assert (setting["in"], setting["key"], setting["value"]) == ("header", "authorization", "Bearer t0ken")


def test_certificates_are_taken_from_files_beside_it_and_from_itself(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("client")
    written = (tmp_path / "ca.pem", pair.certificate, pair.key)
    inside = [base64.b64encode(path.read_bytes()).decode() for path in written]
    server = {"server": "https://127.0.0.1:1"}
    files = client(
        tmp_path,
        {**server, "certificate-authority": "ca.pem"},
        {"client-certificate": str(pair.certificate), "client-key": str(pair.key)},
    )
    data = client(
        tmp_path,
        {**server, "certificate-authority-data": inside[0]},
        {"client-certificate-data": inside[1], "client-key-data": inside[2]},
    )
    assert files is not None
    assert data is not None
    assert files.configuration.auth_settings() == {}


_PLAIN = {"server": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("cluster", "user", "context", "env"),
    [
        (_PLAIN, {"exec": {"command": "login"}}, None, {}),
        (_PLAIN, {"tokenFile": "/t"}, None, {}),
        (_PLAIN, {"auth-provider": {}}, None, {}),
        ({**_PLAIN, "proxy-url": "http://p"}, {}, None, {}),
        ({"server": "https://h", "insecure-skip-tls-verify": True}, {}, None, {}),
        ({"server": "https://h"}, {"token": "t"}, None, {}),
        ({"server": "https://h", "certificate-authority": "none.pem"}, {}, None, {}),
        ({"server": "https://h", "certificate-authority-data": "bm9uZQ=="}, {}, None, {}),
        ({"server": "h"}, {}, None, {}),
        (_PLAIN, {}, "other", {}),
        (_PLAIN, {}, None, {"HTTPS_PROXY": "http://p"}),
    ],
)
def test_what_is_not_plain_is_left_to_the_official_client(tmp_path, cluster, user, context, env):
    assert client(tmp_path, cluster, user, context=context, **env) is None


@pytest.mark.parametrize("text", ["", "[", "a: 1", "contexts: 1\ncurrent-context: x", "- 1"])
def test_a_file_that_is_none_of_this_kind_is_left_to_it_too(tmp_path, text):
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    assert light_client(file, None, make=lambda: pytest.fail("made"), env={}, connections=4) is None


class _Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ports: ClassVar[list[int]] = []

    def do_GET(self):
        self.ports.append(self.client_address[1])
        if self.path == "/silent":
            self.rfile.read(1)  # until the other side goes
            return
        body = b"{}" if self.path == "/fine" else b"none"
        self.send_response(200 if self.path == "/fine" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


def test_what_is_read_comes_over_one_connection_and_nothing_answers_where_nobody_is(tmp_path):
    _Slow.ports.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Slow) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        light = client(tmp_path, {"server": f"http://127.0.0.1:{server.server_port}"}, {})
        assert light.read("/fine", {}, connect=60, timeout=60) == (200, "OK", b"{}")
        assert light.read("/other", {}, connect=60, timeout=60) == (404, "Not Found", b"none")
        assert len(set(_Slow.ports)) == 1
        slow = client(tmp_path, {"server": f"http://127.0.0.1:{server.server_port}"}, {})
        with pytest.raises(TimeoutError):
            slow.read("/silent", {}, connect=60, timeout=0.05)
        server.shutdown()
        thread.join()
    gone = client(tmp_path, {"server": f"http://127.0.0.1:{server.server_port}"}, {})
    assert gone.read("/fine", {}, connect=60, timeout=60) is None
    assert light.pool is light.pool
    assert light.read("/fine", {}, connect=60, timeout=60) is None  # from now on the pool is used
