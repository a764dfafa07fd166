# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What receivers want to be told in: one function for each format, from a payload to a message or to none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import NotificationFormat
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.generic import generic
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.message import Message
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.pagerduty import pagerduty
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.slack import slack
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import NotificationPayload

#: Makes of a payload, and the name of the platform that it is about, what is sent; nothing where it is not sent.
Format = Callable[[NotificationPayload, str], Message | None]

FORMATS: Mapping[NotificationFormat, Format] = {"generic": generic, "pagerduty": pagerduty, "slack": slack}

_FORMAT_OF_HOST: Mapping[str, NotificationFormat] = {
    "events.eu.pagerduty.com": "pagerduty",
    "events.pagerduty.com": "pagerduty",
    "hooks.slack-gov.com": "slack",
    "hooks.slack.com": "slack",
}


def format_of(url: str) -> NotificationFormat:
    """Return the format that the host of a webhook is known to want; generic for any other."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return "generic"
    return _FORMAT_OF_HOST.get(host, "generic")
