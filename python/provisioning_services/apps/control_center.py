# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control center: a web page that shows the platform and keeps itself up to date."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ..guard import Guard
from ..options import Options
from ..platform_view import PlatformView, unknown_view
from ..sources import Observer, Source
from . import page
from .common import EXCEPTION_HANDLERS, Service

_ASSETS = {
    "control-center.css": "text/css; charset=utf-8",
    "control-center.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def application(options: Options, source: Source | None = None) -> Guard:
    """Make the application.

    :param options: how it is to run.
    :param source: what it looks at; by default the orchestrator, or the work dir, that the options name.
    """
    service = Service(options, source)
    shown = Shown(service.observer)

    async def whole_page(_request: Request) -> Response:
        return _html(page.page(await shown.view()))

    async def changing_parts(_request: Request) -> Response:
        return _html(page.fragment(await shown.view()))

    async def platform(_request: Request) -> Response:
        return JSONResponse(dataclasses.asdict(await service.observer.view()))

    app = Starlette(
        routes=[
            *service.routes(),
            Route("/", whole_page),
            Route("/api/view", changing_parts),
            Route("/api/platform", platform),
            *(Route(f"/assets/{name}", _asset(name, kind)) for name, kind in _ASSETS.items()),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
    )
    return service.guarded(app)


class Shown:
    """What the page shows: the platform, or what was last seen of it and why there is nothing newer.

    :param observer: where it gets the view of the platform.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._last: PlatformView | None = None

    async def view(self) -> PlatformView:
        """Return what there is to show; what keeps it from being newer is in its notice."""
        try:
            self._last = await self._observer.view()
        except (ProvisioningError, OSError) as error:
            if self._last is None:
                return unknown_view(observed_at=time.time(), source="nothing yet", notice=str(error))
            return dataclasses.replace(self._last, notice=f"{error} Shown is what was last seen.")
        return self._last


def _html(text: str) -> Response:
    return HTMLResponse(text, headers={"content-security-policy": _POLICY})


def _asset(name: str, kind: str) -> Callable[[Request], Response]:
    """Make the handler of a file that belongs to the page; a browser asks each time whether its copy is still good."""
    content = (Path(__file__).parent / "assets" / name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"cache-control": "no-cache", "etag": tag}

    def asset(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return asset
