# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration is meant, and which installation."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from provisioning_platform.discovery import find_configuration, find_work_dir


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, work_dir: str) -> Path:
    path.write_text(f'work_dir = "{work_dir}"\n' if path.suffix == ".toml" else f"work_dir: {work_dir}\n")
    return path


def test_what_is_named_goes_before_the_variable_and_that_before_what_lies_there(folder: Path) -> None:
    named, by_variable = write(folder / "a.toml", "/srv/a"), write(folder / "b.yml", "/srv/b")
    environ = {"PROVISIONING_CONFIG": str(by_variable)}
    assert find_work_dir(environ={}).work_dir == Path("/home/somebody/.provisioning")
    write(folder / "provisioning.yaml", "~/c")
    assert find_work_dir(environ={}).work_dir == Path("/home/somebody/c")
    assert find_work_dir(environ=environ).work_dir == Path("/srv/b")
    assert find_work_dir(config=named, environ=environ).work_dir == Path("/srv/a")
    assert find_work_dir(work_dir=Path("d"), environ=environ).work_dir == folder / "d"


@pytest.mark.parametrize("name", ["provisioning.toml", "provisioning.yml", "provisioning.yaml"])
def test_each_of_the_usual_names_is_found(folder: Path, name: str) -> None:
    write(folder / name, "/srv/x")
    assert find_configuration(environ={}) == (Path(name), f"./{name}")


def test_an_empty_variable_names_nothing(folder: Path) -> None:
    assert find_configuration(environ={"PROVISIONING_CONFIG": ""}) is None


def test_the_environment_stands_in_for_what_is_written_so(folder: Path) -> None:
    config = write(folder / "a.toml", "${ROOT:-/srv}/platform")
    assert find_work_dir(config=config, environ={"ROOT": "/mnt"}).work_dir == Path("/mnt/platform")
    assert find_work_dir(config=config, environ={}).work_dir == Path("/srv/platform")


def message(**given: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        find_work_dir(**{"environ": {}, **given})  # type: ignore[arg-type]
    return str(caught.value)


def test_what_cannot_be_told_is_an_error_that_names_it(folder: Path) -> None:
    assert message(config=Path("nope.toml")).startswith("nope.toml: cannot be read: No such file or directory. Name")
    assert message(config=folder).startswith(f"{folder}: is a folder.")
    assert message(environ={"PROVISIONING_CONFIG": "x.yml"}).startswith(
        "PROVISIONING_CONFIG=x.yml: cannot be read: No such"
    )
    assert message(config=Path("a"), work_dir=Path("b")).startswith("--work-dir: excludes --config.")
    assert "work_dir: is not a text" in message(config=write(folder / "b.yml", "[1]"))
    assert "cannot be the work dir" in message(config=write(folder / "c.toml", "relative"))
    assert "MISSING" in message(config=write(folder / "d.toml", "${MISSING}"))
    write(folder / "provisioning.toml", "/a")
    write(folder / "provisioning.yml", "/b")
    assert message().startswith("./provisioning.toml and ./provisioning.yml: lie side by side")


def test_a_file_is_no_work_dir(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file: is not a folder \(it is what --work-dir .* names\)"):
        find_work_dir(work_dir=folder / "file")
