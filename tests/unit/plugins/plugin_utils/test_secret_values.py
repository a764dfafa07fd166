from __future__ import annotations

import bcrypt
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceRegistry
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret
from ansible_collections.provisioning.platform.plugins.plugin_utils.secret_values import missing, password_line


def registry(service, **secrets):
    return ServiceRegistry(services={"zot": service("zot", secrets=secrets), "other": service("other")})


LINE = {"format": "htpasswd", "of": "password", "user": "admin"}


def test_what_is_missing_is_made_and_what_exists_is_left(service):
    specs = {"password": {"length": 12}, "key": {"format": "hex", "length": 16}, "blob": {"format": "base64"}}
    made = missing(registry(service, **specs), {"zot": {"blob": "there"}}, generate=True)
    assert set(made) == {"zot"}
    assert set(made["zot"]) == {"password", "key"}
    assert len(made["zot"]["password"].value) == 12
    assert len(bytes.fromhex(made["zot"]["key"].value)) == 16
    assert made["zot"]["key"].version == 1


def test_nothing_is_made_where_nothing_is_missing(service):
    existing = {"zot": {"password": Secret("p", 3), "line": "admin:x"}, "gone": {"a": "b"}}
    assert missing(registry(service, password={}, line=LINE), existing, generate=True) == {}


def test_a_line_of_a_password_file_follows_from_its_password(service):
    made = missing(registry(service, line=LINE, password={}), {}, generate=True)["zot"]
    user, _, hashed = made["line"].value.partition(":")
    assert user == "admin"
    assert hashed.startswith("$2y$10$")
    assert bcrypt.checkpw(made["password"].value.encode(), hashed.replace("$2y$", "$2b$").encode())


def test_a_line_is_made_of_a_password_that_exists_even_where_none_may_be_generated(service):
    made = missing(registry(service, password={}, line=LINE), {"zot": {"password": "given"}}, generate=False)
    assert set(made["zot"]) == {"line"}


def test_a_line_is_made_again_when_its_password_is_new(service):
    made = missing(registry(service, password={}, line=LINE), {"zot": {"line": "admin:old"}}, generate=True)
    assert set(made["zot"]) == {"password", "line"}


def test_all_that_may_not_be_generated_is_named(service, faults_of):
    found = faults_of(missing, registry(service, a={}, b={}, line={**LINE, "of": "a"}), {"zot": {}}, generate=False)
    assert [fault.split(":")[0] for fault in found] == ["zot.secrets.a", "zot.secrets.b"]
    assert "Put it into secrets/zot.json of the work dir, or set deployment.auto_generate_secrets to true." in found[0]


def test_a_password_too_long_for_its_hash_is_refused(faults_of):
    assert "72 bytes" in faults_of(password_line, "admin", "x" * 73)[0]


GIVEN = {"token": {"environment": "TOKEN"}}


def test_a_secret_of_the_environment_is_taken_from_there_and_never_made(service, faults_of):
    made = missing(registry(service, **GIVEN), {}, generate=True, env={"TOKEN": "given"})
    assert made == {"zot": {"token": Secret("given", 1)}}
    assert faults_of(missing, registry(service, **GIVEN), {}, generate=True, env={}) == [
        (
            "zot.secrets.token: the environment variable TOKEN, which it is taken from, is not set. "
            "Set TOKEN where the installation is run."
        )
    ]


def test_another_value_in_the_environment_is_another_version(service):
    existing = {"zot": {"token": Secret("old", 3)}}
    wanted = registry(service, **GIVEN)
    assert missing(wanted, existing, generate=False, env={"TOKEN": "new"}) == {"zot": {"token": Secret("new", 4)}}
    assert missing(wanted, existing, generate=False, env={"TOKEN": "old"}) == {}
    assert missing(wanted, existing, generate=False, env={}) == {}


def test_the_line_of_a_password_of_the_environment_follows_it(service):
    specs = {"password": {"environment": "TOKEN"}, "line": LINE}
    existing = {"zot": {"password": Secret("old", 1), "line": Secret("admin:x", 1)}}
    made = missing(registry(service, **specs), existing, generate=True, env={"TOKEN": "new"})["zot"]
    assert {name: secret.version for name, secret in made.items()} == {"password": 2, "line": 2}
