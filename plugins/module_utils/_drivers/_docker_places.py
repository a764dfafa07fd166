# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a container engine may answer: what the configuration, the environment and the docker command's context say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._errors import DriverError, Problem

#: What OrbStack calls its Kubernetes in a kubeconfig.
ORBSTACK_KUBERNETES_CONTEXT = "orbstack"
USUAL = "the usual place"


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


def candidates(
    engine: str,
    *,
    engine_url: str | None = None,
    env: Mapping[str, str],
    home: Path,
    uid: int,
    context: Candidate | None = None,
    own: Path | None = None,
) -> list[Candidate]:
    """Return where the engine may answer, best first. What somebody named on purpose is the only one.

    :param engine: ``docker``, ``podman`` or ``orbstack``.
    :param engine_url: from the configuration.
    :param env: environment of the process.
    :param uid: of the user.
    :param context: the current one of the docker command, see :func:`current_context`.
    :param own: the socket at which we serve Podman's API ourselves where nobody else does.
    """
    if engine_url:
        return [_with_tls(engine_url, "deployment.engine_url", env, home)]
    runtime = Path(env.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    docker_host = [_with_tls(env["DOCKER_HOST"], "DOCKER_HOST", env, home)] if env.get("DOCKER_HOST") else []
    if engine == "podman":
        if env.get("CONTAINER_HOST"):
            return [_with_tls(env["CONTAINER_HOST"], "CONTAINER_HOST", env, home)]
        user, system = runtime / "podman" / "podman.sock", Path("/run/podman/podman.sock")
        machine = home / ".local/share/containers/podman/machine/podman.sock"
        usual = [*([system, user] if uid == 0 else [user, system]), machine]
        return [*_sockets(usual), *docker_host, *_sockets([own] if own else [])]
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
    :raises DriverError: there is no such context, or it names no engine.
    """
    folder = Path(env.get("DOCKER_CONFIG") or home / ".docker")
    name = env.get("DOCKER_CONTEXT") or _read_json(folder / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    meta = _read_json(folder / "contexts" / "meta" / digest / "meta.json")
    endpoints = meta.get("Endpoints")
    endpoint = endpoints.get("docker") if isinstance(endpoints, dict) else None
    if not isinstance(endpoint, dict) or not endpoint.get("Host"):
        where = "DOCKER_CONTEXT" if env.get("DOCKER_CONTEXT") else str(folder / "config.json")
        what = "does not exist" if not meta else "names no engine"
        known = _context_names(folder)
        remedy = f"Choose one that does: {', '.join(['default', *known])} (docker context use NAME)"
        why = f"the context {name}, which {where} names, {what} in {folder / 'contexts'}"
        raise DriverError(Problem("Docker", why, f"{remedy}, or set deployment.engine_url."))
    tls = folder / "contexts" / "tls" / digest / "docker"
    return Candidate(
        str(endpoint["Host"]),
        f"docker's context {name}",
        tls if tls.is_dir() else None,
        not endpoint.get("SkipTLSVerify", False),
    )


def certificate_problem(place: Candidate, name: str) -> Problem | None:
    """Return what is missing in the folder of certificates of a place, as the docker command wants it.

    :param name: of the engine, for people.
    """
    if place.tls is None:
        return None
    from_environment = not place.source.startswith("docker's context")
    needed = ["ca.pem"] if place.verify and from_environment else []
    if (place.tls / "cert.pem").exists() or (place.tls / "key.pem").exists():
        needed += ["cert.pem", "key.pem"]
    missing = [str(place.tls / file) for file in needed if not (place.tls / file).exists()]
    if not missing:
        return None
    why = f"the certificates for {place.url} are not there: {', '.join(missing)}"
    remedy = f"Put them into {place.tls}"
    if from_environment:
        remedy = f"Set DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem; it is {place.tls}"
    return Problem(name, why, f"{remedy}.")


def _with_tls(url: str, source: str, env: Mapping[str, str], home: Path) -> Candidate:
    verify, folder = env.get("DOCKER_TLS_VERIFY"), env.get("DOCKER_CERT_PATH")
    if not url.startswith("tcp://") or not (verify or folder):
        return Candidate(url, source)
    return Candidate(url, source, Path(folder or home / ".docker"), bool(verify))


def _sockets(paths: Sequence[Path]) -> list[Candidate]:
    return [Candidate(f"unix://{path}", USUAL) for path in paths]


def _context_names(folder: Path) -> list[str]:
    metas = [_read_json(path) for path in sorted((folder / "contexts" / "meta").glob("*/meta.json"))]
    return sorted(str(meta["Name"]) for meta in metas if meta.get("Name"))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the docker command's own file; without it there is no context
        return {}
    return document if isinstance(document, dict) else {}
