from __future__ import annotations

from collections import UserString
from contextlib import suppress
from types import MappingProxyType

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import plain, read_document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture
def read(tmp_path):
    def run(text, suffix=".yml"):
        file = tmp_path / f"file{suffix}"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_document(file)

    return run


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("", {}),
        ("a: [1, 2.5, true, null, x]", {"a": [1, 2.5, True, None, "x"]}),
        ("\ufeffa: é", {"a": "é"}),
        ("port: 2222:22", {"port": "2222:22"}),
        ("day: 2026-01-31", {"day": "2026-01-31"}),
        ("base: &base {x: 1, y: 2}\nown: {<<: *base, y: 3}", {"base": {"x": 1, "y": 2}, "own": {"x": 1, "y": 3}}),
        ("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}", None),
    ],
)
def test_yaml_is_read_as_jsons_types(read, text, document):
    if document is None:
        assert read(text)["c"] == {"x": 1, "y": 2}
    else:
        assert read(text) == document


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "file.yml:3:1: the key a stands here twice"),
        ("a: [1", "file.yml:2:1: is not YAML"),
        ("a: b: c", "file.yml:1:5: is not YAML: mapping values are not allowed"),
        ("a: *missing", "file.yml:1:4: is not YAML: found undefined alias"),
        ("a: &a [*a]", "file.yml:1:4: is nested too deeply"),
        ("a: !!python/object:os.system x", "file.yml:1:4: the tag !!python/object:os.system is not accepted"),
        ('a: !!int ""', "file.yml:1:4: '' is no int"),
        ("a: .nan", "file.yml:1:4: is not a finite number"),
        ('a: "\\0"', "file.yml:1:4: holds a character that no file or argument can hold"),
        ("yes: 1", "file.yml:1:1: the key yes must be a text. Put it in quotes."),
        ("? [a]\n: 1", "file.yml:1:3: a key must be a text"),
        ("<<: 3", "file.yml:1:5: << takes a mapping"),
        ("- 1", "file.yml: its top level is not a mapping"),
        (b"a: \xff", "file.yml: is not UTF-8 text (byte 3)"),
        (b"a: \x01", "file.yml: is not YAML: "),
        ("a: " + "9" * 5000, "file.yml:1:4: '999"),
        ("[" * 500, "file.yml:1:61: is nested too deeply"),
        ("[" * 100_000, ": is nested too deeply"),
        ("- " * 100_000, "file.yml:1:121: is nested too deeply"),
    ],
)
def test_what_is_wrong_with_yaml_is_told_with_line_and_column(read, text, message):
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\na = 2\n", "file.toml:2:6: is not TOML: Cannot overwrite a value"),
        ("a = 1\nb = [1,, 2]\n", "file.toml:2:8: is not TOML: Invalid value"),
        ("a = " + "[" * 100_000, "file.toml: is nested too deeply"),
        ("a = nan", "file.toml: a: is not a finite number"),
        ("a = " + "9" * 5000, "file.toml: is not TOML"),
    ],
)
def test_what_is_wrong_with_toml_is_told_with_line_and_column(read, text, message):
    with pytest.raises(ConfigurationError) as caught:
        read(text, ".toml")
    assert message in str(caught.value)


def test_dates_in_toml_are_texts(read):
    assert read("day = 2026-01-31", ".toml") == {"day": "2026-01-31"}


def test_a_few_lines_of_yaml_that_stand_for_millions_of_values_are_refused(read):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigurationError, match="too many values"):
        read("\n".join(lines))


def test_a_file_that_is_missing_or_of_another_kind_is_told(tmp_path):
    (tmp_path / "x.ini").write_text("")
    for path, message in (
        (tmp_path / "none.yml", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "x.ini", "is neither TOML, YAML nor JSON"),
        (tmp_path / "a\0b.yml", "cannot be read"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            read_document(path)
        assert message in str(caught.value)


def test_other_mappings_and_texts_with_something_to_them_become_plain():
    class Marked(str):
        __slots__ = ()

    copied = plain({"a": MappingProxyType({"b": (Marked("x"),)})})
    assert copied == {"a": {"b": ["x"]}}
    assert type(copied["a"]["b"][0]) is str


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {1}}, b"x", 2**64, float("inf"), "\ud800", UserString("x")])
def test_what_has_no_json_type_is_refused(value):
    with pytest.raises(ConfigurationError):
        plain({"key": value}, "")


def test_what_contains_itself_is_refused():
    value: list[object] = []
    value.append(value)
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        plain(value)


SCRIBBLE = st.text(alphabet="{}[]&*!|>-:?,'\"#%@ \n\tab01<=.~", max_size=80).map(str.encode)


def test_json_is_read_as_json(read):
    assert read(b'{"a": "\\ud83d\\ude00", "b": [1, 2.5, null, true], "c\\t": "/x:y"}', ".json") == {
        "a": "\N{GRINNING FACE}",
        "b": [1, 2.5, None, True],
        "c\t": "/x:y",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n "b" 2}', "file.json:2:6: is not JSON: Expecting ':' delimiter"),
        ('{"a": {"b": 1, "b": 2}}', "file.json: is not JSON: the key b stands in one object twice"),
        ('{"a": "\\ud800"}', "a: holds a character that no file or argument can hold"),
        ('{"a": NaN}', "a: is not a finite number"),
        ("[" * 100_000, "file.json: is nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "file.json: is not JSON: "),
        ("[]", "its top level is not a mapping"),
    ],
)
def test_what_is_not_json_is_one_error(read, text, message):
    with pytest.raises(ConfigurationError) as caught:
        read(text.encode(), ".json")
    assert message in str(caught.value)


@given(st.binary(max_size=200) | SCRIBBLE)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("suffix", [".yml", ".toml", ".json"])
def test_no_file_whatever_is_in_it_ends_in_a_traceback(read, suffix, content):
    with suppress(ConfigurationError):
        assert isinstance(read(content, suffix), dict)
