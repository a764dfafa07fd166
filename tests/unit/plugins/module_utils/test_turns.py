# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import BusyError
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._turns import is_taken, my_turn, supervisors_turn


def test_a_run_that_finds_another_one_is_refused(tmp_path: Path) -> None:
    layout = WorkDir(tmp_path)
    with my_turn(layout), pytest.raises(BusyError, match="another run is in progress"), my_turn(layout):
        pass


def test_a_run_that_finds_the_supervisor_waits_for_it(tmp_path: Path) -> None:
    layout, order = WorkDir(tmp_path), []

    def operate() -> None:
        with my_turn(layout):
            order.append("operator")

    with supervisors_turn(layout), my_turn(layout):
        operator = threading.Thread(target=operate)
        operator.start()
        operator.join(0.1)
        order.append("supervisor")
    operator.join()
    assert order == ["supervisor", "operator"]


def test_the_supervisor_sees_that_somebody_is_at_it_and_keeps_nobody_out(tmp_path: Path) -> None:
    layout = WorkDir(tmp_path)
    assert not is_taken(layout)
    with my_turn(layout):
        assert is_taken(layout)
    with my_turn(layout):
        pass
