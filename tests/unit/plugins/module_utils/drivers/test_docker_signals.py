# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_signals import (
    first_process_is_deaf,
)

CONTAINER = "4b1c" * 16
HEARS_TERM = f"{1 << 14:016x}"
HEARS_INT = f"{1 << 1:016x}"


@pytest.mark.parametrize(
    ("cgroup", "pids", "caught", "name", "deaf"),
    [
        (CONTAINER, "812\t1", "0" * 16, "SIGTERM", True),
        (CONTAINER, "812\t1", HEARS_TERM, "SIGTERM", False),
        (CONTAINER, "812\t1", HEARS_TERM, "TERM", False),
        (CONTAINER, "812\t1", HEARS_INT, "SIGTERM", True),
        (CONTAINER, "812\t1", HEARS_INT, "SIGINT", False),
        # Not the first process of its namespace: there the signal has its usual effect.
        (CONTAINER, "812\t7", "0" * 16, "SIGTERM", False),
        (CONTAINER, "812", "0" * 16, "SIGTERM", False),
        # The pid is somebody else's here, e.g. because the engine runs in a virtual machine.
        ("cafe" * 16, "812\t1", "0" * 16, "SIGTERM", False),
    ],
)
def test_a_first_process_without_a_handler_is_deaf(
    tmp_path: Path, cgroup: str, pids: str, caught: str, name: str, *, deaf: bool
) -> None:
    folder = tmp_path / "812"
    folder.mkdir()
    (folder / "cgroup").write_text(f"4:memory:/docker/{cgroup}\n0::/\n")
    (folder / "status").write_text(f"Name:\thttpd\nNSpid:\t{pids}\nSigCgt:\t{caught}\n")
    assert first_process_is_deaf(812, CONTAINER, name, proc=tmp_path) is deaf


def test_a_process_that_cannot_be_looked_at_is_asked_as_usual(tmp_path: Path) -> None:
    assert not first_process_is_deaf(812, CONTAINER, "SIGTERM", proc=tmp_path)
