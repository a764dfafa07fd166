# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where notifications go: the target, its address taken apart, and what may be said of it aloud.

The address and the headers of a webhook are secrets: nothing here shows more of them than scheme and host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.checks import PORTS, has_port, header_problems
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import NotificationConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import NotificationPayload
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_loopback

#: Seconds that one try may take at most.
LONGEST_TIMEOUT = 600.0
_BAD_IN_URL = re.compile(r"[\x00-\x20\x7f]")
_SWITCHES = {"completed": "notify_completion", "failed": "notify_failure"}


@dataclass(frozen=True)
class WebhookTarget:
    """One receiver of notifications.

    :param notify_progress: tell of the start, of progress and of completed steps.
    :param notify_completion: tell that the run has completed.
    :param notify_failure: tell that the run has failed or was cancelled.
    :param retry_attempts: how often a delivery that failed is tried again; 0 means one try.
    :param timeout: seconds one try may take.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    notify_progress: bool = True
    notify_completion: bool = True
    notify_failure: bool = True
    retry_attempts: int = 3
    timeout: float = 15.0

    @classmethod
    def of(cls, config: NotificationConfig | None) -> WebhookTarget | None:
        """Return the receiver that a configuration names, checked; nothing where it names none.

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
        try:
            Address.of(self.url)
        except ConfigurationError as error:
            problems[:0] = error.problems
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


def redact(url: str) -> str:
    """Return what may be shown of a URL: scheme and host."""
    try:
        return Address.of(url).name
    except ConfigurationError:
        return "***"


def _wrong_url(why: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Problem("notifications.webhook_url", why, remedy))
