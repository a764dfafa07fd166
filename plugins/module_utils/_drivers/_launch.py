# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process is started with: its executable and its environment. Pure but for looking at files."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from .._model import Scalar

# A service's environment is its own: what a pipeline or a shell happens to hold, its secrets and the marks by which
# Jenkins (JENKINS_NODE_COOKIE, BUILD_ID) and GitHub's runner (RUNNER_TRACKING_ID) kill at job end, stays outside.
_INHERITED = frozenset(
    {"LANG", "LANGUAGE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {name for proxy in ("http_proxy", "https_proxy", "no_proxy") for name in (proxy, proxy.upper())}
)
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def text_of(value: Scalar) -> str:
    """Return a setting as the text an environment holds; truth is written as in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def search_path(bin_folder: Path, outer: Mapping[str, str] | None = None) -> str:
    """Return where commands are looked for: our downloads, this interpreter's own scripts, then the system's path.

    :param outer: the environment we run in; only its PATH is used.
    """
    path = (os.environ if outer is None else outer).get("PATH") or _SYSTEM_PATH
    return os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), path])


def find_executable(command: str, path: str) -> str | None:
    """Return the absolute path of a command, or nothing where none is executable."""
    return shutil.which(command, path=path)


def environment(
    settings: Mapping[str, Scalar], *, path: str, user: str | None, outer: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the whole environment of a process.

    :param settings: what the definition and the installation set.
    :param path: its PATH, unless the settings have one.
    :param user: whom it runs as; ourselves when absent.
    :param outer: the environment we run in.
    """
    around = os.environ if outer is None else outer
    account = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
    result = {name: value for name, value in around.items() if name in _INHERITED or name.startswith("LC_")}
    result |= {"PATH": path, "HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
    return result | {name: text_of(value) for name, value in settings.items()}
