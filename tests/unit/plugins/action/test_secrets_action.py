# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from ansible_collections.provisioning.platform.plugins.action.secrets import ActionModule


def test_the_connection_shows_nothing_while_values_come_and_go_over_it(monkeypatch) -> None:
    """With -vvv Ansible's ssh shows what a module has written, unless it is told that there are secrets in it."""
    service = {
        "name": "web",
        "deployment": {"mode": "binary", "binary": {"command": "web"}},
        "secrets": {"token": {}},
    }
    task = SimpleNamespace(args={"services": json.dumps([service])})
    connection = SimpleNamespace(_play_context=SimpleNamespace(no_log=False))
    hidden = []

    def engine(_self: ActionModule, given: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        hidden.append(connection._play_context.no_log)
        return {"changed": bool(given.get("values")), "values": {}, "invocation": given}

    monkeypatch.setattr(ActionModule, "engine", engine)
    made = ActionModule(task, connection, SimpleNamespace(), None, None, None).work({})
    assert hidden == [True, True]
    assert "invocation" not in made
