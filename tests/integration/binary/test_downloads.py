# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are fetched."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from tests.fixtures.binary_host import Host
from tests.fixtures.definitions import service

PROGRAM = b"#!/bin/sh\necho program $1\nexec sleep 1000\n"


def _tar() -> bytes:
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as packed:
            for name in ("release-1/README", "release-1/program"):
                entry = tarfile.TarInfo(name)
                entry.size = len(PROGRAM)
                packed.addfile(entry, io.BytesIO(PROGRAM))
            packed.addfile(tarfile.TarInfo("release-1/folder"))
        return stream.getvalue()


def _zip() -> bytes:
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("release-1/program", PROGRAM)
            packed.writestr("release-1/other", PROGRAM.replace(b"program", b"other"))
        return stream.getvalue()


FILES = {"/program": PROGRAM, "/release.tar.gz": _tar(), "/release.zip": _zip(), "/broken": PROGRAM}


class _Files(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path not in FILES:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILES[self.path]) + (self.path == "/broken")))
        self.end_headers()
        self.wfile.write(FILES[self.path])

    def log_message(self, *args: Any) -> None:
        pass


class Depot:
    """A web server that has artefacts, and knows what it was asked for."""

    def __init__(self) -> None:
        handler = type("Handler", (_Files,), {"asked": []})
        self.asked: list[str] = handler.asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def service(self, path: str, *, command: str = "program", **download: Any) -> ServiceDefinition:
        content = FILES.get(path, b"")
        settings = {"url": f"{self.url}{path}", "sha256": hashlib.sha256(content).hexdigest(), **download}
        return service("one", command=command, args=["7"], binary={"download": settings})


@pytest.fixture
def depot(monkeypatch: pytest.MonkeyPatch) -> Iterator[Depot]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # which nobody must ask for what is here
    found = Depot()
    threading.Thread(target=found.server.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.mark.parametrize(
    ("path", "download"),
    [
        ("/program", {}),
        ("/release.tar.gz", {"extract": "release-1/program"}),
        ("/release.zip", {"extract": "release-1/program"}),
    ],
)
def test_an_artefact_is_fetched_checked_unpacked_run_and_removed(
    host: Host, depot: Depot, path: str, download: dict[str, Any]
) -> None:
    one = depot.service(path, **download)
    first = host.start(one)
    assert host.until(lambda: host.log(one)) == ["program 7"]
    target = host.layout.bin / "program"
    assert target.read_bytes() == PROGRAM
    host.stop(one)
    assert host.start(one).id != first.id
    assert depot.asked == [path]
    host.remove(one)
    assert list(host.layout.bin.iterdir()) == []


def test_an_artefact_may_have_its_place_elsewhere_and_another_version_replaces_it(
    host: Host, depot: Depot, tmp_path: Path
) -> None:
    dest = tmp_path / "opt" / "it"
    host.start(depot.service("/program", command=str(dest), dest=str(dest)))
    one = depot.service("/release.zip", command=str(dest), dest=str(dest), extract="release-1/program")
    assert host.start(one).status == "running"
    assert depot.asked == ["/program", "/release.zip"]
    host.remove(one)
    assert not dest.exists()


def test_another_member_of_the_same_archive_takes_the_place_of_the_one_before(host: Host, depot: Depot) -> None:
    dest = str(host.layout.bin / "it")
    one = depot.service("/release.zip", command=dest, dest=dest, extract="release-1/program")
    other = depot.service("/release.zip", command=dest, dest=dest, extract="release-1/other")
    first = host.start(one)
    assert host.start(other).id != first.id
    assert host.until(lambda: "other 7" in host.log(other))


@pytest.mark.parametrize(
    ("path", "download", "message"),
    [
        ("/program", {"sha256": "0" * 64}, r"/program has the SHA-256 [0-9a-f]{64}, not 0{64}\. Do not use it"),
        ("/none", {}, r"/none cannot be fetched: HTTP Error 404: Not Found\. Check the URL"),
        ("/broken", {"sha256": "0" * 64}, r"/broken has the SHA-256|/broken cannot be fetched"),
        ("/program", {"url": "http://example.org/program"}, r"http://example.org/program is not https\. Use an https"),
        ("/program", {"url": "file://localhost/etc/passwd"}, r"file://localhost/etc/passwd is not https\."),
        ("/program", {"url": "http://127.0.0.1:1/program"}, r"cannot be fetched: .*refused"),
        ("/release.zip", {"extract": "none"}, r"none cannot be taken out of .*: There is no item named 'none'"),
        ("/release.tar.gz", {"extract": "none"}, r"none cannot be taken out of .*: filename 'none' not found"),
        (
            "/program",
            {"extract": "none"},
            r"none cannot be taken out of .*: it is no tar or zip archive\. Correct download",
        ),
    ],
)
def test_an_artefact_that_cannot_be_had_is_an_error_and_leaves_nothing(
    host: Host, depot: Depot, path: str, download: dict[str, Any], message: str
) -> None:
    with pytest.raises(DriverError, match=message):
        host.start(depot.service(path, **download))
    assert list(host.layout.bin.glob("*")) == []


def test_a_wrong_artefact_does_not_replace_the_one_that_is_there(host: Host, depot: Depot) -> None:
    host.start(depot.service("/program"))
    with pytest.raises(DriverError, match="has the SHA-256"):
        host.start(depot.service("/program", sha256="0" * 64))
    assert (host.layout.bin / "program").read_bytes() == PROGRAM
