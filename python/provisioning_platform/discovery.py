# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration is meant where none is named, and which installation: the one rule, for both commands.

``--config``, ``PROVISIONING_CONFIG``, ``./provisioning.toml`` (``.yml``, ``.yaml``), then what is installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)

VARIABLE = "PROVISIONING_CONFIG"
FILES = ("provisioning.toml", "provisioning.yml", "provisioning.yaml")
DEFAULT_WORK_DIR = "~/.provisioning"


@dataclass(frozen=True)
class Found:
    """An installation's work dir.

    :param what: what it is, in words, e.g. the work dir of a configuration.
    """

    work_dir: Path
    what: str


def find_configuration(
    given: Path | None = None, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> tuple[Path, str] | None:
    """Return the configuration that is meant and what named it; nothing where there is none.

    :param given: by ``--config``.
    :param folder: where to look; the current directory by default.
    :raises ConfigurationError: the file named is not there, or two files lie side by side.
    """
    if given is not None:
        return _named(given, f"--config {given}", what=str(given))
    if environ.get(VARIABLE):
        path = Path(environ[VARIABLE])
        return _named(path, f"{VARIABLE}={path}", what=f"{VARIABLE}={path}")
    here = folder or Path()
    present = [here / name for name in FILES if (here / name).is_file()]
    if len(present) > 1:
        beside = " and ".join(f"./{path.name}" for path in present)
        remedy = "Choose one by --config, or move the others away."
        raise ConfigurationError(Problem(beside, "lie side by side, and only one can be meant", remedy))
    return (present[0], f"./{present[0].name}") if present else None


def find_work_dir(
    *,
    config: Path | None = None,
    work_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Found:
    """Return the work dir of the installation that is meant; of a configuration no more is read than that.

    :param config: the configuration, by ``--config``.
    :param work_dir: the work dir itself, by ``--work-dir``.
    :raises ConfigurationError: both were given, or a configuration does not tell.
    """
    if work_dir is not None:
        if config is not None:
            raise ConfigurationError(Problem("--work-dir", "excludes --config", "Leave one of the two out."))
        return _folder(work_dir.expanduser().absolute(), f"what --work-dir {work_dir} names")
    found = find_configuration(config, environ=environ, folder=folder)
    if found is None:
        return Found(Path(DEFAULT_WORK_DIR).expanduser(), "the usual work dir")
    path, by = found
    return _folder(_work_dir_in(path, environ), f"the work dir of {by}")


def _folder(path: Path, by: str) -> Found:
    for part in (path, *path.parents):
        if os.path.isdir(part):  # noqa: PTH112 - who may not look is told so later
            break
        if os.path.exists(part):  # noqa: PTH110
            where = "it" if part == path else str(path)
            raise ConfigurationError(Problem(str(part), f"is not a folder ({where} is {by})", "Name the work dir."))
    return Found(path, by)


def _named(path: Path, by: str, *, what: str) -> tuple[Path, str]:
    if path.exists() and not path.is_dir():
        return path, by
    why = "is a folder" if path.is_dir() else "cannot be read: No such file or directory"
    raise ConfigurationError(Problem(what, why, "Name a configuration; provisioning-run sample prints one."))


def _work_dir_in(path: Path, environ: Mapping[str, str]) -> Path:
    # Read when there is a configuration only: with YAML and TOML they cost more than the rest of a short command.
    from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document
    from ansible_collections.provisioning.platform.plugins.plugin_utils.settling import work_dir_of
    from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Substitution

    written = read_document(path).get("work_dir", DEFAULT_WORK_DIR)
    if not isinstance(written, str):
        raise ConfigurationError(Problem(f"{path}: work_dir", "is not a text", "Write the path of a folder."))
    substitution = Substitution(environ)
    value = substitution.apply(written, "work_dir")
    raise_if_any(substitution.problems, ConfigurationError)
    return Path(work_dir_of(str(value), str(Path.home())))
