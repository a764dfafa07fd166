# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Example configurations."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from provisioning_platform.samples import read_sample


@pytest.fixture
def folder(tmp_path):
    for name in ("solo.toml", "solo.yml", "multi-user.toml"):
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("profile", "file_format", "text"),
    [
        ("solo", "toml", "# solo.toml\n"),
        ("solo", "yaml", "# solo.yml\n"),
        ("MultiUser", "toml", "# multi-user.toml\n"),
        ("multi_user", "toml", "# multi-user.toml\n"),
    ],
)
def test_an_example_is_printed_as_it_is_shipped(folder, profile, file_format, text):
    assert read_sample(folder, profile, file_format) == text


def test_a_profile_unknown_is_refused_and_the_known_ones_named(folder):
    with pytest.raises(ConfigurationError, match="There is multi-user and solo"):
        read_sample(folder, "../solo")
