# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where notifications go: the target, its address taken apart, and what may be said of it aloud.

The address and the headers of a webhook are secrets: nothing here shows more of them than scheme and host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import PORTS, has_port, header_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    NotificationConfig,
    NotificationFormat,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats import FORMATS, format_of
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import Message
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.pagerduty import PATH, change_path
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import NotificationPayload
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_loopback

#: Seconds that one try may take at most.
LONGEST_TIMEOUT = 600.0
_BAD_IN_URL = re.compile(r"[\x00-\x20\x7f]")
_ROUTING_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SWITCHES = {"completed": "notify_completion", "failed": "notify_failure"}


@dataclass(frozen=True)
class WebhookTarget:
    """One receiver of notifications.

    :param notify_progress: tell of the start, of progress and of completed steps.
    :param notify_completion: tell that the run has completed.
    :param notify_failure: tell that the run has failed or was cancelled.
    :param retry_attempts: how often a delivery that failed is tried again; 0 means one try.
    :param timeout: seconds one try may take.
    :param format: what the receiver wants to be told in.
    :param routing_key: PagerDuty's; a secret.
    :param platform: name of the platform, the same in all its runs.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    notify_progress: bool = True
    notify_completion: bool = True
    notify_failure: bool = True
    retry_attempts: int = 3
    timeout: float = 15.0
    format: NotificationFormat = "generic"
    routing_key: str | None = field(default=None, repr=False)
    platform: str = ""

    @classmethod
    def of(cls, config: NotificationConfig | None, *, platform: str = "") -> WebhookTarget | None:
        """Return the receiver that a configuration names, checked; nothing where it names none.

        :param platform: name of the platform, as :func:`identity.platform_name` gives it.
        :raises ConfigurationError: nothing could be sent there.
        """
        if config is None or not config.webhook_url:
            return None
        target = cls(
            url=config.webhook_url,
            headers=config.headers,
            notify_progress=config.notify_progress,
            notify_completion=config.notify_completion,
            notify_failure=config.notify_failure,
            retry_attempts=config.retry_attempts,
            timeout=config.timeout,
            format=config.format or format_of(config.webhook_url),
            routing_key=config.routing_key,
            platform=platform,
        )
        target.check()
        return target

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> WebhookTarget:
        """Build the target that :meth:`to_dict` wrote.

        :raises TypeError: it is not such a document.
        """
        return cls(**document)

    def to_dict(self) -> dict[str, Any]:
        """Return the target as JSON types, secrets included: for a pipe, never for a file, an argument or a log."""
        return {**asdict(self), "headers": dict(self.headers)}

    def wants(self, payload: NotificationPayload) -> bool:
        """Whether the receiver is to be told this."""
        return bool(getattr(self, _SWITCHES.get(payload.event, "notify_progress")))

    def message(self, payload: NotificationPayload) -> Message | None:
        """Return a payload in the receiver's format; nothing where it is not to be told, or cannot be."""
        return FORMATS[self.format](payload, self.platform) if self.wants(payload) else None

    def bytes_of(self, message: Message) -> bytes:
        """Return the exact bytes to send, the routing key among them."""
        key = {"routing_key": self.routing_key} if self.format == "pagerduty" else {}
        return json.dumps({**key, **message.body}, separators=(",", ":")).encode()

    def path_of(self, message: Message) -> str:
        """Return path and query of the request."""
        path = Address.of(self.url).path
        return change_path(path) if message.is_change else path

    def check(self) -> None:
        """Make sure that something could be sent there.

        :raises ConfigurationError: the address, a header or a number cannot be used; no secret is in the message.
        """
        problems = [*header_problems("notifications.headers", self.headers)]
        if self.retry_attempts < 0:
            problems.append(Problem("notifications.retry_attempts", "is negative", "0 means one try."))
        if not 0 < self.timeout <= LONGEST_TIMEOUT:
            why = f"{self.timeout:g} is not between 0 and {LONGEST_TIMEOUT:g} seconds"
            problems.append(Problem("notifications.timeout", why))
        problems[:0] = address_problems(self.url, self.format, self.routing_key)
        raise_if_any(problems, ConfigurationError)


@dataclass(frozen=True)
class Address:
    """A webhook's URL taken apart.

    :param path: path and query, as they go into the request.
    :param user: user and password of the URL, if it has any, as ``user:password``.
    """

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)
    user: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Address:
        """Take a URL apart.

        :raises ConfigurationError: it is no URL, or neither HTTPS nor on loopback.
        """
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            raise _wrong_url("is not a URL", "Write it as https://HOST/PATH.") from None
        if not has_port(url):
            raise _wrong_url("has something else than a port after its host", PORTS)
        port = parts.port
        if parts.scheme not in ("http", "https") or not host or _BAD_IN_URL.search(url) or not url.isascii():
            raise _wrong_url("is not an https URL", "Write it as https://HOST/PATH, special characters as %XX.")
        if parts.scheme == "http" and not is_loopback(host):
            raise _wrong_url(
                f"sends to {host} unencrypted", "Use https; plain http is accepted for this machine's loopback only."
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        user = None
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path, user)

    @property
    def name(self) -> str:
        """What may be shown of it."""
        default = 443 if self.scheme == "https" else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port == default else f':{self.port}'}/***"


def address_problems(url: str, name: NotificationFormat | None, routing_key: str | None) -> Iterator[Problem]:
    """Yield why nothing can be sent to an address; no secret is in it.

    :param name: the format; the one that the address is known to want when absent.
    """
    try:
        address = Address.of(url)
    except ConfigurationError as error:
        yield from error.problems
        return
    if (name or format_of(url)) != "pagerduty":
        if routing_key is not None:
            remedy = "Take it out, or set notifications.format to pagerduty."
            yield Problem("notifications.routing_key", "is for PagerDuty, which is not what is told", remedy)
        return
    if not address.path.partition("?")[0].endswith(PATH):
        remedy = f"E.g. https://events.pagerduty.com{PATH}; for an integration of another kind set format to generic."
        yield Problem("notifications.webhook_url", f"does not end with {PATH}, as PagerDuty's does", remedy)
    if not routing_key:
        remedy = "Set it to the key of an integration with Events API v2: ${PAGERDUTY_ROUTING_KEY}."
        yield Problem("notifications.routing_key", "is missing, and PagerDuty takes nothing without it", remedy)
    elif not _ROUTING_KEY.fullmatch(routing_key):
        yield Problem("notifications.routing_key", "has characters that no key has", "Use letters and digits.")


def redact(url: str) -> str:
    """Return what may be shown of a URL: scheme and host."""
    try:
        return Address.of(url).name
    except ConfigurationError:
        return "***"


def _wrong_url(why: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Problem("notifications.webhook_url", why, remedy))
