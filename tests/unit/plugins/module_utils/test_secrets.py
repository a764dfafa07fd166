# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import SecretSpec
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import (
    Secret,
    SecretStore,
    generate,
    references,
)


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    found = SecretStore(tmp_path / "secrets")
    found.write("gitea", {"password": Secret("s3cr3t-value"), "token": Secret("a$b\\1", 3)})
    found.write("oci-registry", {"ci_password": Secret("other")})
    return found


@pytest.mark.parametrize(
    ("spec", "length", "alphabet"),
    [
        (SecretSpec(), 32, string.ascii_letters + string.digits),
        (SecretSpec(length=7), 7, string.ascii_letters + string.digits),
        (SecretSpec(format="hex", length=16), 32, string.hexdigits.lower()),
        (SecretSpec(format="base64", length=32), 43, string.ascii_letters + string.digits + "-_"),
    ],
)
def test_a_secret_looks_as_its_format_says_and_is_never_the_same(spec: SecretSpec, length: int, alphabet: str) -> None:
    first, second = generate(spec), generate(spec)
    assert len(first) == len(second) == length
    assert set(first) <= set(alphabet)
    assert first != second


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SecretSpec(format="htpasswd", of="password", user="admin"), "the format htpasswd is derived, not generated"),
        (SecretSpec(length=0), "its length is 0. Choose 1 or more"),
        (SecretSpec(format="hex", length=-1), "its length is -1"),
    ],
)
def test_what_cannot_be_generated_is_an_error(spec: SecretSpec, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        generate(spec)


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("${secret.gitea.password}", "s3cr3t-value"),
        ("a${secret.gitea.token}b${secret.oci-registry.ci_password}", "aa$b\\1bother"),
        (
            {"k": ["${secret.gitea.password}", 1, None, True, {"n": "${secret.gitea.token}"}]},
            {"k": ["s3cr3t-value", 1, None, True, {"n": "a$b\\1"}]},
        ),
        (("${secret.gitea.password}",), ["s3cr3t-value"]),
        (
            "${secret.password} ${SECRET} ${secret.} $secret.gitea.password {{ secret.password }}",
            "${secret.password} ${SECRET} ${secret.} $secret.gitea.password {{ secret.password }}",
        ),
        (
            "${secret.Gitea.password} ${secret..password} ${secret.gitea.}",
            "${secret.Gitea.password} ${secret..password} ${secret.gitea.}",
        ),
        ("$${secret.gitea.password}", "$s3cr3t-value"),
        (7, 7),
    ],
)
def test_placeholders_are_filled_wherever_they_stand_and_nothing_else_is(
    store: SecretStore, value: Any, filled: Any
) -> None:
    assert store.fill(value) == filled


def test_the_value_of_a_secret_is_not_read_as_a_placeholder(store: SecretStore) -> None:
    store.write("evil", {"value": Secret("${secret.gitea.password}")})
    assert store.fill("${secret.evil.value}") == "${secret.gitea.password}"


@pytest.mark.parametrize("name", ["gitea.unknown", "nobody.password"])
def test_a_secret_that_is_not_there_is_named(store: SecretStore, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"\$\{{secret.{name}\}}: there is no such secret on this host. Run"):
        store.fill(f"${{secret.{name}}}")


def test_versions_are_told_and_values_are_not(store: SecretStore) -> None:
    value = {"a": "${secret.gitea.token} ${secret.gitea.token}", "b": ["${secret.gitea.none}", "${secret.x.y}"]}
    assert store.versions(value) == {"gitea.token": 3, "gitea.none": 0, "x.y": 0}
    assert store.versions({"a": 1}) == {}


def test_references_come_in_order_and_once() -> None:
    value = ["${secret.b.x}${secret.a.y}", {"z": ("${secret.b.x}", "${secret.c.z}")}]
    assert references(value) == [("b", "x"), ("a", "y"), ("c", "z")]


def test_values_are_masked_in_texts_but_short_ones_are_left(store: SecretStore) -> None:
    store.write("more", {"longer": Secret("s3cr3t-value-and-more"), "short": Secret("other")})
    assert store.masked("x s3cr3t-value-and-more y s3cr3t-value other") == "x *** y *** other"
    assert SecretStore(Path("/nonexistent")).masked("s3cr3t-value") == "s3cr3t-value"


def test_secrets_are_for_the_owner_alone_and_read_by_the_next_process(tmp_path: Path, store: SecretStore) -> None:
    folder = tmp_path / "secrets"
    assert folder.stat().st_mode & 0o7777 == 0o700
    assert {path.stat().st_mode & 0o7777 for path in folder.iterdir()} == {0o600}
    assert SecretStore(folder).read("gitea") == store.read("gitea")
    assert SecretStore(folder).read("nobody") == {}


def test_removed_secrets_are_gone(tmp_path: Path, store: SecretStore) -> None:
    assert store.remove("gitea")
    assert not store.remove("gitea")
    assert store.read("gitea") == {}
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["oci-registry.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"a": 1}',
        '{"a": {"value": "x"}}',
        '{"a": {"value": 7, "version": 1}}',
        "\x00\xff",
        '{"a": {"value": "x", "version": "1"}}',
    ],
)
def test_a_damaged_file_is_an_error_that_warns_and_shows_nothing_of_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "gitea.json").write_text(text, encoding="latin-1")
    with pytest.raises(
        ConfigurationError, match=r"gitea.json: is not a file of secrets. Restore it from a backup"
    ) as e:
        SecretStore(tmp_path).read("gitea")
    assert e.value.__cause__ is None


def test_a_written_file_is_json_with_value_and_version(tmp_path: Path, store: SecretStore) -> None:
    document = json.loads((tmp_path / "secrets" / "gitea.json").read_text())
    assert document == {"password": {"value": "s3cr3t-value", "version": 1}, "token": {"value": "a$b\\1", "version": 3}}
