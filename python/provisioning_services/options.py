# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the three commands are told on their command line and in their environment."""

from __future__ import annotations

import argparse
import ipaddress
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

BAD_ARGUMENTS = 2

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_][a-z0-9_-]{0,62}(\.[a-z0-9_][a-z0-9_-]{0,62})*")


@dataclass(frozen=True)
class Options:
    """How a service is to run.

    :param service: name of the service, as in its definition.
    :param host: address to listen on.
    :param port: TCP port; 0 lets the system choose.
    :param work_dir: work dir of the installation that is looked at; absolute.
    :param allowed_hosts: names in a Host header, beside loopback's, that are answered; lower case.
    :param orchestrator_url: base URL of the orchestrator to ask, without a slash at its end; None asks the engine.
    :param platform_file: names the services and where each is asked, in place of the work dir; absolute.
    """

    service: str
    host: str
    port: int
    work_dir: Path
    allowed_hosts: frozenset[str] = frozenset()
    orchestrator_url: str | None = None
    platform_file: Path | None = None

    @property
    def program(self) -> str:
        """Name of the command."""
        return f"provisioning-{self.service}"


def parse(
    service: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    description: str,
    port: int,
    asks_orchestrator: bool,
) -> Options:
    """Read the options of a service; what is wrong ends the program with one message and exit code 2.

    :param description: what the command does, for its help.
    :param port: the port it listens on unless told.
    :param asks_orchestrator: whether it takes ``--orchestrator-url``; otherwise it takes ``--platform-file``.
    :raises SystemExit: always for ``--help``, ``--version`` and bad arguments.
    """
    parser = _Parser(prog=f"provisioning-{service}", description=description, allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=port, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--work-dir",
        metavar="DIR",
        help="work dir of the installation (default: $PROVISIONING_WORK_DIR, else ~/.provisioning)",
    )
    parser.add_argument(
        "--allowed-host",
        metavar="NAME",
        action="append",
        default=[],
        type=_host_name,
        help="answer requests for this host name too, not only for loopback's; may be repeated"
        " (also: $PROVISIONING_ALLOWED_HOSTS, separated by commas)",
    )
    if asks_orchestrator:
        parser.add_argument(
            "--orchestrator-url",
            metavar="URL",
            help="ask this orchestrator instead of looking at the work dir (default: $PROVISIONING_ORCHESTRATOR_URL)",
        )
    else:
        parser.add_argument(
            "--platform-file",
            metavar="FILE",
            help="ask the services that this file names, where neither the work dir nor the engine can be looked at,"
            " as in a container (default: $PROVISIONING_PLATFORM_FILE)",
        )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    found = parser.parse_args(arguments)
    return Options(
        service=service,
        host=found.host,
        port=found.port,
        work_dir=_work_dir(parser, found.work_dir, environment),
        allowed_hosts=frozenset(found.allowed_host) | _allowed_hosts(parser, environment),
        orchestrator_url=_orchestrator_url(parser, found.orchestrator_url, environment) if asks_orchestrator else None,
        platform_file=None if asks_orchestrator else _platform_file(parser, found.platform_file, environment),
    )


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_ARGUMENTS, f"{self.prog}: {message}. See {self.prog} --help.\n")


class _ShowVersion(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_unused: Any, **_also: Any) -> None:
        from ._version import version

        sys.stdout.write(f"{parser.prog} {version()}\n")
        parser.exit()


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535")
    return int(text)


def _host_name(text: str) -> str:
    """A host name or address as it stands in a Host header, without a port."""
    name = text.strip().lower().strip("[]").removesuffix(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if _HOST_NAME.fullmatch(name):
            return name
    raise argparse.ArgumentTypeError(f"{text!r} is not a host name or address: give it without scheme and port")


def _allowed_hosts(parser: _Parser, environment: Mapping[str, str]) -> frozenset[str]:
    names = [name for name in environment.get("PROVISIONING_ALLOWED_HOSTS", "").split(",") if name.strip()]
    try:
        return frozenset(_host_name(name) for name in names)
    except argparse.ArgumentTypeError as error:
        parser.error(f"environment PROVISIONING_ALLOWED_HOSTS: {error}")


def _work_dir(parser: _Parser, given: str | None, environment: Mapping[str, str]) -> Path:
    source = "argument --work-dir" if given is not None else "environment PROVISIONING_WORK_DIR"
    text = given if given is not None else environment.get("PROVISIONING_WORK_DIR") or "~/.provisioning"
    if not text:
        parser.error(f"{source}: is empty: give a directory")
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError as error:
        parser.error(f"{source}: {error}")
    # One that is missing is fine: the service may be there before the first installation.
    if path.exists() and not path.is_dir():
        parser.error(f"{source}: {path} is not a directory")
    return path


def _platform_file(parser: _Parser, given: str | None, environment: Mapping[str, str]) -> Path | None:
    source = "argument --platform-file" if given is not None else "environment PROVISIONING_PLATFORM_FILE"
    text = given if given is not None else environment.get("PROVISIONING_PLATFORM_FILE", "")
    if not text and given is None:
        return None
    path = Path(text).absolute()
    if not path.is_file():
        parser.error(f"{source}: {text!r} is not a file")
    return path


def _orchestrator_url(parser: _Parser, given: str | None, environment: Mapping[str, str]) -> str | None:
    source = "argument --orchestrator-url" if given is not None else "environment PROVISIONING_ORCHESTRATOR_URL"
    text = given if given is not None else environment.get("PROVISIONING_ORCHESTRATOR_URL", "")
    if not text and given is None:
        return None
    try:
        url = urlsplit(text)
        valid = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    # A fault is named without the URL, which may hold a password.
    if not valid or url.query or url.fragment:
        parser.error(f"{source}: is not a base URL like http://127.0.0.1:8080")
    if url.username is not None or url.password is not None:
        parser.error(f"{source}: holds a user name or password, which everybody can read there; leave it out")
    return text.rstrip("/")
