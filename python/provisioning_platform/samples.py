# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example configurations that the collection ships."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError, Problem

from .text import names

_ENDINGS = {"toml": ".toml", "yaml": ".yml"}


def read_sample(folder: Path, profile: str, file_format: str = "toml") -> str:
    """Return an example as it is shipped.

    :param folder: the examples of the collection.
    :param profile: its name, in any letter case.
    :param file_format: ``toml`` or ``yaml``.
    :raises ConfigurationError: there is no such profile.
    """
    wanted = profile.lower().replace("_", "-")
    known = sorted(path.stem for path in folder.glob(f"*{_ENDINGS[file_format]}"))
    matches = [name for name in known if name.replace("-", "") == wanted.replace("-", "")]
    if not matches:
        there_is = f"There is {names(known)}." if known else f"There is none in {folder}; install the package again."
        raise ConfigurationError(Problem(f"profile {profile!r}", "no example has this name", there_is))
    return (folder / f"{matches[0]}{_ENDINGS[file_format]}").read_text(encoding="utf-8")
