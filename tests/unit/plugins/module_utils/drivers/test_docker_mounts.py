# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_engine import Engine
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_mounts import (
    check_mounts,
    numeric_user,
    prepare_mounts,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_render import parse_volume
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir


def engine(url: str = "unix:///engine.sock") -> Engine:
    return Engine(api=None, url=url, name="Docker", version=(28,))  # type: ignore[arg-type] # nothing is asked of it


def service(**docker: Any) -> ServiceDefinition:
    deployment = {"mode": "docker", "docker": {"image": "web:1", **docker}}
    return build(ServiceDefinition, {"name": "web", "deployment": deployment})


def prepare(work_dir: Path, *volumes: str, user: str | None = None) -> None:
    mounts = [parse_volume(text, "web") for text in volumes]
    prepare_mounts(service(user=user), mounts, WorkDir(work_dir), engine())


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("1000", (1000, -1)),
        ("1000:1001", (1000, 1001)),
        ("0", (0, -1)),
        ("web", None),
        ("1000:web", None),
        ("", None),
        (None, None),
    ],
)
def test_a_user_in_numbers_needs_no_image_to_be_understood(user, expected):
    assert numeric_user(user) == expected


def test_a_services_own_folders_are_made_for_the_owner_alone(tmp_path):
    prepare(tmp_path, f"{tmp_path}/data/web/repos:/repos", f"{tmp_path}/config/web:/etc/web:ro")
    for folder in ("data", "data/web", "data/web/repos", "config/web"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_folders_and_configuration_belong_to_the_user_in_the_container(tmp_path):
    (tmp_path / "config/web/zones").mkdir(parents=True)
    (tmp_path / "config/web/zones/a").touch()
    (tmp_path / "data/web").mkdir(parents=True)
    (tmp_path / "data/web/old").touch()
    prepare(tmp_path, f"{tmp_path}/data/web:/data", f"{tmp_path}/config/web:/etc/web", user="1234:4321")
    owner = (1234, 4321) if os.getuid() == 0 else (os.getuid(), os.getgid())
    for path in ("data/web", "config/web", "config/web/zones", "config/web/zones/a"):
        status = (tmp_path / path).stat()
        assert (status.st_uid, status.st_gid) == owner, path
    assert (tmp_path / "data/web/old").stat().st_uid == os.getuid(), "what the service stored is its own affair"


def test_what_is_not_the_services_is_left_as_it_is(tmp_path):
    shared = tmp_path / "data" / "other"
    shared.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    prepare(tmp_path / ".", f"{shared}:/shared", f"{outside}:/outside", user="1234")
    assert {shared.stat().st_uid, outside.stat().st_uid} == {os.getuid()}


def test_a_path_that_is_not_ours_to_make_is_an_error(tmp_path):
    with pytest.raises(DriverError, match=r"web: /nowhere/x, which is to be mounted, does not exist\. Create it"):
        prepare(tmp_path, "/nowhere/x:/x")
    with pytest.raises(DriverError, match=r"config/web/missing\.conf, which is to be mounted, does not exist"):
        prepare(tmp_path, f"{tmp_path}/config/web/missing.conf:/x")


def test_nothing_is_made_here_for_an_engine_elsewhere(tmp_path):
    mounts = [parse_volume(f"{tmp_path}/data/web:/data", "web")]
    prepare_mounts(service(), mounts, WorkDir(tmp_path), engine("tcp://far:2375"))
    assert not (tmp_path / "data").exists()
    assert check_mounts(service(), [parse_volume("/nowhere:/x", "web")], WorkDir(tmp_path), engine("tcp://a:1")) == []


def test_a_mount_outside_the_work_dir_must_exist_beforehand(tmp_path):
    mounts = [parse_volume(text, "web") for text in ("/nowhere:/x", f"{tmp_path}:/y", f"{tmp_path}/w/data/web:/z")]
    (problem,) = check_mounts(service(), mounts, WorkDir(tmp_path / "w"), engine())
    assert problem.why == "/nowhere, which is to be mounted, does not exist"


@pytest.mark.parametrize(
    ("me", "socket_owner", "user", "remedy"),
    [
        (0, 0, "1000:1000", None),
        (1001, 0, None, None),
        (1001, 0, "web", None),
        (1001, 0, "1001:1001", None),
        (1001, 0, "1000:1000", 'Install as root, or set docker.user of web to "1001:55".'),
        (1001, 1001, "0:0", None),
        (1001, 1001, "1000:1000", 'Install as root, or set docker.user of web to "0:0".'),
    ],
)
def test_without_root_a_container_must_run_as_who_owns_its_files(tmp_path, monkeypatch, me, socket_owner, user, remedy):
    monkeypatch.setattr(os, "geteuid", lambda: me)
    monkeypatch.setattr(os, "getegid", lambda: 55)
    local = dataclasses.replace(engine(), owner=socket_owner)
    mounts = [parse_volume(f"{tmp_path}/config/web:/etc/web", "web")]
    problems = check_mounts(service(user=user), mounts, WorkDir(tmp_path), local)
    assert [problem.remedy for problem in problems] == ([remedy] if remedy else [])
    elsewhere = [parse_volume(f"{tmp_path}:/all", "web")]
    assert check_mounts(service(user=user), elsewhere, WorkDir(tmp_path / "w"), local) == [], "not its own files"
