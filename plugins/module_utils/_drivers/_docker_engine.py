# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a container engine and connecting to it: Docker, Podman and OrbStack all speak Docker's API."""

from __future__ import annotations

import dataclasses
import grp
import importlib.util
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import _tls
from .._errors import DriverError, Problem
from . import _docker_light, _docker_ssh, _podman_service
from ._base import Context
from ._docker_light import LightClient
from ._docker_places import USUAL, Candidate, candidates, certificate_problem, current_context
from ._docker_ssh import Tunnel

__all__ = ["Candidate", "Connection", "Engine", "candidates", "connect", "current_context"]

if TYPE_CHECKING:
    from docker import APIClient

#: Docker Engine 20.10 speaks 1.41, and 1.40 is the oldest that has all that is used here.
MINIMUM_API = (1, 40)
#: Podman gives containers a name for the host, and understands host-gateway, since this version.
PODMAN_HOST_GATEWAY = (4, 7)

_MINIMUM = ".".join(map(str, MINIMUM_API))
_CONNECT_SECONDS = 10
_REQUEST_SECONDS = 120
_FAILURE_SECONDS = 5.0
_DOCKER_SERVER = re.compile(r"Docker/(\S+)")
_NAMES = {"docker": "Docker", "podman": "Podman", "orbstack": "OrbStack"}
_HOW_TO_START = {
    "docker": "Start it (systemctl start docker)",
    "podman": "Start it (podman machine start)"
    if sys.platform == "darwin"
    else "Start its API (systemctl start podman.socket, without root systemctl --user start podman.socket)",
    "orbstack": "Start it (orb start)",
}


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    :param api: the connection; may be used by several threads.
    :param version: of the engine, e.g. (20, 10, 24).
    :param owner: uid that owns a local engine's socket; not 0 where the engine runs without root.
    :param place: where and how it was reached.
    :param tunnel: what reaches it over ssh.
    :param is_brief: whether it is Podman's API that we serve for as long as this program runs.
    """

    api: APIClient
    url: str
    name: str
    version: tuple[int, ...]
    owner: int | None = None
    place: Candidate | None = None
    tunnel: Tunnel | None = None
    is_brief: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What the docker command needs in its environment to reach the same engine."""
        found = {"DOCKER_HOST": f"unix://{self.tunnel.socket}" if self.tunnel else self.url}
        if self.place is not None and self.place.tls is not None:
            found |= {"DOCKER_CERT_PATH": str(self.place.tls), "DOCKER_TLS_VERIFY": "1" if self.place.verify else ""}
        return found

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman behind Docker's API."""
        return self.name == "Podman"

    @property
    def is_local(self) -> bool:
        """Whether it sees this machine's files."""
        return self.url.startswith("unix://")

    @property
    def folder(self) -> Path | None:
        """The folder of a local engine's socket."""
        return Path(self.url.removeprefix("unix://")).parent if self.is_local else None

    def path(self, path: str) -> str:
        """Return the full URL of a path of the API, for requests that the SDK has no method for."""
        return f"{self.api.base_url}/v{self.api.api_version}{path}"


class Connection:
    """The one connection of a driver, made when it is first needed and shared by its threads.

    A failure is remembered for a few seconds, so that the services of a run do not each wait for a dead engine.
    """

    def __init__(self, context: Context, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._context = context
        self._clock = clock
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._failure: tuple[float, Problem] | None = None

    def engine(self) -> Engine:
        """Return the engine.

        :raises DriverError: none answers, it may not be used, or it is too old.
        """
        with self._lock:
            if self._engine is None:
                if self._failure is not None and self._clock() - self._failure[0] < _FAILURE_SECONDS:
                    raise DriverError(self._failure[1])
                try:
                    self._engine = self._connect()
                except DriverError as error:
                    self._failure = (self._clock(), error.problems[0])
                    raise
            return self._engine

    def keep(self) -> Engine:
        """Return the engine, and see to it that it stays when this program has ended: something is to be started.

        :raises DriverError: as for :meth:`engine`.
        """
        engine = self.engine()
        if engine.is_brief:
            path = _podman_service.serve(self._context.work_dir)
            with self._lock:
                engine = self._engine = connect("podman", [Candidate(f"unix://{path}", USUAL)])
        return engine

    def release(self) -> None:
        """End what was kept, if it was: nothing needs it any more.

        :raises DriverError: it does not end.
        """
        if self._context.engine == "podman" and _podman_service.stop(self._context.work_dir):
            with self._lock:
                self._engine = None

    def _connect(self) -> Engine:
        kind, home, url = self._context.engine, Path.home(), self._context.engine_url
        is_named = bool(url or os.environ.get("DOCKER_HOST"))
        places = candidates(
            kind,
            engine_url=url,
            env=os.environ,
            home=home,
            uid=os.getuid(),
            context=current_context(os.environ, home) if kind == "docker" and not is_named else None,
            own=_podman_service.socket_of(self._context.work_dir),
        )
        may_serve = kind == "podman" and sys.platform == "linux" and any(place.source == USUAL for place in places)
        return connect(kind, places, may_serve=may_serve)


def connect(kind: str, places: Sequence[Candidate], *, may_serve: bool = False) -> Engine:
    """Return the first engine that answers.

    :param kind: ``docker``, ``podman`` or ``orbstack``.
    :param may_serve: serve Podman's API ourselves, while this program runs, where it does not answer.
    :raises DriverError: none answers, the user may not use it, it is too old, what it needs of us is missing, or the
        docker SDK is.
    """
    name = _NAMES.get(kind, kind)
    if not _has_sdk():
        why = f"{name} is reached through the Python package docker, which {sys.executable} does not have"
        raise DriverError(Problem(name, why, "Install it: pip install 'docker>=7.1'."))
    tried: list[str] = []
    forbidden: list[Problem] = []
    for place in places:
        engine = _attempt(kind, place, tried, forbidden)
        if engine is not None:
            return engine
    if may_serve and _podman_service.is_installed():
        path = _podman_service.serve_briefly()
        return dataclasses.replace(_open(Candidate(f"unix://{path}")), is_brief=True)
    if forbidden:
        raise DriverError(forbidden[0])
    if may_serve:
        raise DriverError(_podman_service.missing())
    remedy = f"{_HOW_TO_START.get(kind, 'Start it')}, or set deployment.engine_url."
    if places and all(place.url.startswith("tcp://") for place in places):
        remedy = "See that it listens there. Where it wants TLS, set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH."
        if places[0].tls is not None:
            remedy = (
                f"See that it listens there, and that {places[0].tls} holds what it wants: ca.pem, cert.pem, key.pem."
            )
    raise DriverError(Problem(name, f"{name} does not answer (tried {'; '.join(tried)})", remedy))


def _has_sdk() -> bool:
    """Whether the SDK can be imported; to do it takes long, and a look at what there is does without."""
    try:
        return importlib.util.find_spec("docker") is not None
    except ValueError:  # somebody has seen to it that it cannot be
        return False


def _attempt(kind: str, place: Candidate, tried: list[str], forbidden: list[Problem]) -> Engine | None:
    """Return the engine at a place, or note why there is none.

    :raises DriverError: what was named on purpose cannot be reached as it was named.
    """
    name = _NAMES.get(kind, kind)
    problem = certificate_problem(place, name)
    if problem is not None:
        raise DriverError(problem)
    try:
        engine = _open_over_ssh(place, name) if place.url.startswith("ssh://") else _open(place)
    except PermissionError:
        forbidden.append(_forbidden(name, place))
        tried.append(f"{place.url}: permission denied")
        return None
    except OSError as error:
        tried.append(f"{place.url}: {_in_words(error, place)}")
        return None
    if kind == "podman" and not engine.is_podman and place.source == "DOCKER_HOST":
        tried.append(f"{place.url}: is {engine.name}, not Podman")
        return None
    return engine


def _open(place: Candidate) -> Engine:
    """Connect to one place.

    :raises OSError: nobody answers there in the engine's language, or the user may not connect.
    :raises DriverError: who answers is too old.
    """
    # The SDK wraps every reason in the same error; the socket itself tells them apart.
    owner = None
    if place.socket is not None:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            probe.connect(str(place.socket))
        owner = place.socket.stat().st_uid
    name, version, spoken = _introduction(place)
    if _numbers(spoken) < MINIMUM_API:
        why = f"{name} {version} at {place.url} speaks API {spoken}, and {_MINIMUM} is needed"
        raise DriverError(Problem(name, why, "Install Docker 20.10 or Podman 4 or newer."))
    api = _lasting_client(place, spoken)
    return Engine(api, place.url, name, _numbers(version), owner, place)


def _open_over_ssh(place: Candidate, name: str) -> Engine:
    tunnel = Tunnel(place.url, name)
    try:
        engine = _open(Candidate(f"unix://{tunnel.socket}"))
    except OSError:
        problem = _docker_ssh.explain_refusal(place.url, name, tunnel.words())
        tunnel.close()
        if problem is not None:
            raise DriverError(problem) from None
        raise
    return dataclasses.replace(engine, url=place.url, owner=None, place=place, tunnel=tunnel)


def _introduction(place: Candidate) -> tuple[str, str, str]:
    """Return the engine's name and version, and that of the API that it speaks."""
    if place.socket is not None:
        said = _introduced_by(_docker_light.greeting(place.socket, timeout=_CONNECT_SECONDS))
        if said is not None:
            return said
    import docker.errors

    try:
        with closing(_client(place, _MINIMUM)) as api:
            said = _introduced_by(api.get(f"{api.base_url}/_ping", timeout=_CONNECT_SECONDS).headers)
            about: dict[str, Any] = {} if said is not None else api.version(api_version=False)
    except (docker.errors.DockerException, ValueError, KeyError) as error:
        raise OSError(str(error)) from error
    if said is not None:
        return said
    if "ApiVersion" not in about:
        raise OSError("what answers is no container engine")
    components = {component.get("Name", "") for component in about.get("Components") or []}
    return "Podman" if "Podman Engine" in components else "Docker", about.get("Version", ""), about["ApiVersion"]


def _introduced_by(headers: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Return what the headers of the answer to a ping say, if they say it all.

    Asked for its version, Podman asks the packages of the system, which takes most of a second; this takes none.
    """
    spoken, podman = headers.get("api-version"), headers.get("libpod-api-version")
    if spoken and podman:
        return "Podman", podman, spoken
    docker = _DOCKER_SERVER.match(headers.get("server", ""))
    return ("Docker", docker[1], spoken) if spoken and docker else None


def _lasting_client(place: Candidate, version: str) -> APIClient:
    def make() -> APIClient:
        api = _client(place, version)
        api.timeout = _REQUEST_SECONDS
        return api

    if place.socket is None:
        return make()
    return cast("APIClient", LightClient(place.socket, version, make, timeout=_REQUEST_SECONDS))


def _client(place: Candidate, version: str) -> APIClient:
    import docker

    tls = _tls_config(place)
    api = docker.APIClient(
        place.url, version=version, timeout=_CONNECT_SECONDS, tls=tls, use_ssh_client=True, max_pool_size=16
    )
    if place.socket is not None or place.tls is not None:
        # No proxy and no .netrc for a local socket, and no REQUESTS_CA_BUNDLE instead of the engine's own authority.
        api.trust_env = False
    return api


def _in_words(error: OSError, place: Candidate) -> str:
    if isinstance(error, FileNotFoundError):
        return "not there"
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _tls.reason(cause, "it")
    text = str(error)
    if "HTTP request to an HTTPS server" in text:
        return "it wants TLS"
    if place.tls is not None and "Connection aborted" in text:
        return "it closed the connection; it may not accept the certificate in " + str(place.tls)
    words = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return (words[-1] if words else text).lower()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it came from, as the SDK and its transport wrap them."""
    left: list[Any] = [error]
    seen: set[int] = set()
    while left:
        one = left.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            left += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _forbidden(name: str, place: Candidate) -> Problem:
    path = place.socket or Path(place.url)
    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        group = "docker"
    remedy = "Run as root, or run the engine without root."
    if group != "root":
        remedy = f"Add the user to the group {group} (usermod -aG {group} USER) and log in again, or run as root."
    return Problem(name, f"{name} may not be used by uid {os.getuid()}: its socket {path} denies it", remedy)


def _tls_config(place: Candidate) -> Any:
    if place.tls is None:
        return False
    from docker.tls import TLSConfig

    pair = (str(place.tls / "cert.pem"), str(place.tls / "key.pem"))
    authority = place.tls / "ca.pem"
    return TLSConfig(
        client_cert=pair if Path(pair[0]).exists() else None,
        ca_cert=str(authority) if authority.exists() else None,
        verify=place.verify,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
