# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as one file that any Python can run: what it imports of the collection, packed the same every time."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

#: Holds the version; beside the packages, so that no module is in its way.
VERSION_FILE = "ansible_collections/provisioning/platform/VERSION"
_PLUGINS = Path(__file__).parents[2]
_NAME = "ansible_collections.provisioning.platform.plugins"
_PROGRAM = f"{_NAME}.plugin_utils.supervisor.program"
_MAIN = f"from {_PROGRAM} import main\n\nmain()\n"
_IMPORT = re.compile(r"\n[ \t]*from (\.*)([\w.]*) import (\([^)]*\)|[^\n]*)")
_WORD = re.compile(r"\w+")
_DIGITS = 16
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that the format knows


@functools.lru_cache(maxsize=1)
def sources() -> Mapping[str, bytes]:
    """Return the files of the archive by their path in it, in order.

    :raises OSError: one cannot be read.
    """
    found: dict[str, bytes] = {}
    waiting = [_PROGRAM]
    while waiting:
        name = waiting.pop()
        path = _path_in_archive(name)
        if path in found:
            continue
        found[path] = _file_of(name).read_bytes()
        waiting += [other for other in _imported(name, found[path].decode()) if _is_ours(other)]
    folders = {path.rpartition("/")[0] for path in found}
    for folder in list(folders):
        while folder := folder.rpartition("/")[0]:
            folders.add(folder)
    packages = {f"{folder}/__init__.py" for folder in folders}
    empty = dict.fromkeys(sorted(packages - found.keys()), b"")
    return {"__main__.py": _MAIN.encode(), VERSION_FILE: _version().encode(), **empty, **_sorted(found)}


def digest() -> str:
    """Return what tells this program from others.

    :raises OSError: its source cannot be read.
    """
    total = hashlib.sha256()
    for path, content in sources().items():
        total.update(f"{path} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()[:_DIGITS]


def archive() -> bytes:
    """Return the program as a file for ``python FILE``.

    :raises OSError: its source cannot be read.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in sources().items():
            packed.writestr(zipfile.ZipInfo(path, _LONG_AGO), content, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _version() -> str:
    """Return the version of the collection, which is told in one file of a checkout, and another of a release."""
    for name, pattern in (("galaxy.yml", r"^version:\s*(\S+)"), ("MANIFEST.json", r'"version":\s*"([^"]+)"')):
        path = _PLUGINS.parent / name
        found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE) if path.is_file() else None
        if found:
            return found[1].strip("\"'")
    return ""


def _imported(name: str, text: str) -> Iterator[str]:
    """Yield the modules that a module may import, those in functions included."""
    for dots, base, names in _IMPORT.findall(text):
        if dots:
            package = name.split(".")[: -len(dots)]
            base = ".".join([*package, *([base] if base else [])])  # noqa: PLW2901
        if base.startswith(_NAME):
            yield base
            yield from (f"{base}.{word}" for word in _WORD.findall(names))
        elif base.startswith("provisioning_platform"):
            yield base


@functools.cache
def _is_ours(name: str) -> bool:
    try:
        return _file_of(name).is_file()
    except ModuleNotFoundError:
        return False


@functools.cache
def _file_of(name: str) -> Path:
    if not name.startswith(_NAME):
        found = importlib.util.find_spec(name)
        return Path(found.origin) if found and found.origin else Path("/nonexistent")
    path = _PLUGINS.joinpath(*name.removeprefix(_NAME).strip(".").split("."))
    package = path / "__init__.py"
    return package if package.is_file() else path.with_suffix(".py")


def _path_in_archive(name: str) -> str:
    path = "/".join(name.split("."))
    return f"{path}/__init__.py" if _file_of(name).name == "__init__.py" else f"{path}.py"


def _sorted(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: files[path] for path in sorted(files)}
