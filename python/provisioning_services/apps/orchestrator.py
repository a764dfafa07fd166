# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The orchestrator: a JSON API over the engine's view of the platform."""

from __future__ import annotations

from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from .._version import version
from ..guard import Guard
from ..options import Options
from ..platform_view import PlatformView, ServiceView, draw, find, graph_document
from ..sources import Source
from .common import EXCEPTION_HANDLERS, Service

_Format = Literal["json", "mermaid", "dot", "text"]


def application(options: Options, source: Source | None = None) -> Guard:
    """Make the application.

    :param options: how it is to run.
    :param source: what it looks at; by default the work dir that the options name.
    """
    service = Service(options, source)
    observer = service.observer
    # The pages that FastAPI makes of the description load their scripts from elsewhere; the description itself stays.
    app = FastAPI(
        title="Provisioning orchestrator",
        summary="A read view of the platform: its services, their status and their dependencies.",
        version=version(),
        docs_url=None,
        redoc_url=None,
        routes=service.routes(),
        exception_handlers={**EXCEPTION_HANDLERS, RequestValidationError: _bad_request},
    )

    @app.get("/api/v1/status", tags=["platform"])
    async def status() -> PlatformView:
        """The platform as a whole, and each of its services."""
        return await observer.view()

    @app.get("/api/v1/services", tags=["services"])
    async def services() -> list[ServiceView]:
        """All services, in the order in which they start."""
        return (await observer.view()).services

    @app.get("/api/v1/services/{name}", tags=["services"])
    async def one_service(name: str) -> ServiceView:
        """One service."""
        return find((await observer.view()).services, name)

    @app.get("/api/v1/graph", tags=["platform"], response_model=None)
    async def graph(format: _Format = "json") -> Response:  # noqa: A002 - the word in the URL
        """What depends on what, as JSON or drawn."""
        found = (await observer.view()).services
        if format == "json":
            return JSONResponse(graph_document(found))
        return PlainTextResponse(draw(found, format) + "\n")

    return service.guarded(app)


async def _bad_request(_request: Request, error: RequestValidationError) -> Response:
    faults = [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()]
    return JSONResponse({"error": "; ".join(faults)}, status_code=422)
