# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command costs, in what it imports and what it asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.ports import free_port
from tests.fixtures.recorded import counting_engine, in_container, record

ROOT = Path(__file__).parents[5]
PATHS = os.pathsep.join([str(ROOT / "python"), str(ROOT / "playbooks/collections")])

#: What takes long to import, and has nothing to do with looking at services.
HEAVY = [
    "ansible",
    "ansible_runner",
    "asyncio",
    "docker",
    "jinja2",
    "kubernetes",
    "pydantic",
    "requests",
    "rich",
    "tomllib",
    "ansible_collections.provisioning.platform.plugins.plugin_utils",
]
#: What help has no use for besides: the engine.
NOT_FOR_HELP = [
    *HEAVY,
    "http.client",
    "urllib3",
    "yaml",
    "provisioning_platform.cli.context",
    "ansible_collections.provisioning.platform.plugins.module_utils._manager",
    "ansible_collections.provisioning.platform.plugins.module_utils._model",
]

_PROGRAM = """
import json, sys
from provisioning_platform.cli.app import main
try:
    main()
finally:
    sys.stdout.flush()
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def run(*arguments: str) -> tuple[int, str, list[str]]:
    """Call the command; return its exit code, what it printed, and the modules that were imported."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env={**os.environ, "PYTHONPATH": PATHS, "PROVISIONING_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, json.loads(ended.stderr.splitlines()[-1])


def imported(modules: list[str], names: list[str]) -> list[str]:
    return [name for name in names if name in modules]


@pytest.mark.parametrize("arguments", [["--help"], ["platform", "--help"]])
def test_help_imports_nothing_of_what_commands_do(arguments):
    code, printed, modules = run(*arguments)
    assert (code, printed[:6]) == (0, "Usage:")
    names = NOT_FOR_HELP if arguments == ["--help"] else [*HEAVY, "yaml", "urllib3", "http.client"]
    assert imported(modules, names) == []


def test_a_status_of_all_modes_imports_no_client_and_asks_the_engine_twice(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    cluster = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(cluster))
    names = [f"web-{number}" for number in range(100)]
    others = [
        {"name": "process", "deployment": {"mode": "binary", "binary": {"command": "sleep"}}},
        {"name": "file", "deployment": {"mode": "compose", "compose": {"file": "/x/compose.yaml", "service": "a"}}},
        {"name": "away", "deployment": {"mode": "remote", "remote": {"url": url}}},
        {
            "name": "pod",
            "deployment": {"mode": "kubernetes", "kubernetes": {"image": "x", "kubeconfig": str(kubeconfig)}},
        },
    ]
    work_dir, socket = tmp_path / "work", tmp_path / "engine.sock"
    record(work_dir, [*map(in_container, names), *others], engine_url=f"unix://{socket}")
    with counting_engine(socket, work_dir, names) as asked:
        code, printed, modules = run("platform", "status", "--json", "--work-dir", str(work_dir))
    found = {one["name"]: one for one in json.loads(printed)["services"]}
    assert len(found) == 104
    assert {(found[name]["status"], found[name]["health"]) for name in names} == {("running", "healthy")}
    assert (found["away"]["status"], found["file"]["status"], found["pod"]["status"]) == (
        "unreachable",
        "absent",
        "unknown",
    )
    assert code == 1
    assert imported(modules, HEAVY) == []
    # Two drivers look at it, that of the mode docker and that of compose: each asks who it is, and for all it has.
    assert sorted(asked) == ["/_ping"] * 2 + ["/v1.41/containers/json"] * 2
