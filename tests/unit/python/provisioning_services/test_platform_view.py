# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from provisioning_services.platform_view import (
    UnknownService,
    draw,
    find,
    graph_document,
    in_words,
    without_credentials,
)

OPTIONAL = {"required": False}


def test_services_come_in_the_order_in_which_they_start(seen, view_of):
    view = view_of(seen("web", {"api": "healthy"}), seen("api"), seen("first", document={"start_order": 1}))

    assert [service.name for service in view.services] == ["first", "api", "web"]


@pytest.mark.parametrize(
    ("services", "verdict", "summary"),
    [
        ([], "empty", "No services are installed."),
        ([("a", {}, {})], "healthy", "The one service is up."),
        ([("a", {}, {}), ("b", OPTIONAL, {"health": "unknown"})], "healthy", "All 2 services are up."),
        (
            [("a", {}, {}), ("b", OPTIONAL, {"status": "failed", "health": "unknown"})],
            "degraded",
            "1 of 2 services are up; not up (optional): b.",
        ),
        (
            [
                ("a", {}, {"health": "unhealthy"}),
                ("b", OPTIONAL, {"status": "absent"}),
                ("c", {}, {"status": "stopped"}),
            ],
            "failing",
            "0 of 3 services are up; not up (required): a and c.",
        ),
        (
            [("a", {}, {"status": "starting"}), ("b", {}, {})],
            "starting",
            "1 of 2 services are up; not up (required): a.",
        ),
        ([("a", {}, {"status": "unknown"})], "failing", "0 of 1 services are up; not up (required): a."),
    ],
)
def test_the_verdict_follows_from_what_is_required_and_is_said_in_a_sentence(services, verdict, summary, seen, view_of):
    view = view_of(*(seen(name, document=document, **status) for name, document, status in services))

    assert (view.verdict, view.summary) == (verdict, summary)


def test_a_job_that_others_wait_for_to_complete_is_well_once_it_has_ended(seen, view_of):
    view = view_of(seen("migrate", status="stopped", health="unknown"), seen("app", {"migrate": "completed"}))

    assert view.verdict == "healthy"
    assert in_words(find(view.services, "migrate")) == "completed"


def test_a_view_holds_nothing_of_a_definition_that_could_be_secret(seen, view_of):
    binary = {"command": "app", "args": ["--token=hunter2"], "env": {"TOKEN": "hunter2"}}
    document = {"deployment": {"mode": "binary", "binary": binary}, "variables": {"token": "hunter2"}}

    view = view_of(seen("app", document=document, address="http://me:hunter2@127.0.0.1:80/x"))

    assert "hunter2" not in repr(view)
    assert view.services[0].address == "http://127.0.0.1:80/x"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", None),
        (None, None),
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("https://user@host/a@b", "https://host/a@b"),
        ("http://[@", None),
    ],
)
def test_an_address_is_shown_without_user_and_password(address, shown):
    assert without_credentials(address) == shown


def test_an_unknown_service_is_an_error_that_names_those_there_are(seen, view_of):
    with pytest.raises(UnknownService, match=r"x: there is no such service\. Known services: a, b\."):
        find(view_of(seen("b"), seen("a")).services, "x")


def test_the_graph_is_drawn_in_three_languages_and_as_a_document(seen, view_of):
    services = view_of(seen("db"), seen("web", {"db": "started"})).services

    assert draw(services, "text") == "web\n└── db (started)"
    assert "-->|started|" in draw(services, "mermaid")
    assert '"web" -> "db" [label="started"];' in draw(services, "dot")
    assert graph_document(services)["edges"] == [{"from": "web", "to": "db", "condition": "started"}]


def test_services_that_wait_for_each_other_are_still_shown_but_not_drawn(seen, view_of):
    services = view_of(seen("b", {"a": "healthy"}), seen("a", {"b": "healthy"})).services

    assert [service.name for service in services] == ["a", "b"]
    with pytest.raises(ConfigurationError, match="a -> b -> a"):
        draw(services, "text")
