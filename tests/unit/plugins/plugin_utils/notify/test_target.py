# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import NotificationConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import NotificationPayload
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import Address, WebhookTarget, redact


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://hooks.example.com/a/b?c=d", ("https", "hooks.example.com", 443, "/a/b?c=d")),
        ("https://hooks.example.com", ("https", "hooks.example.com", 443, "/")),
        ("https://hooks.example.com:8443/x#frag", ("https", "hooks.example.com", 8443, "/x")),
        ("http://127.0.0.1:9000/x", ("http", "127.0.0.1", 9000, "/x")),
        ("http://localhost/x", ("http", "localhost", 80, "/x")),
        ("http://[::1]:9000/x", ("http", "::1", 9000, "/x")),
    ],
)
def test_an_https_or_loopback_url_is_accepted(url, address):
    found = Address.of(url)
    assert (found.scheme, found.host, found.port, found.path) == address


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/s3cret",
        "http://127.0.0.1.example.com/s3cret",
        "http://10.0.0.1/s3cret",
        "ftp://hooks.example.com/s3cret",
        "https:///s3cret",
        "https://hooks.example.com:s3cret/",
        "https://hooks.example.com/s3cret\r\nX: y",
        "https://hooks.example.com/s3cret x",
        "https://[s3cret/",
        "s3cret",
        "",
    ],
)
def test_any_other_url_is_refused_without_being_shown(url):
    with pytest.raises(ConfigurationError) as caught:
        Address.of(url)
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).startswith("notifications.webhook_url: ")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@hooks.example.com/services/T0/B0?k=v", "https://hooks.example.com/***"),
        ("http://[::1]:9000/x", "http://[::1]:9000/***"),
        ("nonsense", "***"),
    ],
)
def test_of_a_url_only_scheme_and_host_are_shown(url, shown):
    assert redact(url) == shown


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"headers": {"X-Key": "s3cret\r\nX-Evil: 1"}}, "notifications.headers.X-Key"),
        ({"headers": {"X-Key": "s3cret ☃"}}, "notifications.headers.X-Key"),
        ({"headers": {"X Key": "s3cret"}}, "notifications.headers.X Key"),
        ({"retry_attempts": -1}, "notifications.retry_attempts"),
        ({"timeout": 0.0}, "notifications.timeout"),
        ({"timeout": float("nan")}, "notifications.timeout"),
    ],
)
def test_a_target_that_cannot_work_is_refused_without_showing_secrets(settings, what):
    with pytest.raises(ConfigurationError) as caught:
        WebhookTarget("https://hooks.example.com/", **settings).check()
    assert [problem.what for problem in caught.value.problems] == [what]
    assert "s3cret" not in str(caught.value)


def test_a_target_printed_by_accident_shows_no_secret():
    target = WebhookTarget("https://hooks.example.com/s3cret", {"Authorization": "Bearer s3cret"})
    assert "s3cret" not in repr(target)
    assert "s3cret" not in repr(Address.of("https://u:s3cret@hooks.example.com/s3cret"))


def test_a_target_goes_through_a_pipe_and_back():
    target = WebhookTarget("https://h.example/", {"A": "b"}, notify_progress=False, retry_attempts=1, timeout=2.0)
    assert WebhookTarget.from_dict(target.to_dict()) == target


@pytest.mark.parametrize(
    ("switch", "silenced"),
    [
        ("notify_progress", {"started", "progress", "step_completed"}),
        ("notify_completion", {"completed"}),
        ("notify_failure", {"failed"}),
    ],
)
def test_each_switch_silences_its_events(switch, silenced):
    target = WebhookTarget("https://h.example/", **{switch: False})
    events = ("started", "progress", "step_completed", "completed", "failed")
    unwanted = {event for event in events if not target.wants(NotificationPayload(event, "i", 0, None, 0, 0, 7))}
    assert unwanted == silenced


def test_a_configuration_names_one_receiver_or_nobody():
    named = WebhookTarget.of(NotificationConfig(webhook_url="https://hooks.example.com/", retry_attempts=7))
    assert named == WebhookTarget("https://hooks.example.com/", retry_attempts=7)
    assert WebhookTarget.of(NotificationConfig()) is None
    assert WebhookTarget.of(None) is None


@pytest.mark.parametrize("port", ["0", "70000", "x"])
def test_what_is_no_port_is_told_with_the_range(port):
    with pytest.raises(ConfigurationError, match="something else than a port after its host"):
        Address.of(f"https://hooks.example.com:{port}/s3cret")


PAGERDUTY = {"url": "https://events.pagerduty.com/v2/enqueue", "format": "pagerduty", "routing_key": "s3cret"}


@pytest.mark.parametrize(
    ("changes", "what", "why"),
    [
        ({"routing_key": None}, "routing_key", "is missing"),
        ({"routing_key": ""}, "routing_key", "is missing"),
        ({"routing_key": "s3cret key"}, "routing_key", "has characters that no key has"),
        ({"url": "https://events.pagerduty.com/integration/s3cret/enqueue"}, "webhook_url", "does not end with"),
        ({"format": "slack"}, "routing_key", "is for PagerDuty"),
    ],
)
def test_what_pagerduty_would_refuse_is_told_before_without_showing_secrets(changes, what, why):
    with pytest.raises(ConfigurationError, match=why) as caught:
        WebhookTarget(**{**PAGERDUTY, **changes}).check()
    assert [problem.what for problem in caught.value.problems] == [f"notifications.{what}"]
    assert "s3cret" not in str(caught.value)


def test_the_routing_key_is_in_the_bytes_that_are_sent_and_nowhere_else():
    target = WebhookTarget(**PAGERDUTY, platform="p@h:/w")
    message = target.message(NotificationPayload("failed", "i", 0, None, 0, 0, 7, "no disk"))
    assert message is not None
    assert "s3cret" not in repr(message) + repr(target)
    assert json.loads(target.bytes_of(message))["routing_key"] == "s3cret"
    assert json.loads(target.bytes_of(message))["dedup_key"] == "p@h:/w"
    assert WebhookTarget.from_dict(json.loads(json.dumps(target.to_dict()))) == target


@pytest.mark.parametrize(
    ("event", "path"), [("started", "/v2/change/enqueue"), ("failed", "/v2/enqueue"), ("completed", "/v2/enqueue")]
)
def test_change_events_go_to_an_address_of_their_own(event, path):
    target = WebhookTarget(**PAGERDUTY)
    message = target.message(NotificationPayload(event, "i", 0, None, 0, 0, 7))
    assert message is not None
    assert target.path_of(message) == path


@pytest.mark.parametrize("name", ["generic", "slack"])
def test_no_secret_of_the_target_is_in_a_body_of_another_format(name):
    target = WebhookTarget("https://h.example/s3cret", {"Authorization": "Bearer s3cret"}, format=name)
    message = target.message(NotificationPayload("failed", "i", 0, None, 0, 0, 7, "no disk"))
    assert message is not None
    assert b"s3cret" not in target.bytes_of(message)


def test_text_that_is_no_unicode_can_still_be_sent():
    target = WebhookTarget("https://h.example/")
    message = target.message(NotificationPayload("failed", "i", 0, None, 0, 0, 7, "caf\udce9"))
    assert message is not None
    assert json.loads(target.bytes_of(message))["error"] == "caf\udce9"


def test_the_format_is_the_one_configured_or_the_one_of_the_host():
    slack = NotificationConfig(webhook_url="https://hooks.slack.com/services/x")
    relay = NotificationConfig(webhook_url="https://relay.example.com/", format="slack")
    generic = NotificationConfig(webhook_url="https://hooks.slack.com/services/x", format="generic")
    found = [WebhookTarget.of(config, platform="p@h:/w") for config in (slack, relay, generic)]
    assert [target and (target.format, target.platform) for target in found] == [
        ("slack", "p@h:/w"),
        ("slack", "p@h:/w"),
        ("generic", "p@h:/w"),
    ]
