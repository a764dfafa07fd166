# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP server: the view of the platform as tools for AI assistants, all of them for reading only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from ansible_collections.provisioning.platform.plugins.module_utils._errors import ProvisioningError
from mcp import Client
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent, ToolAnnotations
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .._version import version
from ..guard import Guard
from ..options import Options
from ..platform_view import PlatformView, ServiceView, draw, find, in_words
from ..sources import Observer, Source
from .common import Service

_INSTRUCTIONS = (
    "These tools look at an installation of the provisioning platform. Begin with platform_status; its verdict and"
    " summary say what is wrong. They change nothing: services are started and stopped with the provisioning command."
)
_READS_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_READY_WITHIN = 10.0


def application(options: Options, source: Source | None = None) -> Guard:
    """Make the application.

    :param options: how it is to run.
    :param source: what it looks at; by default what the options say.
    """
    service = Service(options, source)
    server = tools(service.observer)
    # Nothing is kept between calls, so there are no sessions to leak; the guard has looked at Host and Origin already.
    app = server.streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    app.router.routes.extend([*service.routes(), Route("/ready", _readiness(server))])
    return service.guarded(app)


def tools(observer: Observer) -> MCPServer[None]:
    """Make the MCP server with its tools.

    :param observer: where it gets the view of the platform.
    """
    server: MCPServer[None] = MCPServer(
        "provisioning",
        title="Provisioning platform",
        instructions=_INSTRUCTIONS,
        version=version(),
        log_level="WARNING",
    )

    async def view() -> PlatformView:
        try:
            return await observer.view()
        except (ProvisioningError, OSError) as error:
            raise ToolError(str(error)) from error

    @server.tool(title="List the services", annotations=_READS_ONLY)
    async def list_services() -> list[dict[str, str | bool | None]]:
        """List all services of the platform, in the order in which they start, each with its state and address."""
        return [
            {
                "name": service.name,
                "description": service.description,
                "state": in_words(service),
                "required": service.required,
                "mode": service.mode,
                "address": service.address,
            }
            for service in (await view()).services
        ]

    @server.tool(title="Status of one service", annotations=_READS_ONLY)
    async def service_status(name: str) -> ServiceView:
        """Tell all about one service: status, health and its reason, address, restarts, last error, what it needs."""
        services = (await view()).services
        try:
            return find(services, name)
        except ProvisioningError as error:
            raise ToolError(str(error)) from error

    @server.tool(title="Status of the platform", annotations=_READS_ONLY)
    async def platform_status() -> PlatformView:
        """Tell whether the platform is healthy, starting, degraded or failing, why, and the status of each service."""
        return await view()

    @server.tool(title="Dependency graph", annotations=_READS_ONLY)
    async def dependency_graph(format: Literal["text", "mermaid", "dot"] = "text") -> str:  # noqa: A002 - for its users
        """Draw what depends on what: as an indented tree, or in the language of Mermaid or Graphviz."""
        services = (await view()).services
        try:
            return draw(services, format)
        except ProvisioningError as error:
            raise ToolError(str(error)) from error

    return server


def _readiness(server: MCPServer[None]) -> Callable[[Request], Awaitable[Response]]:
    """Make the handler that tells whether the tools can be used, by listing and using one as a client does."""

    async def ready(_request: Request) -> Response:
        try:
            async with asyncio.timeout(_READY_WITHIN), Client(server) as client:
                names = [tool.name for tool in (await client.list_tools()).tools]
                result = await client.call_tool("list_services")
        except (MCPError, TimeoutError) as error:
            return JSONResponse({"status": "failing", "reason": str(error) or "no answer in time"}, status_code=503)
        if result.is_error:
            said = " ".join(part.text for part in result.content if isinstance(part, TextContent))
            return JSONResponse({"status": "failing", "reason": said}, status_code=503)
        return JSONResponse({"status": "ready", "tools": names})

    return ready
