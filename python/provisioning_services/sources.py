# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the view of the platform comes from: the engine on this host, or the orchestrator over HTTP.

A source blocks and may be slow; :class:`Observer` asks it in a thread, once for all who want to know at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    DriverError,
    Problem,
    ProvisioningError,
)

from .options import Options
from .platform_view import PlatformView, ServiceView, platform_view, unknown_view

_LARGEST_ANSWER = 16 * 1024 * 1024
_UNEXPECTED = DriverError(
    Problem("platform", "looking at it failed in an unexpected way", "The log of this service has the details.")
)


class Source(Protocol):
    """Something that can be asked what the platform is like."""

    def fetch(self) -> PlatformView:
        """Return the platform as it is now; may block for seconds.

        :raises ProvisioningError: it cannot be found out.
        """


def source_for(options: Options) -> Source:
    """Return the source that the options ask for."""
    if options.platform_file is not None:
        from .probes import ProbeSource

        return ProbeSource(options.platform_file)
    engine = EngineSource(options.work_dir)
    return OrchestratorSource(options.orchestrator_url, engine) if options.orchestrator_url else engine


class EngineSource:
    """The engine, which asks the kernel, the container engine or the API.

    :param work_dir: work dir of the installation.
    """

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir

    def fetch(self) -> PlatformView:
        """Look at every service that the work dir knows, and check its health.

        :raises ProvisioningError: a file of the work dir is damaged, or an engine does not answer.
        """
        from ansible_collections.provisioning.platform.plugins.module_utils._manager import Manager

        manager = Manager.open(self._work_dir)
        return platform_view(
            manager.services(), manager.status(), observed_at=time.time(), source=f"the engine, in {self._work_dir}"
        )


class OrchestratorSource:
    """The orchestrator; while it does not answer, what can be known without it, and a notice that says so.

    :param url: its base URL.
    :param engine: asked while the orchestrator does not answer: on its own host it can tell why.
    :param timeout: seconds to wait for the orchestrator.
    """

    def __init__(self, url: str, engine: Source, *, timeout: float = 5.0) -> None:
        self._url = url
        self._engine = engine
        self._timeout = timeout
        self._last: PlatformView | None = None

    def fetch(self) -> PlatformView:
        """Ask the orchestrator, or do without it."""
        try:
            view = ask_orchestrator(self._url, timeout=self._timeout)
        except DriverError as error:
            return self._without_it(str(error))
        self._last = view
        return view

    def _without_it(self, notice: str) -> PlatformView:
        with contextlib.suppress(ProvisioningError, OSError):
            local = self._engine.fetch()
            if local.services:
                return dataclasses.replace(local, notice=f"{notice} Shown is what this host sees by itself.")
        if self._last is not None:
            return dataclasses.replace(self._last, notice=f"{notice} Shown is what it said last.")
        return unknown_view(observed_at=time.time(), source=f"the orchestrator at {self._url}", notice=notice)


def ask_orchestrator(url: str, *, timeout: float) -> PlatformView:
    """Return what the orchestrator says about the platform.

    :param url: its base URL.
    :param timeout: seconds to wait for a connection, and for each part of the answer.
    :raises DriverError: it does not answer, or not as an orchestrator does.
    """
    document = _get_json(url, "/api/v1/status", timeout)
    found = document.pop("services", None)
    try:
        view = build(PlatformView, {**_known(PlatformView, document), "services": []})
        services = [build(ServiceView, _known(ServiceView, service)) for service in _listed(found)]
    except ProvisioningError as error:
        raise _unusable(url, f"its answer is not the status of a platform: {error}") from error
    return dataclasses.replace(view, services=services, source=f"the orchestrator at {url}")


def _get_json(url: str, path: str, timeout: float) -> dict[str, Any]:
    from http import client

    parts = urlsplit(url)
    assert parts.hostname is not None
    kind = client.HTTPSConnection if parts.scheme == "https" else client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path + path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(_LARGEST_ANSWER)
    except TimeoutError as error:
        raise _unusable(url, f"it does not answer within {timeout:g} s") from error
    except (OSError, client.HTTPException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise _unusable(url, f"it cannot be reached: {reason or type(error).__name__}") from error
    finally:
        connection.close()
    try:
        document = json.loads(body)
    except ValueError as error:
        raise _unusable(url, f"it answers {response.status} and no JSON") from error
    if response.status != 200 or not isinstance(document, dict):
        said = document.get("error") if isinstance(document, dict) else None
        raise _unusable(url, f"it answers {response.status}: {said or response.reason}")
    return document


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigurationError(Problem("services", "is not a list"))
    return value


def _known(cls: type, document: Any) -> Any:
    """Leave out what a newer orchestrator says and this program does not know yet."""
    if not isinstance(document, dict):
        return document
    names = {spec.name for spec in dataclasses.fields(cls)}
    return {key: value for key, value in document.items() if key in names}


def _unusable(url: str, why: str) -> DriverError:
    remedy = "Start it, or read its log: services/logs/orchestrator.log in its work dir."
    return DriverError(Problem(f"The orchestrator at {url}", why, remedy))


class Observer:
    """Asks a source for many: a view is kept for a moment, and there is never more than one question under way.

    For one event loop. The threads are daemons, so that a source that hangs cannot keep the program from ending.

    :param max_age: seconds for which a view is good.
    :param patience: seconds that who asks will wait.
    :param clock: monotonic, in seconds.
    """

    def __init__(
        self,
        source: Source,
        *,
        max_age: float = 1.0,
        patience: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._max_age = max_age
        self._patience = patience
        self._clock = clock
        self._view: PlatformView | None = None
        self._taken_at = 0.0
        self._pending: asyncio.Future[PlatformView] | None = None

    async def view(self) -> PlatformView:
        """Return the platform as it was at most ``max_age`` seconds ago.

        :raises ProvisioningError: it cannot be found out, or not in time.
        """
        if self._view is not None and self._clock() - self._taken_at < self._max_age:
            return self._view
        if self._pending is None:
            self._pending = self._begin()
        try:
            return await asyncio.wait_for(asyncio.shield(self._pending), self._patience)
        except TimeoutError:
            why = f"looking at it takes longer than {self._patience:g} s"
            remedy = "See whether the container engine answers (docker info), then try again."
            raise DriverError(Problem("platform", why, remedy)) from None

    def _begin(self) -> asyncio.Future[PlatformView]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[PlatformView] = loop.create_future()

        def deliver(outcome: PlatformView | Exception) -> None:
            self._pending = None
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
                future.exception()  # taken note of, also when all who waited have gone
            else:
                self._view, self._taken_at = outcome, self._clock()
                future.set_result(outcome)

        def observe() -> None:
            # What stays so when the source has a fault; the thread's traceback goes to the log.
            outcome: PlatformView | Exception = _UNEXPECTED
            try:
                outcome = self._source.fetch()
            except (ProvisioningError, OSError) as error:
                outcome = error
            finally:
                with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                    loop.call_soon_threadsafe(deliver, outcome)

        threading.Thread(target=observe, name="observe", daemon=True).start()
        return future
