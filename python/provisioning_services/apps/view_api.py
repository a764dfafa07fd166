# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform as a JSON API with its description (OpenAPI): the routes of the orchestrator and the API server."""

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


def view_api(options: Options, source: Source | None, *, title: str, summary: str) -> Guard:
    """Make an application that tells what the platform is like.

    :param options: how it is to run.
    :param source: what it looks at; by default what the options name.
    :param title: of the API's description; :param summary: what it is for, in a sentence.
    """
    service = Service(options, source)
    observer = service.observer
    # The pages that FastAPI makes of the description load their scripts from elsewhere; the description itself stays.
    app = FastAPI(
        title=title,
        summary=summary,
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
