# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The debug log of a run: what Ansible said, for the owner alone."""

from __future__ import annotations

import os
import tempfile
import time
import traceback
from pathlib import Path
from typing import TextIO

from ansible_collections.provisioning.platform.plugins.module_utils._paths import FILE_MODE, make_directory

FILE_NAME = "provisioning-run.log"


class RunLog:
    """A log that is appended to; its file is made with the first line.

    :param path: the file, 0600.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: TextIO | None = None

    def write(self, text: str) -> None:
        """Append text.

        :raises OSError: the file cannot be written.
        """
        if self._stream is None:
            self._stream = _open(self.path)
            self._stream.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n")
        self._stream.write(text)
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def record_exception(error: BaseException, folder: Path | None = None) -> Path | None:
    """Write down an exception nobody expected; return where, or nothing if it can be written nowhere.

    :param folder: the folder of the run, where it has one already.
    """
    text = "".join(traceback.format_exception(error))
    try:
        path = (
            folder / FILE_NAME if folder is not None else Path(tempfile.mkdtemp(prefix="provisioning-run-")) / FILE_NAME
        )
        log = RunLog(path)
        log.write(text)
        log.close()
    except OSError:
        return None
    return path


def _open(path: Path) -> TextIO:
    make_directory(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
    os.fchmod(descriptor, FILE_MODE)
    return os.fdopen(descriptor, "a", encoding="utf-8")
