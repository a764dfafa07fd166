# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL itself, Debian's, with the files that the role writes."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import resolve

from tests.fixtures.ports import free_port

ROLES = Path(__file__).parents[3] / "roles"
_SECRET = re.compile(r"\$\{secret\.postgres\.(\w+)\}")
_ACCOUNT = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


@dataclass
class Server:
    folder: Path
    port: int

    def run(self, user: str, database: str, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
        """Run psql over TCP; the password is the one that was made for the user unless another is given."""
        environment = {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "PGPASSWORD": password or secret(f"{user}_password" if user != "postgres" else "password"),
            "PGCONNECT_TIMEOUT": "5",
        }
        where = ["--host=127.0.0.1", f"--port={self.port}", f"--username={user}", f"--dbname={database}"]
        command = [program("psql"), "--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]
        return subprocess.run(
            [*command, "--set=ON_ERROR_STOP=1", *where, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


def secret(name: str) -> str:
    return f"made-up-{name}"


def program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, "PostgreSQL is not installed: apt-get install postgresql"
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    port = free_port()
    # Below a folder that the server's account may pass through.
    folder = Path(tempfile.mkdtemp(prefix="provisioning-postgres-", dir="/tmp"))
    variables = {"log_min_duration": 0, "settings": {"work_mem": "5MB", "application_name": "it's"}}
    services = [{"name": "postgres", "port": port, "variables": variables}]
    config = from_mapping({"deployment": {"services": services}}, env={}, base_dir=folder)
    wanted = resolve(config, home=str(folder), roles_dir=ROLES, env={}, only=["postgres"]).registry.services["postgres"]
    for file in wanted.config:
        text = _SECRET.sub(lambda match: secret(match[1]), file.content or "")
        (folder / Path(file.dest).name).write_text(text.replace("/etc/postgresql/", f"{folder}/"))
    if os.geteuid() == 0:
        shutil.chown(folder, _ACCOUNT, _ACCOUNT)
        for path in folder.iterdir():
            shutil.chown(path, _ACCOUNT, _ACCOUNT)
    data = folder / "data"
    made = [program("initdb"), f"--pgdata={data}", "--username=postgres", f"--pwfile={folder}/password", "--no-sync"]
    done = as_account([*made, "--auth-host=scram-sha-256", "--auth-local=peer"], folder).communicate(timeout=240)[0]
    assert (data / "PG_VERSION").exists(), done
    options = ["-c", f"config_file={folder}/postgresql.conf", "-c", f"unix_socket_directories={folder}"]
    with (folder / "log").open("w") as log:
        process = as_account([program("postgres"), "-D", str(data), *options], folder, log)
    one = Server(folder, port)
    try:
        until_ready(one, process)
        yield one
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder)


def as_account(command: list[str], folder: Path, output: object = subprocess.PIPE) -> subprocess.Popen[str]:
    account = {"user": _ACCOUNT, "group": _ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True, **account
    )


def until_ready(server: Server, process: subprocess.Popen[str]) -> None:
    ask = [program("pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={server.port}", "--username=postgres"]
    deadline = time.monotonic() + 60
    while subprocess.run(ask, check=False, timeout=60).returncode != 0:
        assert process.poll() is None, server.log
        assert time.monotonic() < deadline, server.log
        time.sleep(0.1)


@pytest.fixture(scope="module")
def prepared(server: Server) -> Server:
    """The server with its databases; twice, because running the file again is how changes get there."""
    for _ in range(2):
        done = server.run("postgres", "postgres", f"--file={server.folder}/databases.sql")
        assert done.returncode == 0, done.stderr
    return server


@pytest.mark.parametrize("name", ["gitea", "grafana"])
def test_a_service_finds_a_database_of_its_own_in_which_it_may_do_everything(prepared, name):
    done = prepared.run(name, name, "--command=CREATE SCHEMA s; CREATE TABLE s.t (n int); SHOW server_encoding")
    assert (done.returncode, done.stdout.strip()) == (0, "UTF8"), done.stderr


@pytest.mark.parametrize(("user", "database"), [("gitea", "grafana"), ("grafana", "gitea"), ("gitea", "postgres")])
def test_a_service_may_not_enter_the_database_of_another(prepared, user, database):
    done = prepared.run(user, database, "--command=SELECT 1")
    assert done.returncode == 2
    assert "permission denied for database" in done.stderr


@pytest.mark.parametrize("user", ["gitea", "postgres"])
def test_nobody_gets_in_with_another_password(prepared, user):
    done = prepared.run(user, user, "--command=SELECT 1", password="guessed")
    assert done.returncode == 2
    assert "password authentication failed" in done.stderr


def test_settings_of_an_owner_are_taken_whatever_is_in_them(prepared):
    done = prepared.run("postgres", "postgres", "--command=SHOW work_mem")
    assert done.stdout.strip() == "5MB"
    assert "application_name = 'it''s'" in (prepared.folder / "postgresql.conf").read_text()


def test_its_verification_passes(prepared):
    statement = "CREATE TEMPORARY TABLE verification AS SELECT 1 AS one; SELECT one FROM verification;"
    assert prepared.run("postgres", "postgres", f"--command={statement}").stdout.strip() == "1"


def test_no_password_is_in_the_log_although_every_statement_is(prepared):
    assert "CREATE SCHEMA s" in prepared.log or "SHOW work_mem" in prepared.log
    assert "made-up-" not in prepared.log
