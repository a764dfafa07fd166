# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.filter.filled import filled


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/srv/platform", "/srv/platform"),
        ("${PLACE}/work", "/srv/work"),
        ("${NOT_SET_ANYWHERE:-~/.provisioning}", "~/.provisioning"),
        ("${NOT_SET_ANYWHERE}", "${NOT_SET_ANYWHERE}"),
        ("${PLACE}/${NOT_SET_ANYWHERE}", "${PLACE}/${NOT_SET_ANYWHERE}"),
        (None, None),
    ],
)
def test_placeholders_are_filled_in_where_all_of_them_have_a_value(monkeypatch, value: Any, expected: Any) -> None:
    monkeypatch.setenv("PLACE", "/srv")
    assert filled(value) == expected
