# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching an artefact whose content is known beforehand."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ._errors import DriverError, Problem
from ._model import Download
from ._paths import make_directory, write_atomically

_TIMEOUT_SECONDS = 60.0
_EXECUTABLE = 0o755  # nothing in it is secret, and it may have to run as another user
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def destination(download: Download, folder: Path) -> Path:
    """Return where the artefact's executable is put."""
    if download.dest:
        return Path(download.dest)
    return folder / Path(download.extract or urlsplit(download.url).path).name


def content_of(download: Download) -> str:
    """Return what tells whether another file would be put in place."""
    return f"{download.sha256} {download.extract}" if download.extract else download.sha256


def fetch(download: Download, folder: Path, *, service: str) -> Path:
    """Fetch the artefact unless the same one is there already, and return the path of its executable.

    :param folder: where it is put unless the definition says otherwise.
    :param service: on whose behalf, for messages.
    :raises DriverError: it cannot be fetched, or it is not what its checksum says.
    :raises OSError: it cannot be written.
    """
    target = destination(download, folder)
    if target.exists() and _fetched(target) == content_of(download):
        return target
    url = urlsplit(download.url)
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
        raise _fault(service, f"{download.url} is not https", "Use an https URL.")
    make_directory(target.parent)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.") as temporary:
        _receive(download, temporary, service)
        _mark(target).unlink(missing_ok=True)  # until the new one is there, none is vouched for
        _install(download, Path(temporary.name), target, service)
    write_atomically(_mark(target), content_of(download))
    return target


def remove(download: Download, folder: Path) -> None:
    """Remove the executable of an artefact, if it was fetched."""
    target = destination(download, folder)
    if _fetched(target) is not None:
        target.unlink(missing_ok=True)
        _mark(target).unlink()


@contextlib.contextmanager
def kept(download: Download | None, folder: Path) -> Iterator[Callable[[], None]]:
    """Keep what an artefact has put there while the block runs; what is given puts it back, without a network.

    :param download: the artefact; none keeps nothing.
    :raises OSError: it cannot be kept.
    """
    target = destination(download, folder) if download is not None else None
    checksum = _fetched(target) if target is not None and target.exists() else None
    if target is None or checksum is None:
        yield lambda: None
        return
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.") as copy:
        shutil.copyfile(target, copy.name)

        def put_back() -> None:
            if _fetched(target) != checksum:
                again = Path(f"{copy.name}.again")
                shutil.copyfile(copy.name, again)
                again.chmod(_EXECUTABLE)
                again.replace(target)
                write_atomically(_mark(target), checksum)

        yield put_back


def _mark(target: Path) -> Path:
    return target.with_name(f".{target.name}.sha256")


def _fetched(target: Path) -> str | None:
    """Return what tells of the artefact that an executable came from, if we have put it there."""
    try:
        return _mark(target).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _receive(download: Download, output: IO[bytes], service: str) -> None:
    digest = hashlib.sha256()
    with _open(download, service) as answer:
        while data := _read(answer, download, service):
            digest.update(data)
            output.write(data)
    output.flush()
    if digest.hexdigest() != download.sha256.lower():
        raise _fault(
            service,
            f"{download.url} has the SHA-256 {digest.hexdigest()}, not {download.sha256}",
            "Do not use it unless you know why; then correct the definition.",
        )


def _open(download: Download, service: str) -> IO[bytes]:
    import urllib.request

    # What this host itself serves is asked for directly, whatever proxy is set for the rest.
    proxies = [urllib.request.ProxyHandler({})] if urlsplit(download.url).hostname in _LOOPBACK else []
    try:
        answer: IO[bytes] = urllib.request.build_opener(*proxies).open(download.url, timeout=_TIMEOUT_SECONDS)
    except (OSError, HTTPException, ValueError) as error:
        raise _unfetched(download, service, error) from error
    return answer


def _read(answer: IO[bytes], download: Download, service: str) -> bytes:
    try:
        return answer.read(1 << 20)
    except (OSError, HTTPException) as error:
        raise _unfetched(download, service, error) from error


def _unfetched(download: Download, service: str, error: Exception) -> DriverError:
    import urllib.error

    reason = str(error) if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", None) or error
    return _fault(service, f"{download.url} cannot be fetched: {reason}", "Check the URL and the network.")


def _install(download: Download, source: Path, target: Path, service: str) -> None:
    import tarfile
    import zipfile

    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    staged = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as output:
            if download.extract:
                _extract(source, download.extract, output)
            else:
                with source.open("rb") as content:
                    shutil.copyfileobj(content, output)
        staged.chmod(_EXECUTABLE)
        os.replace(staged, target)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        is_archive = not isinstance(error, (tarfile.ReadError, zipfile.BadZipFile))
        what = error.args[0] if is_archive and error.args else "it is no tar or zip archive"
        raise _fault(
            service,
            f"{download.extract} cannot be taken out of {download.url}: {what}",
            "Correct download.extract, which names a file of a tar or zip archive.",
        ) from error
    finally:
        staged.unlink(missing_ok=True)


def _extract(archive: Path, member: str, output: IO[bytes]) -> None:
    import tarfile
    import zipfile

    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed, packed.open(member) as stream:
            shutil.copyfileobj(stream, output)
        return
    with tarfile.open(archive) as packed_tar:
        content = packed_tar.extractfile(member)
        if content is None:
            raise KeyError("it is not a file")
        with content:
            shutil.copyfileobj(content, output)


def _fault(service: str, why: str, remedy: str) -> DriverError:
    return DriverError(Problem(service, why, remedy))
