# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers import _launch
from ansible_collections.provisioning.platform.plugins.module_utils._model import Scalar
from ansible_collections.provisioning.platform.plugins.module_utils._paths import WorkDir

ACCOUNT = _launch.Account("alice", 1000, 1000, "/home/alice")


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), ("", ""), (7, "7"), (1.5, "1.5"), (True, "true"), (False, "false")],
)
def test_settings_are_text_in_an_environment_and_truth_is_written_as_in_yaml(value: Scalar, text: str) -> None:
    assert _launch.text_of(value) == text


def test_what_an_environment_holds_comes_from_us_from_the_user_and_from_the_settings_in_this_order() -> None:
    base = {"LANG": "C", "TZ": "UTC", "HOME": "/root"}
    made = _launch.environment({"TZ": "CET", "N": 1}, path="/bin", account=ACCOUNT, base=base)
    assert made == {
        "LANG": "C", "TZ": "CET", "N": "1", "PATH": "/bin", "HOME": "/home/alice", "USER": "alice", "LOGNAME": "alice",
    }  # fmt: skip


def test_of_ours_a_service_gets_language_time_zone_certificates_and_proxies_and_no_more() -> None:
    names = ["LANG", "LC_ALL", "LC_TIME", "TZ", "SSL_CERT_FILE", "HTTPS_PROXY", "no_proxy"]
    others = [
        "PATH",
        "HOME",
        "JENKINS_NODE_COOKIE",
        "BUILD_ID",
        "RUNNER_TRACKING_ID",
        "AWS_SECRET",
        "TMPDIR",
        "LCX",
        "PWD",
    ]
    assert sorted(_launch.inherited(dict.fromkeys([*names, *others], "x"))) == sorted(names)


def test_commands_are_looked_for_in_our_downloads_beside_the_interpreter_and_in_the_path(tmp_path: Path) -> None:
    beside = str(Path(sys.executable).parent)
    assert _launch.search_path(tmp_path, {"PATH": "/a:/b"}) == f"{tmp_path}:{beside}:/a:/b"
    assert _launch.search_path(tmp_path, {}).endswith(":/usr/bin:/sbin:/bin")
    program = tmp_path / "program"
    program.write_text("")
    assert _launch.find_executable("program", _launch.search_path(tmp_path)) is None
    program.chmod(0o755)
    assert _launch.find_executable("program", _launch.search_path(tmp_path)) == str(program)
    assert _launch.find_executable(str(program), "") == str(program)


def test_an_executable_named_from_the_current_folder_is_found_as_an_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program").touch(0o755)
    monkeypatch.chdir(tmp_path)
    assert _launch.find_executable("./program", "") == str(tmp_path / "program")
    assert _launch.find_executable("program", ".") == str(tmp_path / "program")


def test_our_own_account_is_the_default() -> None:
    ours = _launch.account_of(None)
    entry = pwd.getpwuid(os.getuid())
    assert (ours.name, ours.uid, ours.home) == (entry.pw_name, entry.pw_uid, entry.pw_dir)
    nobody = _launch.account_of("nobody", "daemon")
    assert (nobody.uid, nobody.gid, nobody.gid in nobody.groups) == (pwd.getpwnam("nobody").pw_uid, 1, True)
    with pytest.raises(KeyError):
        _launch.account_of("no-such-user")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become a user that no file knows")
def test_a_user_that_no_file_knows_has_a_number_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/runner")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setuid(54321)
            found = _launch.account_of(None)
            os.write(writer, f"{found.name} {found.uid} {found.home}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert os.read(reader, 100) == b"54321 54321 /runner"
    os.close(reader)


def test_a_way_is_opened_within_the_work_dir_and_no_further(tmp_path: Path) -> None:
    layout = WorkDir(tmp_path / "work")
    folder = layout.service_data("a")
    folder.mkdir(parents=True)
    for path in (tmp_path, layout.root, layout.data):
        path.chmod(0o700)
    _launch.open_way(folder.parent, layout)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path, layout.root, layout.data)] == [0o700, 0o711, 0o711]
