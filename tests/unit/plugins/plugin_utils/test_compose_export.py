# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a platform as one Compose file, with what its containers mount beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.compose_export import changes, export
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping

ROLES = Path(__file__).parents[4] / "roles"
OWN = ("orchestrator", "control-center", "mcp-server")
IMAGE = {"deployment": {"docker": {"image": "own:1", "ports": ["${self.port}:${self.port}"]}}}
TOKEN = {"name": "gitea", "deployment": {"docker": {"env": {"KEY": "${secret.secret_key}"}}}}


def platform(*services, **settings):
    entries = [*({"name": name, **IMAGE} for name in OWN), *services]
    return from_mapping({"deployment": {"services": entries, **settings}}, env={}, base_dir=Path("/"))


def exported(config, file):
    return export(config, file=file, home="/root", roles_dir=ROLES, env={})


def test_all_services_are_containers_whatever_they_are_here(tmp_path):
    found = exported(platform(), tmp_path / "compose.yaml")
    assert len(found.services) == 7
    assert yaml.safe_load(found.text) == found.document
    center = found.document["services"]["control-center"]
    assert center["depends_on"]["orchestrator"] == {"condition": "service_healthy"}
    assert list(tmp_path.iterdir()) == [], "nothing is written yet"


def test_they_reach_each_other_by_name(tmp_path):
    file = tmp_path / "compose.yaml"
    list(changes(exported(platform(), file), file))
    assert "reverse_proxy http://orchestrator:8080" in (tmp_path / "config/api-gateway/Caddyfile").read_text()


def test_services_of_other_hosts_are_in_the_file_too(tmp_path):
    found = exported(platform({"name": "gitea", "hosts": ["far-away"]}), tmp_path / "compose.yaml")
    assert len(found.services) == 7


def test_what_can_be_no_container_is_named(tmp_path):
    bare = {"deployment": {"mode": "binary", "binary": {"command": "sleep"}}}
    (tmp_path / "more.yml").write_text(yaml.safe_dump({"services": {"ledger": bare, "clock": bare}}))
    config = dataclasses.replace(platform(), registry=[str(tmp_path / "more.yml")])
    with pytest.raises(ConfigurationError) as caught:
        exported(config, tmp_path / "compose.yaml")
    assert {problem.what for problem in caught.value.problems} == {"ledger", "clock"}
    assert "has no docker block, so it cannot be exported" in caught.value.problems[0].why


def test_the_values_of_secrets_are_beside_the_file_and_not_in_it(tmp_path):
    file = tmp_path / "compose.yaml"
    written = [path for path, _before, _after in changes(exported(platform(TOKEN), file), file)]
    assert str(file) in written
    secret = json.loads((tmp_path / "secrets" / "gitea.json").read_text())["secret_key"]["value"]
    assert "KEY: ${GITEA_SECRET_KEY:?is not set}" in file.read_text()
    assert secret not in file.read_text()
    assert f"GITEA_SECRET_KEY='{secret}'\n" in (tmp_path / ".env").read_text()
    assert secret in (tmp_path / "config" / "gitea" / "app.ini").read_text()
    holders = [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_text()]
    assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}
    assert list(changes(exported(platform(TOKEN), file), file)) == [], "nothing changes the second time"


def test_a_dry_run_writes_nothing_and_shows_no_secret(tmp_path):
    file = tmp_path / "compose.yaml"
    found = [path for path, _before, _after in changes(exported(platform(TOKEN), file), file, dry=True)]
    assert str(file) in found
    assert list(tmp_path.iterdir()) == []
    list(changes(exported(platform(TOKEN), file), file))
    (tmp_path / ".env").unlink()
    (told,) = changes(exported(platform(TOKEN), file), file, dry=True)
    assert told == (str(tmp_path / ".env"), "", "GITEA_SECRET_KEY=***\n")


def test_an_env_file_of_somebody_else_is_not_touched(tmp_path):
    (tmp_path / ".env").write_text("MINE=1\n")
    file = tmp_path / "compose.yaml"
    with pytest.raises(ConfigurationError, match="was not written by an export"):
        list(changes(exported(platform(TOKEN), file), file))
    assert (tmp_path / ".env").read_text() == "MINE=1\n"
    assert not file.exists()
