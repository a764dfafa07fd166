# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.formats.slack import mrkdwn, slack
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import NotificationPayload

from tests.fixtures.message_rules import slack_faults

from .conftest import PAYLOADS, PLATFORM, PROBLEM, payload


def texts(told: NotificationPayload) -> list[str]:
    """Return what is read from top to bottom."""
    blocks: list[dict[str, Any]] = slack(told, PLATFORM).body["blocks"]
    return [text["text"] for block in blocks for text in block.get("elements", [block.get("text")])]


@pytest.mark.parametrize("told", PAYLOADS, ids=lambda told: told.event)
@pytest.mark.parametrize("platform", [PLATFORM, "", "p" * 5000])
def test_every_message_keeps_to_the_limits_of_slack(told, platform):
    body = slack(told, platform).body
    assert slack_faults(body) == []
    json.dumps(body, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            payload("started", mode="Solo", platform="Docker", controller="box"),
            ["Installation has begun", "Solo on Docker from box"],
        ),
        (payload("progress", step="deploy-docker"), ["*57 %: deploy-docker has begun*"]),
        (
            payload("progress", service="gitea", status="failed", error="no image", remedy="Pull it."),
            ["*57 %: gitea: failed*", "no image\n*Remedy:* Pull it."],
        ),
        (payload("step_completed", duration_ms=1234), ["*57 %: deploy-docker is done after 1.2 s (4 of 7 steps)*"]),
        (
            payload("completed", services={"a": {}}, changed=2, duration_ms=900),
            ["Installed", "1 service, 2 changes, 0.9 s"],
        ),
        (
            payload(
                "completed",
                degraded=True,
                services={"a": {"status": "healthy"}, "b": {"status": "skipped", "reason": "no engine"}},
            ),
            ["Installed, but some services are missing", "2 services, 0 changes", "*b*: no engine"],
        ),
        (
            payload("failed", "gitea: all of it", problems=[PROBLEM]),
            ["Installation failed", "*gitea*: port 3000 is taken by node\n*Remedy:* Stop it."],
        ),
        (payload("failed", "no disk", problems=[]), ["Installation failed", "no disk"]),
        (
            payload("failed", "cancelled", kind="cancelled", left_running=["web", "git"]),
            ["Installation was cancelled", "cancelled", "Still running: web, git"],
        ),
    ],
)
def test_a_message_says_what_is_the_matter_and_where(told, words):
    assert texts(told) == [*words, f"{PLATFORM} | solo-1 | step deploy-docker"]


def test_the_text_for_a_phone_is_the_headline_and_what_comes_first():
    body = slack(payload("failed", "all of it", problems=[PROBLEM]), PLATFORM).body
    assert body["text"].startswith("Installation failed: *gitea*: port 3000 is taken by node")


def test_what_does_not_fit_is_counted():
    problems = [{**PROBLEM, "what": f"s{number}"} for number in range(60)]
    read = texts(payload("failed", "all of it", problems=problems))
    assert read[40].startswith("*s39*")
    assert read[41] == "... and 20 more."


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("a & b", "a &amp; b"),
        ("<https://evil.example|ok>", "&lt;https://evil.example|ok&gt;"),
    ],
)
def test_error_messages_mention_nobody_and_link_nowhere(text, escaped):
    assert mrkdwn(text) == escaped
