# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
from provisioning_services.apps.page import fragment, graph_in_words, is_web_address, page, span, status_tone, tone
from provisioning_services.platform_view import unknown_view

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def test_the_page_shows_each_service_with_all_that_is_known_of_it(seen, view_of):
    view = view_of(
        seen(
            "web",
            {"db": "started"},
            document={"description": "The shop", "required": False},
            address="http://127.0.0.1:80",
            id="4711",
            since=1_000_000.0 - 3700,
            reason="port changed",
            restarts=2,
            health_duration_ms=1.26,
        ),
        seen("db", status="failed", health="unknown", last_error="no space left", detail="exited with code 3"),
    )

    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(view)))

    for said in (
        "The shop",
        "running",
        "healthy 1.3 ms",
        "127.0.0.1:80",
        "binary pid 4711",
        "1 h 1 min",
        "port changed",
    ):
        assert said in text
    for said in ("restarted 2 times", "exited with code 3", "no space left", "Failing", "not up (required): db"):
        assert said in text
    assert "web needs db." in text
    assert 'href="http://127.0.0.1:80"' in page(view)


def test_whatever_a_service_says_of_itself_is_escaped(seen, view_of):
    view = view_of(
        seen(
            "web",
            document={"description": EVIL},
            address=f"javascript:{EVIL}",
            id=EVIL,
            reason=EVIL,
            status="failed",
            health="unhealthy",
            health_reason=EVIL,
            last_error=EVIL,
            detail=EVIL,
        )
    )

    html = page(view)

    assert html.count("<script") == 1  # the page's own
    assert "<img src=x" not in html
    assert 'href="javascript:' not in html
    assert "&lt;script&gt;" in html


def test_the_page_works_under_its_strict_policy(seen, view_of):
    html = page(view_of(seen("a"), seen("b", {"a": "healthy"}, status="starting", health="unknown")))

    assert not re.search(r"\son\w+=|\sstyle=|<style|https?://(?!127\.)", html)
    assert re.findall(r'(?:src|href)="([^"]+)"', html.split("<main")[0]) == [
        "assets/icon.svg",
        "assets/control-center.css",
        "assets/control-center.js",
        "#services",
        "assets/icon.svg",
    ]


def test_a_platform_of_which_nothing_is_known_says_why():
    html = page(unknown_view(observed_at=0.0, source="nowhere", notice="The orchestrator is away."))

    assert ">Unknown</h1>" in html
    assert "The orchestrator is away." in html
    assert "provisioning-run" not in html


def test_an_empty_platform_tells_what_to_do(view_of):
    html = page(view_of())

    assert "No services are installed." in html
    assert "provisioning-run --config" in html
    assert "Dependencies" not in html


def test_services_in_a_circle_are_listed_without_a_drawing(seen, view_of):
    html = page(view_of(seen("a", {"b": "healthy"}), seen("b", {"a": "healthy"})))

    assert "wait for each other in a circle" in html
    assert "<svg" not in html


def test_the_fragment_is_the_changing_part_of_the_page(seen, view_of):
    view = view_of(seen("a"))

    assert fragment(view) in page(view)
    assert "<html" not in fragment(view)


@pytest.mark.parametrize(
    ("status", "document", "of_status", "on_the_whole"),
    [
        ({}, {}, "good", "good"),
        ({"health": "unhealthy"}, {}, "good", "bad"),
        ({"status": "starting", "health": "unknown"}, {}, "busy", "busy"),
        ({"status": "failed", "health": "unknown"}, {"required": False}, "bad", "bad"),
        ({"status": "absent", "health": "unknown"}, {}, "bad", "bad"),
        ({"status": "absent", "health": "unknown"}, {"required": False}, "idle", "idle"),
        ({"status": "unknown", "health": "unknown"}, {}, "idle", "idle"),
    ],
)
def test_colours_follow_from_status_health_and_need(status, document, of_status, on_the_whole, seen, view_of):
    service = view_of(seen("a", document=document, **status)).services[0]

    assert (status_tone(service), tone(service)) == (of_status, on_the_whole)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"), (90061, "1 d 1 h")],
)
def test_a_time_span_is_said_in_its_largest_units(seconds, said):
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("http://a", True),
        ("https://a", True),
        ("javascript:x", False),
        ("127.0.0.1:53", False),
        ("", False),
        (None, False),
    ],
)
def test_only_web_addresses_become_links(address, is_link):
    assert is_web_address(address) is is_link


def test_a_platform_without_dependencies_is_described_as_such(seen, view_of):
    assert graph_in_words(view_of(seen("a")).services) == "No service needs another."
