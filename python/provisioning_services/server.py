# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running an application until it is told to stop."""

from __future__ import annotations

import gc
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._version import version
from .options import BAD_ARGUMENTS, Options

if TYPE_CHECKING:
    from starlette.types import ASGIApp

CANNOT_LISTEN = 3
_QUIET_PATHS = ("/health", "/metrics")


def serve(options: Options, build: Callable[[Options], ASGIApp]) -> int:
    """Listen, build the application and serve it until SIGTERM or SIGINT; return the exit code.

    The address is taken first, so that a port that is not free is told at once; connections are refused until the
    application can answer.

    :param build: makes the application; imports what it needs.
    """
    # uvicorn stops gracefully and then raises the signal again: only that second one, or one that comes before uvicorn
    # is ready, gets here.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        listener = _bind(options.host, options.port)
    except socket.gaierror as error:
        return _complain(options, f"--host {options.host}: {error.strerror}", BAD_ARGUMENTS)
    except OSError as error:
        why = f"cannot listen on {options.host} port {options.port}: {error.strerror}"
        return _complain(options, f"{why}. Stop what uses it, or choose another with --host or --port", CANNOT_LISTEN)
    # Importing makes hundreds of thousands of objects that stay; looking through them for garbage is wasted time.
    gc.disable()
    config = _configuration(build(options))
    from uvicorn import Server

    gc.freeze()
    gc.enable()
    _announce(options, listener.getsockname()[1])
    Server(config).run(sockets=[listener])
    return 0


def _leave(number: int, _frame: Any) -> None:
    logging.getLogger(__name__).info("stopped by %s", signal.Signals(number).name)
    sys.exit(0)


def _complain(options: Options, message: str, code: int) -> int:
    sys.stderr.write(f"{options.program}: {message}.\n")
    return code


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _configuration(app: ASGIApp) -> Any:
    from uvicorn import Config

    _log_to_stdout()
    return Config(
        app,
        access_log=True,
        http="h11",
        lifespan="on",
        log_config=None,
        loop="asyncio",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        ws="none",
    )


def _log_to_stdout() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("uvicorn.error", "mcp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").addFilter(_is_worth_a_line)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Keep probes that succeed, one every few seconds for ever, out of the access log."""
    match record.args:
        case (_, _, str() as path, _, int() as status):
            return status >= 400 or path not in _QUIET_PATHS
    return True


def _announce(options: Options, port: int) -> None:
    host = f"[{options.host}]" if ":" in options.host else options.host
    log = logging.getLogger(__name__)
    log.info("%s %s on http://%s:%d, work dir %s", options.program, version(), host, port, options.work_dir)
    if not _is_loopback(options.host):
        log.warning("%s can be reached from other machines, and asks nobody who they are", options.program)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
