from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret
from ansible_collections.provisioning.platform.plugins.modules.secrets import changed_copies, newer

OLD = {"key": Secret("old", 1)}


@pytest.mark.parametrize(
    ("given", "existing", "written"),
    [
        ({"key": Secret("new", 1)}, {}, {"key": Secret("new", 1)}),
        ({"key": Secret("new", 1)}, OLD, {}),
        ({"key": Secret("new", 2)}, OLD, {"key": Secret("new", 2)}),
    ],
)
def test_a_secret_that_exists_is_kept_unless_its_version_has_risen(given, existing, written):
    assert newer(given, existing) == written


@pytest.mark.parametrize(
    ("given", "existing", "written"),
    [
        (OLD, {}, OLD),
        (OLD, OLD, {}),
        ({"key": Secret("old", 1)}, {"key": Secret("old", 3)}, {}),
        ({"key": Secret("new", 1)}, {"key": Secret("old", 3)}, {"key": Secret("new", 4)}),
        ({"key": Secret("new", 7)}, {"key": Secret("old", 3)}, {"key": Secret("new", 7)}),
    ],
)
def test_a_copy_follows_its_value_and_whoever_uses_it_sees_a_new_version(given, existing, written):
    assert changed_copies(given, existing) == written
