# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting images onto the engine: pulled with bounded retries, or built from a Containerfile."""

from __future__ import annotations

import dataclasses
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from .. import _events
from .._errors import DriverError, Problem
from .._model import BuildSpec, DockerDeployment, ServiceDefinition
from ._base import Notify
from ._docker_engine import Engine
from ._docker_errors import NOT_FOUND, EngineError, engine_errors
from ._docker_render import block
from ._launch import text_of

PULL_ATTEMPTS = 3
_FIRST_PAUSE = 1.0  # seconds, doubled each time
_BUILD_LINES = 10

# A registry or a network that may do better in a moment. Whatever else is said (not found, denied, unauthorized, no
# such host) stays as it is, however often it is asked.
_TRANSIENT = re.compile(
    r"timeout|timed out|deadline exceeded|connection (?:refused|reset)|unexpected eof|: eof|broken pipe"
    r"|temporary failure|server misbehaving|network is unreachable|too ?many ?requests|toomanyrequests"
    r"|internal server error|bad gateway|service unavailable|received unexpected http status: 5|status(?: code)? 5\d\d"
    # Another container's interface has gone while the engine was looking for addresses for a network.
    r"|no such network interface",
    re.IGNORECASE,
)
_MISSING = re.compile(r"not found|manifest unknown|name unknown|does not exist|no such image", re.IGNORECASE)
_DENIED = re.compile(
    r"denied|unauthorized|forbidden|authentication required|(?:HTTP|status(?: ?code)?:?) 40[13]", re.IGNORECASE
)
_NO_HOST = re.compile(r"no such host|name resolution", re.IGNORECASE)


class Images:
    """The images of an engine.

    :param notify: told before a pull.
    :param sleep: waits some seconds.
    """

    def __init__(self, notify: Notify, *, sleep: Callable[[float], None]) -> None:
        self._notify = notify
        self._sleep = sleep
        self._shared = _Shared()

    def exists(self, engine: Engine, image: str) -> bool:
        """Whether the engine has the image.

        :raises DriverError: the engine does not answer.
        """
        try:
            with engine_errors(image):
                engine.api.inspect_image(image)  # type: ignore[no-untyped-call]
        except EngineError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def of(self, engine: Engine, service: str, container: str) -> str:
        """Return the id of the image that a container was made from.

        :param service: on whose behalf, for messages.
        :raises DriverError: the engine does not answer.
        """
        with engine_errors(service):
            return _bare(engine.api.inspect_container(container)["Image"])

    def newer(self, engine: Engine, service: ServiceDefinition, content: str, *, fetch: bool) -> str:
        """Say that a service's image means another one than the one that runs; nothing where it does not.

        :param content: the id of the one that runs.
        :param fetch: renew it first, where the definition wants that; otherwise its registry is only asked.
        :raises DriverError: it cannot be had, or the engine does not answer.
        """
        docker = block(service)
        if docker.pull == "always":
            if fetch:
                self.obtain(engine, service)
            elif docker.build is None and self._is_newer_at_registry(engine, docker.image):
                return f"the registry has a newer {docker.image}"
        now = self._id_of(engine, docker.image)
        return f"{docker.image} is another image now" if content and now not in ("", content) else ""

    def holding(self, engine: Engine, service: ServiceDefinition, content: str) -> ServiceDefinition:
        """Return a service's definition with the id of an image, where the image's name now means another one.

        :param content: the id.
        :raises DriverError: the engine does not answer.
        """
        docker = block(service)
        if not content or self._id_of(engine, docker.image) == content:
            return service
        held = dataclasses.replace(docker, image=f"sha256:{content}", build=None, pull="never")
        return dataclasses.replace(service, deployment=dataclasses.replace(service.deployment, docker=held))

    def _id_of(self, engine: Engine, image: str) -> str:
        """Return the id that an image's name means now; nothing where the engine does not have it."""
        try:
            with engine_errors(image):
                return _bare(engine.api.inspect_image(image)["Id"])  # type: ignore[no-untyped-call]
        except EngineError as error:
            if error.status == NOT_FOUND:
                return ""
            raise

    def _is_newer_at_registry(self, engine: Engine, image: str) -> bool:
        """Whether the registry has another image under a name than the engine; false where that cannot be told."""
        try:
            with engine_errors(image):
                here = engine.api.inspect_image(image).get("RepoDigests") or []  # type: ignore[no-untyped-call]
                there = engine.api.inspect_distribution(image)["Descriptor"]["digest"]  # type: ignore[no-untyped-call]
        except (EngineError, KeyError, TypeError):
            return False
        return bool(here) and all(digest.rpartition("@")[2] != there for digest in here)

    def obtain(self, engine: Engine, service: ServiceDefinition) -> None:
        """Get a service's image, which the engine lacks or is to renew. Services that share one get it once.

        :raises DriverError: it cannot be had.
        """
        docker = block(service)
        image = docker.image
        if docker.pull == "never":
            remedy = f"Pull or build it first, or set docker.pull of {service.name} to missing."
            raise DriverError(Problem(service.name, f"the image {image} is not on this machine", remedy))
        try:
            if docker.build is not None:
                build = docker.build
                self._shared.run(image, lambda: _build(engine, image, build))
            else:
                self._notify(_events.SERVICE_PULLING, service=service.name, image=image)
                self._shared.run(image, lambda: self._pull(engine, image))
        except DriverError as error:
            # The work may have been another service's, the failure is this one's all the same.
            problem = error.problems[0]
            raise DriverError(Problem(service.name, problem.why, problem.remedy)) from error

    def _pull(self, engine: Engine, image: str) -> None:
        trouble = _pull_once(engine, image)
        for attempt in range(PULL_ATTEMPTS - 1):
            if trouble is None or not is_transient(trouble):
                break
            self._sleep(_FIRST_PAUSE * 2**attempt)
            trouble = _pull_once(engine, image)
        if trouble is not None:
            raise DriverError(pull_problem(image, trouble))


def _bare(image: str) -> str:
    """Return the id of an image without the name of its hash, which Podman leaves out in places."""
    return image.removeprefix("sha256:")


def is_transient(text: str) -> bool:
    """Whether a failed pull may succeed when it is tried again."""
    return _TRANSIENT.search(text) is not None and _DENIED.search(text) is None


def pull_problem(image: str, text: str) -> Problem:
    """Return what a registry's or an engine's refusal means.

    :param text: its own words.
    """
    if _NO_HOST.search(text):
        remedy = "Connect this machine to the network, load the image by hand, or name a mirror in docker.image."
        return Problem(image, f"the image {image} cannot be pulled: its registry's name is not known here", remedy)
    if _DENIED.search(text):
        remedy = "Log in to the registry (docker login), or correct docker.image."
        return Problem(image, f"the image {image} cannot be pulled: the registry denies it", remedy)
    if _MISSING.search(text):
        return Problem(image, f"there is no image {image}", "Correct docker.image, or build it under that name.")
    attempts = f" after {PULL_ATTEMPTS} attempts" if is_transient(text) else ""
    remedy = "See whether its registry can be reached from here, then try again."
    return Problem(image, f"the image {image} cannot be pulled{attempts}: {text.strip()}", remedy)


def check_build(docker: DockerDeployment, service: str) -> list[Problem]:
    """Return what is missing to build a service's image."""
    if docker.build is None:
        return []
    folder = Path(docker.build.context)
    if not folder.is_dir():
        remedy = f"Create it, or correct docker.build.context of {service}."
        return [Problem(service, f"the folder {folder} to build its image from does not exist", remedy)]
    if not (folder / docker.build.containerfile).is_file():
        remedy = f"Create it, or correct docker.build.containerfile of {service}."
        return [Problem(service, f"{folder / docker.build.containerfile} does not exist", remedy)]
    return []


def _pull_once(engine: Engine, image: str) -> str | None:
    """Pull an image; return the words of the failure, if it is one."""
    try:
        with engine_errors(image):
            return _failure(engine.api.pull(image, stream=True, decode=True))
    except EngineError as error:
        return error.text


def _failure(progress: Iterable[Mapping[str, Any]]) -> str | None:
    trouble = None
    for line in progress:
        trouble = line.get("error") or trouble
    return trouble


def _build(engine: Engine, image: str, spec: BuildSpec) -> None:
    arguments = {name: text_of(value) for name, value in spec.args.items()}
    lines: deque[str] = deque(maxlen=_BUILD_LINES)
    trouble = None
    try:
        with engine_errors(image):
            progress = engine.api.build(
                path=spec.context,
                dockerfile=spec.containerfile,
                tag=image,
                buildargs=arguments,
                target=spec.target or "",
                rm=True,
                forcerm=True,
                decode=True,
            )
            for line in progress:
                lines.extend(text for text in line.get("stream", "").splitlines() if text.strip())
                trouble = line.get("error") or trouble
    except EngineError as error:
        trouble = error.text
    except OSError as error:  # a file of the context cannot be read
        trouble = str(error)
    if trouble is not None:
        raise DriverError(_build_problem(image, spec, trouble, lines))


def _build_problem(image: str, spec: BuildSpec, trouble: str, lines: Iterable[str]) -> Problem:
    said = " / ".join(lines)
    why = f"building the image {image} failed: {trouble.strip()}" + (f"; last lines: {said}" if said else "")
    return Problem(image, why, f"Correct {Path(spec.context) / spec.containerfile}.")


class _Shared:
    """Work that several threads want done is done by the first; the others wait and share how it ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}

    def run(self, key: str, work: Callable[[], None]) -> None:
        with self._lock:
            future = self._running.get(key)
            if future is None:
                mine = self._running[key] = Future()
        if future is not None:
            future.result()
            return
        try:
            work()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(None)
        finally:
            with self._lock:
                del self._running[key]
