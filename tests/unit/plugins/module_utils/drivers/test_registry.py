# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drivers are loaded when they are wanted, and are all in what Ansible sends to a host."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import Context
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._registry import DRIVERS
from ansible_collections.provisioning.platform.plugins.module_utils._model import Mode
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import SecretStore

ROOT = Path(__file__).parents[5]
ENGINE = "ansible_collections.provisioning.platform.plugins.module_utils"

LOADED = f"""
import json, sys
from pathlib import Path
from {ENGINE}._build import build
from {ENGINE}._manager import Manager
from {ENGINE}._model import ServiceDefinition
from {ENGINE}._settings import Settings

deployment = {{"mode": "binary", "binary": {{"command": "true"}}}}
service = build(ServiceDefinition, {{"name": "one", "deployment": deployment}})
Manager(Path(sys.argv[1]), {{"one": service}}, Settings(project="x"))
names = [name.rpartition(".")[2] for name in sys.modules if "._drivers." in name]
print(json.dumps([*names, *(name for name in ("docker", "kubernetes", "requests") if name in sys.modules)]))
"""

#: Ansible forks and reads its configuration where it packs; not in the process of the tests.
PACKED = """
import io, json, sys, zipfile, datetime
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([sys.argv[1]])
from ansible._internal._ansiballz import _builder
from ansible.executor.module_common import recursive_finder

file = zipfile.ZipFile(io.BytesIO(), "w")
name = "ansible_collections.provisioning.platform.plugins.modules.services"
with open(sys.argv[2], encoding="utf-8") as stream:
    source = stream.read()
nothing = _builder.ExtensionManager()
recursive_finder("services", name, source, file, datetime.datetime.now(), nothing)
print(json.dumps(file.namelist()))
"""


def ran(script: str, *arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_there_is_a_driver_for_each_mode_and_it_says_so(tmp_path):
    assert set(DRIVERS) == set(typing.get_args(Mode))
    context = Context(work_dir=WorkDir(tmp_path), secrets=SecretStore(tmp_path), project="x")
    assert {mode: make(context).mode for mode, make in DRIVERS.items()} == {mode: mode for mode in DRIVERS}


def test_services_that_are_processes_load_no_code_of_other_modes(tmp_path):
    loaded = ran(LOADED, str(tmp_path))
    assert "binary" in loaded
    others = ("compose", "docker", "helm", "kubernetes", "remote", "requests")
    assert [name for name in loaded if name.lstrip("_").startswith(others)] == []


def test_what_ansible_sends_to_a_host_has_every_driver():
    sent = ran(PACKED, str(ROOT / "playbooks/collections"), str(ROOT / "plugins/modules/services.py"))
    there = {path.name for path in (ROOT / "plugins/module_utils/_drivers").glob("*.py")}
    assert there - {Path(name).name for name in sent if "/_drivers/" in name} == set()
