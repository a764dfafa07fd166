# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding a container engine and connecting to it: Docker, Podman and OrbStack all speak Docker's API."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._errors import DriverError, Problem
from ._base import Context

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
_NAMES = {"docker": "Docker", "podman": "Podman", "orbstack": "OrbStack"}
_HOW_TO_START = {
    "docker": "Start it (systemctl start docker)",
    "podman": "Start its API (systemctl start podman.socket, without root systemctl --user start podman.socket)",
    "orbstack": "Start it (orb start)",
}


@dataclass(frozen=True)
class Candidate:
    """A place where an engine may answer.

    :param url: ``unix://``, ``tcp://`` or ``ssh://``.
    :param source: who named it, for people.
    :param tls: folder with ``ca.pem``, ``cert.pem`` and ``key.pem``, where the connection is encrypted.
    :param verify: check the engine's certificate.
    """

    url: str
    source: str = ""
    tls: Path | None = None
    verify: bool = True

    @property
    def socket(self) -> Path | None:
        """The socket of a local engine."""
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    :param api: the connection; may be used by several threads.
    :param version: of the engine, e.g. (20, 10, 24).
    :param owner: uid that owns a local engine's socket; not 0 where the engine runs without root.
    """

    api: APIClient
    url: str
    name: str
    version: tuple[int, ...]
    owner: int | None = None

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


def candidates(
    engine: str,
    *,
    engine_url: str | None = None,
    env: Mapping[str, str],
    home: Path,
    uid: int,
    context: Candidate | None = None,
) -> list[Candidate]:
    """Return where the engine may answer, best first. What somebody named on purpose is the only one.

    :param engine: ``docker``, ``podman`` or ``orbstack``.
    :param engine_url: from the configuration.
    :param env: environment of the process.
    :param uid: of the user.
    :param context: the current one of the docker command, see :func:`current_context`.
    """
    if engine_url:
        return [_with_tls(engine_url, "deployment.engine_url", env, home)]
    runtime = Path(env.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    docker_host = [_with_tls(env["DOCKER_HOST"], "DOCKER_HOST", env, home)] if env.get("DOCKER_HOST") else []
    if engine == "podman":
        if env.get("CONTAINER_HOST"):
            return [_with_tls(env["CONTAINER_HOST"], "CONTAINER_HOST", env, home)]
        own, system = runtime / "podman" / "podman.sock", Path("/run/podman/podman.sock")
        machine = home / ".local/share/containers/podman/machine/podman.sock"
        return [*_sockets([system, own] if uid == 0 else [own, system]), *_sockets([machine]), *docker_host]
    if docker_host:
        return docker_host
    system = Path("/var/run/docker.sock")
    if engine == "orbstack":
        return _sockets([home / ".orbstack/run/docker.sock", system])
    if context is not None:
        return [context]
    return _sockets([system, home / ".docker/run/docker.sock", runtime / "docker.sock"])


def current_context(env: Mapping[str, str], home: Path) -> Candidate | None:
    """Return what the docker command would connect to by its current context; nothing when that is the default.

    :param env: DOCKER_CONFIG and DOCKER_CONTEXT are used.
    """
    folder = Path(env.get("DOCKER_CONFIG") or home / ".docker")
    name = env.get("DOCKER_CONTEXT") or _read_json(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    endpoint = _read_json(folder / "contexts" / "meta" / digest / "meta.json").get("Endpoints", {}).get("docker", {})
    if not endpoint.get("Host"):
        return None
    tls = folder / "contexts" / "tls" / digest / "docker"
    return Candidate(
        endpoint["Host"],
        f"docker's context {name}",
        tls if tls.is_dir() else None,
        not endpoint.get("SkipTLSVerify", False),
    )


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

    def _connect(self) -> Engine:
        kind, home = self._context.engine, Path.home()
        found = candidates(
            kind,
            engine_url=self._context.engine_url,
            env=os.environ,
            home=home,
            uid=os.getuid(),
            context=current_context(os.environ, home),
        )
        return connect(kind, found)


def connect(kind: str, places: Sequence[Candidate]) -> Engine:
    """Return the first engine that answers.

    :param kind: ``docker``, ``podman`` or ``orbstack``.
    :raises DriverError: none answers, the user may not use it, it is too old, or the docker SDK is missing.
    """
    name = _NAMES.get(kind, kind)
    try:
        import docker  # noqa: F401
    except ImportError as error:
        why = f"{name} is reached through the Python package docker, which {sys.executable} does not have"
        raise DriverError(Problem(name, why, "Install it: pip install 'docker>=7.1'.")) from error
    tried = []
    forbidden: Problem | None = None
    for place in places:
        try:
            engine = _open(place)
        except PermissionError:
            forbidden = forbidden or _forbidden(name, place)
            tried.append(f"{place.url}: permission denied")
            continue
        except OSError as error:
            tried.append(f"{place.url}: {_in_words(error)}")
            continue
        if kind == "podman" and not engine.is_podman and place.source == "DOCKER_HOST":
            tried.append(f"{place.url}: is {engine.name}, not Podman")
            continue
        return engine
    if forbidden is not None:
        raise DriverError(forbidden)
    remedy = f"{_HOW_TO_START.get(kind, 'Start it')}, or set deployment.engine_url."
    raise DriverError(Problem(name, f"{name} does not answer (tried {'; '.join(tried)})", remedy))


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
    about = _version(place)
    components = {component.get("Name", "") for component in about.get("Components") or []}
    name = "Podman" if "Podman Engine" in components else "Docker"
    spoken = about["ApiVersion"]
    if _numbers(spoken) < MINIMUM_API:
        why = f"{name} {about.get('Version', '')} at {place.url} speaks API {spoken}, and {_MINIMUM} is needed"
        raise DriverError(Problem(name, why, "Install Docker 20.10 or Podman 4 or newer."))
    api = _client(place, spoken)
    api.timeout = _REQUEST_SECONDS
    return Engine(api, place.url, name, _numbers(about.get("Version", "")), owner)


def _version(place: Candidate) -> dict[str, Any]:
    import docker.errors

    try:
        with closing(_client(place, _MINIMUM)) as api:
            about: dict[str, Any] = api.version(api_version=False)
    except (docker.errors.DockerException, ValueError, KeyError) as error:
        raise OSError(str(error)) from error
    if "ApiVersion" not in about:
        raise OSError("what answers is no container engine")
    return about


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


def _in_words(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "not there"
    return (error.strerror or str(error)).lower()


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


def _with_tls(url: str, source: str, env: Mapping[str, str], home: Path) -> Candidate:
    verify, folder = env.get("DOCKER_TLS_VERIFY"), env.get("DOCKER_CERT_PATH")
    if not url.startswith("tcp://") or not (verify or folder):
        return Candidate(url, source)
    return Candidate(url, source, Path(folder or home / ".docker"), bool(verify))


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


def _sockets(paths: Sequence[Path]) -> list[Candidate]:
    return [Candidate(f"unix://{path}", "the usual place") for path in paths]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the docker command's own file; without it there is no context
        return {}
    return document if isinstance(document, dict) else {}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
