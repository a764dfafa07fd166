# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation that uses a service elsewhere: a process that needs it, through the playbooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakeSmall
from tests.fixtures.authority import Authority, Elsewhere, serving
from tests.fixtures.installations import Installation, Ran, changed, web
from tests.fixtures.ports import free_port

TOKEN = "t0ken-of-the-vault"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def using(make: MakeSmall, authority: Authority, elsewhere: Elsewhere, **vault: Any) -> Installation:
    """An installation of a process that needs a vault elsewhere, and is told where that is."""
    app = web(free_port(), depends_on=["vault"])
    app["deployment"]["binary"]["env"] = {"VAULT": "${service.vault.url}", "TOKEN": "${secret.vault.token}"}
    block = {"url": elsewhere.url, "ca_file": str(authority.file), "token": "${secret.token}"}
    definition = {
        "deployment": {"mode": "remote", "remote": block},
        "secrets": {"token": {"environment": "VAULT_TOKEN"}},
        "startup": {"timeout": 90},
        **vault,
    }
    return make({"vault": definition, "app": app})


def install(one: Installation, monkeypatch: pytest.MonkeyPatch, *arguments: str, token: str | None = TOKEN) -> Ran:
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("VAULT_TOKEN", token)
    return one.playbook("install", *arguments)


def test_a_process_that_needs_a_service_elsewhere(make, authority, monkeypatch):
    with serving(authority.issue("vault")) as elsewhere:
        elsewhere.token = TOKEN
        one = using(make, authority, elsewhere)
        assert install(one, monkeypatch).returncode == 0
        environment = Path(f"/proc/{one.pids()['app']}/environ").read_bytes().split(b"\0")
        assert f"VAULT={elsewhere.url}".encode() in environment
        assert f"TOKEN={TOKEN}".encode() in environment
        reasons = {event["service"]: event["data"].get("reason") for event in one.events() if event.get("service")}
        assert set(reasons) == {"vault", "app"}
        assert any(event["kind"] == "service.unchanged" and event["service"] == "vault" for event in one.events())
        assert [path for path, text in one.texts().items() if TOKEN in text] == ["secrets/vault.json"]

        # the same again, and without the token, which is known by now: nothing changes
        pids = one.pids()
        again = install(one, monkeypatch, token=None)
        assert (again.returncode, changed(again)) == (0, 0)
        assert one.pids() == pids

        # another token: who uses it is started anew
        elsewhere.token = "another-t0ken"
        assert install(one, monkeypatch, token="another-t0ken").returncode == 0
        assert one.pids() != pids
        assert "another-t0ken" in one.secrets().values()

        # stopping and removing leaves it alone, and says so
        stopped = one.playbook("stop")
        assert stopped.returncode == 0
        assert "runs elsewhere and is not ours to stop" in stopped.stdout
        assert one.pids() == {}
        assert one.playbook("start").returncode == 0
        assert set(one.pids()) == {"app"}
        assert "running" in one.playbook("status").stdout
    status = one.playbook("status").stdout
    assert "unreachable" in status
    assert one.playbook("uninstall").returncode == 0
    assert one.pids() == {}
    assert one.leftovers() == []


def test_without_the_token_it_is_said_which_variable_is_missing(make, authority, monkeypatch):
    with serving(authority.issue("vault")) as elsewhere:
        one = using(make, authority, elsewhere)
        ran = install(one, monkeypatch, token=None)
    assert ran.returncode != 0
    assert "the environment variable VAULT_TOKEN, which it is taken from, is not set" in ran.stdout + ran.stderr
    assert one.pids() == {}


def test_a_service_elsewhere_that_we_do_not_trust_fails_as_one_that_never_gets_healthy(make, authority, monkeypatch):
    with serving(authority.issue("vault", expired=True)) as elsewhere:
        one = using(make, authority, elsewhere, startup={"timeout": 3})
        ran = install(one, monkeypatch)
    assert ran.returncode != 0
    said = " ".join((ran.stdout + ran.stderr).split())
    assert "not healthy within 3 s" in said
    assert "is not trusted: certificate has expired" in said
    assert TOKEN not in said
    assert one.pids() == {}
