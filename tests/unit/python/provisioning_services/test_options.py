# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from provisioning_services.options import Options, parse


def options(*arguments: str, environment: dict[str, str] | None = None) -> Options:
    return parse(
        "control-center", arguments, environment or {}, description="Shows.", port=8081, asks_orchestrator=True
    )


def test_without_arguments_it_listens_on_loopback_at_its_own_port_and_looks_at_the_usual_work_dir(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")

    found = options()

    assert (found.host, found.port, found.orchestrator_url) == ("127.0.0.1", 8081, None)
    assert found.work_dir == Path("/home/somebody/.provisioning")
    assert found.allowed_hosts == frozenset()


def test_the_environment_fills_in_what_the_command_line_leaves_open():
    found = options(
        "--allowed-host=One.example.",
        environment={
            "PROVISIONING_WORK_DIR": "/srv/platform",
            "PROVISIONING_ORCHESTRATOR_URL": "http://127.0.0.1:8080/",
            "PROVISIONING_ALLOWED_HOSTS": "two.example, [::2]",
        },
    )

    assert found.work_dir == Path("/srv/platform")
    assert found.orchestrator_url == "http://127.0.0.1:8080"
    assert found.allowed_hosts == {"one.example", "two.example", "::2"}


def test_the_command_line_wins_over_the_environment():
    environment = {"PROVISIONING_WORK_DIR": "/elsewhere", "PROVISIONING_ORCHESTRATOR_URL": "http://127.0.0.1:1"}

    found = options("--work-dir=/here", "--orchestrator-url=https://orc.example/api", environment=environment)

    assert found.work_dir == Path("/here")
    assert found.orchestrator_url == "https://orc.example/api"


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--port", "x"], {}, "argument --port: 'x' is not a port"),
        (["--port", "65536"], {}, "argument --port: '65536' is not a port"),
        (["--port", "-1"], {}, "argument --port: '-1' is not a port"),
        (["--prot", "1"], {}, "unrecognized arguments: --prot 1"),
        (["--allowed-host", "http://a"], {}, "argument --allowed-host: 'http://a' is not a host name or address"),
        (["--allowed-host", "a:80"], {}, "argument --allowed-host: 'a:80' is not a host name or address"),
        (["--allowed-host", "*"], {}, "argument --allowed-host: '*' is not a host name or address"),
        ([], {"PROVISIONING_ALLOWED_HOSTS": "a b"}, "environment PROVISIONING_ALLOWED_HOSTS: 'a b' is not"),
        (["--work-dir", "/etc/hosts"], {}, "argument --work-dir: /etc/hosts is not a directory"),
        (["--work-dir", ""], {}, "argument --work-dir: is empty"),
        ([], {"PROVISIONING_WORK_DIR": "/etc/hosts"}, "environment PROVISIONING_WORK_DIR: /etc/hosts is not"),
        (["--orchestrator-url", "orc:8080"], {}, "argument --orchestrator-url: is not a base URL like http://"),
        (["--orchestrator-url", ""], {}, "argument --orchestrator-url: is not a base URL like http://"),
        (["--orchestrator-url", "http://a:x"], {}, "argument --orchestrator-url: is not a base URL"),
        ([], {"PROVISIONING_ORCHESTRATOR_URL": "ftp://a"}, "environment PROVISIONING_ORCHESTRATOR_URL: is not"),
    ],
)
def test_a_bad_argument_is_one_line_that_names_it_and_exit_code_2(arguments, environment, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        options(*arguments, environment=environment)

    message = capsys.readouterr().err
    assert stopped.value.code == 2
    assert message.startswith(f"provisioning-control-center: {said}")
    assert message.count("\n") == 1
    assert "--help" in message


def test_a_password_in_the_orchestrators_url_is_refused_and_not_repeated(capsys):
    with pytest.raises(SystemExit):
        options("--orchestrator-url", "http://me:hunter2@orc.example")

    message = capsys.readouterr().err
    assert "holds a user name or password" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("option", "said"), [("--help", "--work-dir DIR"), ("--version", "provisioning-control-center ")]
)
def test_help_and_version_are_printed_with_exit_code_0(option, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        options(option)

    assert stopped.value.code == 0
    assert said in capsys.readouterr().out


def orchestrator(*arguments: str, environment: dict[str, str] | None = None) -> Options:
    return parse("orchestrator", arguments, environment or {}, description="Tells.", port=8080, asks_orchestrator=False)


def test_the_orchestrator_may_be_given_a_file_that_names_the_services(tmp_path):
    path = tmp_path / "platform.json"
    path.write_text("{}")

    assert orchestrator().platform_file is None
    assert orchestrator(f"--platform-file={path}").platform_file == path
    assert orchestrator(environment={"PROVISIONING_PLATFORM_FILE": str(path)}).platform_file == path


def test_a_platform_file_that_is_none_is_told(tmp_path, capsys):
    for arguments, environment, source in (
        ([f"--platform-file={tmp_path}"], {}, "argument --platform-file"),
        ([], {"PROVISIONING_PLATFORM_FILE": "/nowhere/p.json"}, "environment PROVISIONING_PLATFORM_FILE"),
    ):
        with pytest.raises(SystemExit) as stopped:
            orchestrator(*arguments, environment=environment)
        assert stopped.value.code == 2
        assert f"provisioning-orchestrator: {source}: " in capsys.readouterr().err
