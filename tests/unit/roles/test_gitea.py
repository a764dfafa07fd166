# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser

import pytest


@pytest.fixture
def app_ini(resolved, text_of):
    def make(settings=None, **deployment):
        text = text_of(resolved({"gitea": settings or {}}, **deployment)["gitea"], "app.ini")
        # Like Gitea: keys before the first section, and the later of two settings wins.
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str
        parser.read_string(f"[top]\n{text}")
        return {section: dict(parser.items(section)) for section in parser.sections()}

    return make


def test_nobody_can_install_it_again_or_register(app_ini):
    settings = app_ini()
    assert settings["security"]["INSTALL_LOCK"] == "true"
    assert settings["service"]["DISABLE_REGISTRATION"] == "true"


def test_every_secret_that_gitea_would_make_itself_is_given(resolved, app_ini):
    settings = app_ini()
    given = {
        settings["security"]["SECRET_KEY"],
        settings["security"]["INTERNAL_TOKEN"],
        settings["server"]["LFS_JWT_SECRET"],
        settings["oauth2"]["JWT_SECRET"],
    }
    assert given == {f"${{secret.gitea.{name}}}" for name in resolved()["gitea"].secrets if name != "metrics_token"}


def test_token_secrets_are_the_32_bytes_in_base64_that_gitea_accepts(resolved):
    secrets = resolved()["gitea"].secrets
    for name in ("lfs_jwt_secret", "oauth2_jwt_secret"):
        assert (secrets[name].format, secrets[name].length) == ("base64", 32)


def test_it_listens_and_presents_itself_as_the_definition_says(app_ini):
    server = app_ini({"port": 3001, "ports": {"ssh": 2200}}, domain="git.example.com")["server"]
    assert (server["HTTP_PORT"], server["SSH_PORT"], server["SSH_LISTEN_PORT"]) == ("3001", "2200", "2200")
    assert server["ROOT_URL"] == "http://git.example.com:3001/"
    assert server["SSH_DOMAIN"] == "git.example.com"


def test_any_other_setting_can_be_given_and_wins(app_ini):
    settings = app_ini(
        {
            "variables": {
                "settings": {"database": {"DB_TYPE": "postgres"}, "mailer": {"ENABLED": True, "PROTOCOL": "smtp"}}
            }
        }
    )
    assert settings["database"]["DB_TYPE"] == "postgres"
    assert settings["mailer"] == {"ENABLED": "true", "PROTOCOL": "smtp"}
    assert settings["security"]["INSTALL_LOCK"] == "true"


def test_all_that_it_stores_is_in_its_data_folder(app_ini):
    paths = [value for section in app_ini().values() for value in section.values() if value.startswith("/")]
    assert paths
    assert all(path.startswith("/var/lib/gitea") for path in paths)
