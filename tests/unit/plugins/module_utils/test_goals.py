# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is asked for to what each service is to be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError
from ansible_collections.provisioning.platform.plugins.module_utils._goals import goals_for, needs_elsewhere
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceOperation

from tests.fixtures.definitions import service, services

#: On this host: b needs a, and c needs store, which is on another one.
HERE = services(
    service("a"),
    service("b", ["a"]),
    service("c", elsewhere={"store": {"host": "two", "check": {"type": "tcp", "port": 1}}}),
)
ELSEWHERE = {"store": ["two"]}


def asked(operation: Any, *names: str, needed: Any = (), **settings: Any) -> dict[str, str]:
    wanted = ServiceOperation(operation=operation, services=names, **settings)
    return goals_for(HERE, wanted, elsewhere=ELSEWHERE, running=lambda: list(HERE), needed=dict(needed))


@pytest.mark.parametrize(
    ("operation", "names", "settings", "goals"),
    [
        ("start", ("b",), {}, {"a": "started", "b": "started"}),
        ("start", ("store",), {}, {}),
        ("stop", (), {}, {"a": "stopped", "b": "stopped", "c": "stopped"}),
        ("stop", ("store",), {}, {}),
        ("stop", ("store",), {"with_dependents": True}, {"c": "stopped"}),
        ("stop", ("a",), {"with_dependents": True}, {"a": "stopped", "b": "stopped"}),
        ("remove", ("a",), {"force": True}, {"a": "absent"}),
    ],
)
def test_what_is_asked_for_decides_what_each_is_to_be(
    operation: str, names: tuple[str, ...], settings: dict[str, bool], goals: dict[str, str]
) -> None:
    assert asked(operation, *names, **settings) == goals


@pytest.mark.parametrize(
    ("names", "settings", "who"),
    [
        (("a",), {}, "b, web on two"),
        (("a", "b"), {}, "web on two"),
        (("a",), {"with_dependents": True}, "web on two"),
        ((), {}, "web on two"),
    ],
)
def test_what_is_needed_here_or_elsewhere_is_not_stopped(
    names: tuple[str, ...], settings: dict[str, bool], who: str
) -> None:
    with pytest.raises(PrerequisiteError, match=f"a: is needed by {who}. Stop those too"):
        asked("stop", *names, needed={"a": ["web on two"]}, **settings)
    assert asked("stop", *names, needed={"a": ["web on two"]}, force=True)["a"] == "stopped"


def test_a_host_tells_what_its_running_services_need_of_others() -> None:
    assert needs_elsewhere(HERE, leaving=[], running=lambda: ["a", "c"]) == {"store": ["c"]}
    assert needs_elsewhere(HERE, leaving=["c"], running=lambda: ["a", "c"]) == {}
    assert needs_elsewhere(HERE, leaving=[], running=lambda: ["a"]) == {}
