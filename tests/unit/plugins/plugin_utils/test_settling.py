# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.settling import arguments_as_texts


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        (
            {"deployment": {"binary": {"args": ["-p", 80, 1.5]}}},
            {"deployment": {"binary": {"args": ["-p", "80", "1.5"]}}},
        ),
        (
            {"deployment": {"docker": {"command": [1], "entrypoint": [2]}}},
            {"deployment": {"docker": {"command": ["1"], "entrypoint": ["2"]}}},
        ),
        ({"health": {"command": ["nc", 80]}}, {"health": {"command": ["nc", "80"]}}),
        ({"health": {"port": 80}}, {"health": {"port": 80}}),
        # What is wrong stays as it is: validation tells of it.
        ({"deployment": {"binary": {"args": [True, None]}}}, {"deployment": {"binary": {"args": [True, None]}}}),
        ({"deployment": {"binary": {"args": 80}}}, {"deployment": {"binary": {"args": 80}}}),
        ({"deployment": "x"}, {"deployment": "x"}),
        ("x", "x"),
    ],
)
def test_arguments_are_texts_and_nothing_else_is_touched(document: Any, texts: Any) -> None:
    assert arguments_as_texts(document) == texts
