# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the three applications have in common: ``/health``, ``/metrics``, and errors as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .. import metrics
from .._version import version
from ..guard import Guard
from ..options import Options
from ..platform_view import UnknownService
from ..sources import Observer, Source, source_for

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

Handler = Callable[["Request", Any], Coroutine[Any, Any, Response]]


class Service:
    """One of the platform's own services, as far as they are alike.

    :param options: how it is to run.
    :param source: what it looks at; by default what the options say.
    """

    def __init__(self, options: Options, source: Source | None = None) -> None:
        self._name = options.service
        self._allowed_hosts = options.allowed_hosts
        #: Where it gets the view of the platform.
        self.observer = Observer(source or source_for(options))
        self._started_at = time.time()
        self._started = time.monotonic()
        self._answers: dict[int, int] = {}

    def routes(self) -> list[BaseRoute]:
        """Return the routes that every service has; they answer HEAD too."""
        return [Route("/health", self._health), Route("/metrics", self._metrics)]

    def guarded(self, app: ASGIApp) -> Guard:
        """Put the guard before the finished application."""
        guard = Guard(app, allowed_hosts=self._allowed_hosts)
        self._answers = guard.answers
        return guard

    async def _health(self, _request: Request) -> Response:
        """Say that it answers; the platform is not looked at, so that a sick neighbour does not make this one sick."""
        return JSONResponse(
            {
                "status": "healthy",
                "service": self._name,
                "version": version(),
                "uptime_seconds": round(time.monotonic() - self._started, 3),
            }
        )

    async def _metrics(self, _request: Request) -> Response:
        try:
            view = await self.observer.view()
        except (ProvisioningError, OSError):
            view = None
        text = metrics.exposition(
            service=self._name,
            version=version(),
            started_at=self._started_at,
            answers=self._answers,
            view=view,
        )
        return Response(text, headers={"content-type": metrics.CONTENT_TYPE})


async def _error_response(_request: Request, error: Exception) -> Response:
    """Answer an error of the engine, or of the system below it, in its own words."""
    return JSONResponse({"error": str(error)}, status_code=404 if isinstance(error, UnknownService) else 503)


EXCEPTION_HANDLERS: dict[int | type[Exception], Handler] = {
    ProvisioningError: _error_response,
    OSError: _error_response,
}
