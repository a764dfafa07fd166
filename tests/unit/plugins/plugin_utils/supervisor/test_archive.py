# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.plugin_utils.supervisor.archive import (
    VERSION_FILE,
    archive,
    digest,
    sources,
)

PLUGINS = "ansible_collections/provisioning/platform/plugins"


def test_the_program_is_the_same_every_time() -> None:
    first = (archive(), digest())
    sources.cache_clear()
    assert (archive(), digest()) == first


def test_it_holds_the_engine_with_all_drivers_and_nothing_that_needs_more_than_python() -> None:
    names = set(sources())
    assert {f"{PLUGINS}/module_utils/_drivers/{name}.py" for name in ("binary", "docker", "kubernetes")} <= names
    assert f"{PLUGINS}/plugin_utils/notify/delivery.py" in names
    assert f"{PLUGINS}/plugin_utils/notify/formats/__init__.py" in names
    assert not [name for name in names if name.endswith(("/validation.py", "/render.py", "/_module.py"))]
    text = b"\n".join(sources().values())
    for package in (b"pydantic", b"jinja2", b"ansible.module_utils", b"ansible.plugins"):
        assert b"\nimport " + package not in text
        assert b"\nfrom " + package not in text
    assert sources()[VERSION_FILE]


def test_any_python_runs_it_without_any_package(tmp_path: Path) -> None:
    program = tmp_path / "supervisor.pyz"
    program.write_bytes(archive())
    command = [sys.executable, "-I", "-S", str(program), "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "example: provisioning-supervisor --work-dir ~/.provisioning" in ran.stdout
