# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching an artefact whose content is known beforehand."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ._errors import DriverError, Problem
from ._model import Download
from ._paths import make_directory

_TIMEOUT_SECONDS = 60.0
_EXECUTABLE = 0o700


def destination(download: Download, folder: Path) -> Path:
    """Return where the artefact's executable is put."""
    if download.dest:
        return Path(download.dest)
    return folder / Path(download.extract or urlsplit(download.url).path).name


def fetch(download: Download, folder: Path, *, service: str) -> Path:
    """Fetch the artefact unless the same one is there already, and return the path of its executable.

    :param folder: where it is put unless the definition says otherwise.
    :param service: on whose behalf, for messages.
    :raises DriverError: it cannot be fetched, or it is not what its checksum says.
    """
    target = destination(download, folder)
    mark = target.with_name(f".{target.name}.sha256")
    if target.exists() and mark.exists() and mark.read_text(encoding="ascii") == download.sha256:
        return target
    url = urlsplit(download.url)
    if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise _fault(service, f"{download.url} is not https", "Use an https URL.")
    make_directory(target.parent)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.") as temporary:
        _receive(download, temporary, service)
        _install(download, Path(temporary.name), target, service)
    mark.write_text(download.sha256, encoding="ascii")
    return target


def _receive(download: Download, output: IO[bytes], service: str) -> None:
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(download.url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - scheme checked
            while data := answer.read(1 << 20):
                digest.update(data)
                output.write(data)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise _fault(service, f"{download.url} cannot be fetched: {reason}", "Check the URL and the network.") from error
    output.flush()
    if digest.hexdigest() != download.sha256.lower():
        raise _fault(
            service,
            f"{download.url} has the SHA-256 {digest.hexdigest()}, not {download.sha256}",
            "Do not use it unless you know why; then correct the definition.",
        )


def _install(download: Download, source: Path, target: Path, service: str) -> None:
    staged = target.with_name(f".{target.name}.new")
    try:
        if download.extract:
            _extract(source, download.extract, staged)
        else:
            shutil.copyfile(source, staged)
        staged.chmod(_EXECUTABLE)
        os.replace(staged, target)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise _fault(service, f"{download.url} has no member {download.extract}: {error}", "Correct it.") from error
    finally:
        staged.unlink(missing_ok=True)


def _extract(archive: Path, member: str, target: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed, packed.open(member) as stream, target.open("wb") as output:
            shutil.copyfileobj(stream, output)
        return
    with tarfile.open(archive) as packed_tar:
        content = packed_tar.extractfile(member)
        if content is None:
            raise KeyError(f"{member} is not a file")
        with content, target.open("wb") as output:
            shutil.copyfileobj(content, output)


def _fault(service: str, why: str, remedy: str) -> DriverError:
    return DriverError(Problem(service, why, remedy))
