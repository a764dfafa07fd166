# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._config_writer import ConfigWriter, FileChange
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import Secret, SecretStore


@pytest.fixture
def layout(tmp_path: Path) -> WorkDir:
    return WorkDir(tmp_path / "work")


def service(layout: WorkDir, files: dict[str, str], *, mode: str = "0600", **settings: Any) -> ServiceDefinition:
    deployment = settings.pop("deployment", {"mode": "binary", "binary": {"command": "web"}})
    folder = layout.service_config("web")
    config = [{"dest": str(folder / name), "content": text, "mode": mode} for name, text in files.items()]
    return build(ServiceDefinition, {"name": "web", "deployment": deployment, "config": config, **settings})


def write(layout: WorkDir, wanted: ServiceDefinition, *, now: float = 1000.0) -> list[FileChange]:
    writer = ConfigWriter(layout, clock=lambda: now)
    changes = list(writer.changes(wanted))
    for change in changes:
        writer.apply(change)
    return changes


def test_a_file_is_written_once_and_again_when_it_changes(layout: WorkDir) -> None:
    path = layout.service_config("web") / "a/b.conf"
    assert [change.path for change in write(layout, service(layout, {"a/b.conf": "one\n"}))] == [path]
    assert path.read_text() == "one\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert write(layout, service(layout, {"a/b.conf": "one\n"})) == []
    [change] = write(layout, service(layout, {"a/b.conf": "two\n"}))
    assert (change.before, change.after) == ("one\n", "two\n")


def test_permissions_alone_are_a_change(layout: WorkDir) -> None:
    write(layout, service(layout, {"x": "text"}))
    assert write(layout, service(layout, {"x": "text"}, mode="0644"))
    assert (layout.service_config("web") / "x").stat().st_mode & 0o777 == 0o644


def test_no_secret_is_in_a_change_though_the_template_has_it_no_more(layout: WorkDir) -> None:
    store = SecretStore(layout.secrets)
    store.write("web", {"token": Secret("value-of-token")})
    store.write("base", {"password": Secret("value-of-password")})
    write(
        layout, service(layout, {"x": "a=${secret.web.token}\nb=${secret.base.password}\n", "y": "${secret.web.token}"})
    )
    gone, changed = sorted(write(layout, service(layout, {"x": "a=none\n"})), key=lambda change: change.after or "")
    assert gone.before == "${secret.web.token}"
    assert changed.before == "a=${secret.web.token}\nb=${secret.base.password}\n"


@pytest.mark.parametrize(
    ("template", "more"),
    [
        ("a=1\nb=${secret.web.token};\n", "a=2\nb=${secret.web.token};\n"),
        ("${secret.web.token}\n", "${secret.web.token}\n"),
    ],
)
def test_no_former_secret_is_in_a_change(layout: WorkDir, template: str, more: str) -> None:
    store = SecretStore(layout.secrets)
    store.write("web", {"token": Secret("former-value")})
    write(layout, service(layout, {"x": template}))
    store.write("web", {"token": Secret("other-value", 2)})
    [change] = write(layout, service(layout, {"x": more}))
    assert (change.before, change.after) == (template, more)
    assert (layout.service_config("web") / "x").read_text() == more.replace("${secret.web.token}", "other-value")


def test_a_file_that_is_no_longer_wanted_is_removed(layout: WorkDir) -> None:
    write(layout, service(layout, {"old": "text", "kept": "text"}))
    [change] = write(layout, service(layout, {"kept": "text"}))
    assert (change.path.name, change.after) == ("old", None)
    assert not change.path.exists()


def test_secrets_are_filled_in_on_the_host_and_never_shown(layout: WorkDir) -> None:
    SecretStore(layout.secrets).write("web", {"password": Secret("hunter2")})
    template = "password = ${secret.web.password}\n"
    write(layout, service(layout, {"x": template}))
    assert (layout.service_config("web") / "x").read_text() == "password = hunter2\n"
    [change] = write(layout, service(layout, {"x": template + "more\n"}))
    assert change.diff()["before"] == template
    assert "hunter2" not in str(change.diff())


def test_a_missing_secret_is_an_error_except_where_nothing_is_written(layout: WorkDir) -> None:
    wanted = service(layout, {"x": "${secret.web.password}"})
    with pytest.raises(ConfigurationError, match="there is no such secret"):
        list(ConfigWriter(layout).changes(wanted))
    [change] = ConfigWriter(layout, dry=True).changes(wanted)
    assert change.after == "${secret.web.password}"


def test_a_serial_rises_only_when_something_else_changes(layout: WorkDir) -> None:
    zone = "@ SOA ns admin ${serial} 60 60 60 60\n"
    path = layout.service_config("web") / "zone"
    write(layout, service(layout, {"zone": zone}), now=1000)
    assert "1000" in path.read_text()
    assert write(layout, service(layout, {"zone": zone}), now=2000) == []
    write(layout, service(layout, {"zone": zone + "www A 127.0.0.1\n"}), now=500)
    assert "1001" in path.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_a_container_belong_to_the_user_it_runs_as(layout: WorkDir) -> None:
    deployment = {"mode": "docker", "docker": {"image": "x", "user": "65532"}}
    wanted = service(layout, {"sub/x": "text"}, deployment=deployment)
    write(layout, wanted)
    folder = layout.service_config("web")
    assert {path.stat().st_uid for path in (folder, folder / "sub", folder / "sub" / "x")} == {65532}
    assert layout.config.stat().st_uid == 0
    assert write(layout, wanted) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_user_of_the_host_can_reach_his_files_and_look_at_nothing_else(layout: WorkDir) -> None:
    layout.config.mkdir(parents=True, mode=0o700)
    deployment = {"mode": "binary", "binary": {"command": "web", "user": "nobody"}}
    write(layout, service(layout, {"x": "text"}, deployment=deployment))
    assert (layout.service_config("web") / "x").stat().st_uid != 0
    assert [folder.stat().st_mode & 0o777 for folder in (layout.root, layout.config)] == [0o711, 0o711]
