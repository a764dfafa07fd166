# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Observation
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceState
from ansible_collections.provisioning.platform.plugins.module_utils._status import status_of

from tests.fixtures.definitions import service

KILLED = Observation("failed", exit_code=137, detail="was killed by SIGKILL")


@pytest.mark.parametrize(
    ("seen", "wanted", "status", "detail"),
    [
        (KILLED, "stopped", "stopped", "was stopped and was killed by SIGKILL"),
        (KILLED, "started", "failed", "was killed by SIGKILL"),
        (Observation("failed", detail="CrashLoopBackOff"), "stopped", "failed", "CrashLoopBackOff"),
        (Observation("running"), "stopped", "running", ""),
    ],
)
def test_what_ended_because_we_stopped_it_is_not_broken(seen, wanted, status, detail):
    found = status_of(service("web"), seen, None, ServiceState(name="web", mode="docker", wanted=wanted), None)
    assert (found.status, found.detail) == (status, detail)


@pytest.mark.parametrize(
    ("mode", "wanted", "started_at", "status"),
    [
        ("binary", "stopped", 1.0, "stopped"),
        ("binary", "started", 1.0, "absent"),
        ("binary", "stopped", None, "absent"),
        ("docker", "stopped", 1.0, "absent"),
    ],
)
def test_a_process_whose_record_was_lost_when_it_was_stopped_is_stopped(mode, wanted, started_at, status):
    state = ServiceState(name="web", mode=mode, wanted=wanted, started_at=started_at)
    assert status_of(service("web"), None, None, state, None).status == status
