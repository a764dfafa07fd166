# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control center's page as HTML. All that comes from the platform is escaped by the templates."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .._version import version
from ..platform_view import PlatformView, ServiceView, in_words
from .graph_layout import BOX_HEIGHT, layout

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


def page(view: PlatformView) -> str:
    """Return the whole page."""
    return _environment().get_template("page.html").render(**_values(view))


def fragment(view: PlatformView) -> str:
    """Return the parts of the page that change, for the script to put in place."""
    return _environment().get_template("view.html").render(**_values(view))


def tone(service: ServiceView) -> str:
    """Return what kind of state a service is in on the whole, which decides the colour of its box."""
    return "bad" if service.health == "unhealthy" else status_tone(service)


def status_tone(service: ServiceView) -> str:
    """Return what kind of state its status is, which decides colour and sign; an optional one may well be absent."""
    if service.ok or service.status == "running":
        return "good"
    if service.status == "starting":
        return "busy"
    return "bad" if service.status == "failed" or (service.required and service.status != "unknown") else "idle"


def span(seconds: float) -> str:
    """Say how long something lasts in its largest unit, or its two largest."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def is_web_address(address: str | None) -> bool:
    """Whether an address may be a link; ``javascript:`` and the like may not."""
    return address is not None and address.startswith(("http://", "https://"))


def graph_in_words(services: Sequence[ServiceView]) -> str:
    """Say what needs what, for those who do not see the drawing."""
    facts = [f"{one.name} needs {', '.join(one.depends_on)}" for one in services if one.depends_on]
    return "; ".join(facts) + "." if facts else "No service needs another."


def moment(timestamp: float) -> datetime.datetime:
    """Return a unix time as a date in UTC."""
    return datetime.datetime.fromtimestamp(timestamp, datetime.UTC)


def _values(view: PlatformView) -> dict[str, object]:
    return {
        "view": view,
        "version": version(),
        "graph": layout(view.services),
        "graph_text": graph_in_words(view.services),
        "box_height": BOX_HEIGHT,
        "counts": {
            "up": sum(one.ok for one in view.services),
            "starting": sum(one.status == "starting" for one in view.services),
            "not up": sum(not one.ok and one.status != "starting" for one in view.services),
        },
    }


@cache
def _environment() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(in_words=in_words, moment=moment, span=span, status_tone=status_tone, tone=tone)
    environment.tests["web_address"] = is_web_address
    return environment
