# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import asdict
from typing import get_args

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import NotificationFormat
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats import FORMATS, format_of

from .conftest import PAYLOADS


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", "slack"),
        ("https://HOOKS.slack.com:443/services/T0/B0/x", "slack"),
        ("https://hooks.slack-gov.com/services/T0/B0/x", "slack"),
        ("https://events.pagerduty.com/v2/enqueue", "pagerduty"),
        ("https://events.eu.pagerduty.com/v2/enqueue", "pagerduty"),
        ("https://hooks.slack.com.example.com/x", "generic"),
        ("https://example.com/hooks.slack.com", "generic"),
        ("https://[", "generic"),
        ("nonsense", "generic"),
    ],
)
def test_the_host_says_what_its_receiver_wants(url, name):
    assert format_of(url) == name


def test_every_format_that_can_be_chosen_is_there():
    assert FORMATS.keys() == set(get_args(NotificationFormat))


@pytest.mark.parametrize("told", PAYLOADS, ids=lambda told: told.event)
def test_the_generic_format_is_the_payload_itself(told):
    message = FORMATS["generic"](told, "anything")
    assert message is not None
    assert (message.body, message.is_change) == (asdict(told), False)
