"""A pytest plugin that takes only the files of which a test failed the last time, each of them whole.

Tests of one file may share an installation, so one alone proves nothing. Where many files failed it is no accident, and
nothing is tried again.
"""

from __future__ import annotations

import pytest

_ACCIDENTS = 4


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is in other files.

    :raises pytest.UsageError: more files failed than by accident, or none is known.
    """
    assert config.cache is not None
    failed = {name.partition("::")[0] for name in config.cache.get("cache/lastfailed", {})}
    if not 0 < len(failed) <= _ACCIDENTS:
        raise pytest.UsageError(f"tests of {len(failed)} files failed: there is no accident to be ruled out")
    others = [item for item in items if item.nodeid.partition("::")[0] not in failed]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
