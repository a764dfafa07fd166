# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.settings import RunSettings

URL = "https://hooks.example.com/s3cret"


def settings(variables: dict[str, Any], **environ: str) -> RunSettings:
    return RunSettings(variables, environ, template=lambda value, variables: value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("written", "environ", "installation_id"),
    [
        ("ci-7", {}, "ci-7"),
        ("ci-${JOB}", {"JOB": "42"}, "ci-42"),
        ("ci-${JOB:-0}", {}, "ci-0"),
        ("../../etc/passwd", {}, "etc-passwd"),
        ("läb 1", {}, "l-b-1"),
    ],
)
def test_the_installation_is_called_as_configured_in_a_way_a_folder_can_be(written, environ, installation_id):
    assert settings({"installation_id": written}, **environ).installation_id("given") == installation_id


@pytest.mark.parametrize(
    "variables", [{}, {"installation_id": ""}, {"installation_id": "${NOT_SET}"}, {"installation_id": 7}]
)
def test_an_installation_without_a_name_gets_the_one_given_or_a_new_one(variables):
    found = settings({**variables, "deployment": {"mode": "MultiUser"}})
    assert found.installation_id("given") == "given"
    assert found.installation_id().startswith("multi-user-")
    assert settings(variables).installation_id().startswith("solo-")
    assert found.installation_id() != found.installation_id()


def test_platform_and_profile_are_as_configured_or_the_defaults():
    assert (settings({}).platform, settings({}).mode) == ("Docker", "Solo")
    found = settings({"deployment": {"platform": "${ENGINE}", "mode": "CICD"}}, ENGINE="Podman")
    assert (found.platform, found.mode) == ("Podman", "CICD")
    assert settings({"deployment": "nonsense"}).platform == "Docker"


def test_the_journal_is_in_the_work_dir(tmp_path):
    journal = settings({"work_dir": str(tmp_path / "work")}).journal("ci-7")
    assert journal.path == tmp_path / "work" / "installations" / "ci-7" / "events.jsonl"
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


def test_the_journal_is_at_home_when_no_work_dir_is_configured(home):
    assert settings({}).journal("ci-7").path == home / ".provisioning/installations/ci-7/events.jsonl"
    assert settings({"work_dir": "~/elsewhere"}).journal("ci-7").path.is_relative_to(home / "elsewhere")


def test_the_journal_is_at_home_when_the_controller_cannot_have_the_work_dir(home, tmp_path):
    (tmp_path / "file").touch()
    journal = settings({"work_dir": str(tmp_path / "file" / "work")}).journal("ci-7")
    assert journal.path.is_relative_to(home)


def test_the_target_is_read_with_its_placeholders_filled_and_its_defaults():
    written = {"webhook_url": "${HOOK}", "headers": {"Authorization": "Bearer ${TOKEN:-none}"}}
    target = settings({"notifications": written}, HOOK=URL).target()
    assert target is not None
    assert (target.url, target.headers) == (URL, {"Authorization": "Bearer none"})
    assert (target.notify_progress, target.retry_attempts, target.timeout) == (True, 3, 15.0)


def test_texts_from_the_environment_stand_for_booleans_and_numbers():
    written = {"webhook_url": URL, "notify_progress": "${TELL:-no}", "retry_attempts": "${TRIES:-5}", "timeout": "2.5"}
    target = settings({"notifications": written}).target()
    assert target is not None
    assert (target.notify_progress, target.retry_attempts, target.timeout) == (False, 5, 2.5)


@pytest.mark.parametrize(
    "written",
    [
        *({"notify_progress": value} for value in (True, False, 1, 0, "1", "0", "T", "f", "Y", "n", "on", "OFF")),
        *({"retry_attempts": value} for value in (2, 2.0, "2")),
        *({"timeout": value} for value in (2, 2.5, "2", "2.5")),
    ],
    ids=str,
)
def test_a_setting_means_what_it_means_to_the_first_step(tmp_path, written):
    document = {"notifications": {"webhook_url": URL, **written}}
    try:
        wanted = from_mapping(document, env={}, base_dir=tmp_path).notifications
    except ConfigurationError:
        wanted = None
    target = settings(document).target()
    ((name, _value),) = written.items()
    assert getattr(target, name, None) == getattr(wanted, name, None)


@pytest.mark.parametrize(
    "written",
    [
        None,
        "nonsense",
        {},
        {"webhook_url": None},
        {"webhook_url": ""},
        {"webhook_url": "${NOT_SET}"},
        {"webhook_url": URL, "unknown": 1},
        {"webhook_url": URL, "timeout": "soon"},
        {"webhook_url": 7},
    ],
)
def test_nobody_is_notified_when_nobody_is_named_or_not_properly(written):
    assert settings({"notifications": written}).target() is None


def test_templates_are_resolved_with_the_variables():
    found = RunSettings(
        {"notifications": "{{ hook }}", "hook": {"webhook_url": URL}},
        {},
        template=lambda value, variables: variables["hook"] if value == "{{ hook }}" else value,
    )
    target = found.target()
    assert target is not None
    assert target.url == URL


@pytest.mark.parametrize(
    "written",
    [
        {"webhook_url": "http://hooks.example.com/s3cret"},
        {"webhook_url": URL, "retry_attempts": -1},
        {"webhook_url": URL, "headers": {"X": "s3cret\n"}},
    ],
)
def test_a_target_to_which_nothing_can_be_sent_is_an_error_that_shows_no_secret(written):
    with pytest.raises(ConfigurationError) as caught:
        settings({"notifications": written}).target()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("mark", ["$", ":", "\n", "${NOWHERE}"])
def test_a_work_dir_that_the_first_step_will_refuse_is_not_made(home, tmp_path, mark):
    journal = settings({"work_dir": f"{tmp_path}/wo{mark}rk"}).journal("ci-7")
    assert journal.path.is_relative_to(home)
    assert [path for path in tmp_path.iterdir() if path != home] == []


def test_the_target_knows_the_platform_by_a_name_that_is_no_runs_own():
    variables = {
        "notifications": {"webhook_url": URL, "format": "pagerduty", "routing_key": "${KEY}"},
        "deployment": {"project": "team", "domain": "${DOMAIN:-localhost}"},
        "ansible_play_hosts_all": ["web2", "web1"],
    }
    written = {**variables, "notifications": {**variables["notifications"], "webhook_url": f"{URL}/v2/enqueue"}}
    target = settings(written, KEY="abc").target()
    assert target is not None
    assert (target.format, target.routing_key, target.platform) == (
        "pagerduty",
        "abc",
        "team@web1,web2:~/.provisioning",
    )
    target = settings({**written, "work_dir": "/srv/p"}, KEY="abc", DOMAIN="p.example.com").target()
    assert target is not None
    assert target.platform == "team@p.example.com:/srv/p"
