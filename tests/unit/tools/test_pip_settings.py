"""Pip's settings as one file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "tools/pip_settings.py"


@pytest.fixture(scope="module")
def pip_settings() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pip_settings", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("listed", "settings"),
    [
        ("", {}),
        ("global.index-url='https://example.com/simple'", {"global": {"index-url": "https://example.com/simple"}}),
        ("global.timeout='10'\n:env:.timeout='60'", {"global": {"timeout": "60"}}),
        ("install.no-binary='a=b'\nglobal.cert='/c'", {"install": {"no-binary": "a=b"}, "global": {"cert": "/c"}}),
        (r"global.find-links='/a\n/b'", {"global": {"find-links": "/a\n    /b"}}),
    ],
)
def test_what_pip_lists_becomes_a_configuration_in_which_the_environment_wins(
    pip_settings: ModuleType, listed: str, settings: dict[str, dict[str, str]]
) -> None:
    collected = pip_settings.collect(listed)

    assert {section: dict(collected[section]) for section in collected.sections()} == settings
