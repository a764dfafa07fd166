# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._drivers import _helm_commands as commands
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._helm_commands import (
    Dialect,
    Mark,
    Revision,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._helm_manifest import masked_manifest
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

MARK = Mark("shop", "web", "d1")


def service(chart: dict[str, Any], **block: Any) -> ServiceDefinition:
    deployment = {"mode": "kubernetes", "kubernetes": {"chart": chart, **block}}
    return build(ServiceDefinition, {"name": "web", "deployment": deployment, "startup": {"timeout": 90.5}})


@pytest.mark.parametrize(
    ("version", "major"),
    [("v3.16.1", 3), ("v4.1.4\n", 4), ("4.0.0+g1", 4), ("v2.17.0", None), ("v5.0.0", None), ("", None), ("x", None)],
)
def test_versions_three_and_four_are_understood(version, major):
    dialect = commands.dialect_of(version)
    assert (dialect.major if dialect else None) == major


@pytest.mark.parametrize(("major", "flag"), [(3, "--atomic"), (4, "--rollback-on-failure")])
def test_an_upgrade_is_undone_when_it_fails_in_both_versions(major, flag):
    words = commands.upgrade(service({"chart": "/srv/web"}), MARK, Dialect(major))
    assert words == [
        *("upgrade", "web", "/srv/web", "--install", "--create-namespace", "--values", "-", "--wait"),
        *("--timeout", "91s", flag),
        *("--description", "provisioning: project shop, service web, digest d1"),
        *("--namespace", "provisioning"),
    ]


@pytest.mark.parametrize(
    ("chart", "words"),
    [
        ({"chart": "a", "repository": "https://c", "version": "1"}, ["a", "--repo", "https://c", "--version", "1"]),
        ({"chart": "oci://r/nginx", "plain_http": True}, ["oci://r/nginx", "--plain-http"]),
        ({"chart": "/srv/web", "release": "other"}, ["/srv/web"]),
    ],
)  # fmt: skip
def test_a_chart_is_named_by_path_repository_or_registry(chart, words):
    release = chart.get("release", "web")
    start = ["template", release, *words]
    assert commands.template(service(chart)) == [*start, "--values", "-", "--namespace", "provisioning"]


@pytest.mark.parametrize("command", [commands.history, commands.hooks, commands.manifest, commands.uninstall])
def test_every_command_goes_to_the_services_cluster(command):
    words = command(service({"chart": "/c"}, namespace="team", context="prod", kubeconfig="/k"))
    assert words[-6:] == ["--namespace", "team", "--kubeconfig", "/k", "--kube-context", "prod"]


@pytest.mark.parametrize(("major", "expected"), [(3, False), (4, True)])
def test_conflicts_are_forced_where_that_is_not_the_way_of_the_version_anyway(major, expected):
    words = commands.upgrade(service({"chart": "/c"}, force_conflicts=True), MARK, Dialect(major))
    assert ("--force-conflicts" in words) is expected
    assert "--force-conflicts" not in commands.upgrade(service({"chart": "/c"}), MARK, Dialect(major))


def test_no_value_is_in_an_argument():
    words = commands.upgrade(service({"chart": "/c", "values": {"password": "s3cret"}}), MARK, Dialect(4))
    assert "s3cret" not in " ".join(words)


def revision(number: int, status: str = "deployed", description: str = "") -> Revision:
    return Revision(number, status, description, 0.0)


@pytest.mark.parametrize(
    ("descriptions", "digest"),
    [
        ([str(MARK)], "d1"),
        (["Install complete"], None),
        ([str(MARK), "Upgrade \"web\" failed: timed out"], None),
        ([str(MARK), "x failed", "Rollback to 1"], "d1"),
        ([str(MARK), "Rollback to 1", "Rollback to 2"], "d1"),
        (["Rollback to 1"], None),
        (["Rollback to 7"], None),
    ],
)  # fmt: skip
def test_the_digest_of_a_release_survives_a_rollback(descriptions, digest):
    revisions = [revision(number, description=text) for number, text in enumerate(descriptions, start=1)]
    mark = commands.mark_of(revisions[-1], revisions)
    assert (mark.digest if mark else None) == digest


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ([], [], "nothing of the release is left"),
        ([revision(1)], [revision(1, "uninstalled")], "nothing of the release is left"),
        ([revision(1)], [revision(1)], "the release is as it was"),
        (
            [revision(1)],
            [revision(1, "superseded"), revision(2, "failed"), revision(3, description="Rollback to 1")],
            "the release was rolled back to revision 1",
        ),
        ([revision(1)], [revision(1), revision(2, "failed")], "the release was left failed (revision 2)"),
        ([], [revision(1, "failed")], "the release was left failed (revision 1)"),
    ],
)
def test_what_has_become_of_a_release_is_told(before, now, words):
    assert commands.became(before, now) == words


@pytest.mark.parametrize(
    ("revisions", "number"),
    [
        ([], None),
        ([revision(1, description=str(MARK))], None),
        ([revision(1, description=str(Mark("shop", "web", "d0")))], 1),
        ([revision(1, description=str(Mark("shop", "web", "d0"))), revision(2, "failed", str(MARK))], 1),
        ([revision(1, description=str(Mark("shop", "web", "d0"))), revision(2, description=str(MARK))], 1),
    ],
)
def test_a_release_goes_back_to_what_is_not_the_same_as_what_failed(revisions, number):
    found = commands.last_good(revisions, but=MARK)
    assert (found.number if found else None) == number


def test_what_had_failed_already_is_gone_back_to_without_waiting_for_it():
    definition = service({"chart": "/c"})
    assert "--rollback-on-failure" not in commands.upgrade(definition, MARK, Dialect(4), undoes=False)
    assert "--wait" in commands.rollback(definition, 1)
    assert "--wait" not in commands.rollback(definition, 1, waits=False)


def test_history_is_read_oldest_first():
    item = {"revision": 2, "updated": "2026-01-31T12:00:00.123456789+01:00", "status": "failed", "description": "no"}
    text = json.dumps([item, {**item, "revision": 1, "updated": "2026-01-31T11:00:00Z", "description": None}])
    first, second = commands.read_history(text, "web")
    assert (first.number, first.description, second.number, second.status) == (1, "", 2, "failed")
    assert second.updated == pytest.approx(first.updated + 0.123456)


@pytest.mark.parametrize("text", ["", "{}x", "[1]", '[{"revision": 1}]', '{"a": 1}'])
def test_what_is_no_history_is_told(text):
    with pytest.raises(DriverError, match="web: helm history gave no list of revisions"):
        commands.read_history(text, "web")


@pytest.mark.parametrize(
    ("status", "pending", "good"),
    [
        ("deployed", False, True),
        ("superseded", False, True),
        ("failed", False, False),
        ("pending-install", True, False),
        ("pending-upgrade", True, False),
        ("pending-rollback", True, False),
    ],
)
def test_a_revision_knows_what_its_status_means(status, pending, good):
    assert (revision(1, status).is_pending, revision(1, status).was_good) == (pending, good)


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ('WARNING: x\nError: path "/c" not found\n', 'path "/c" not found'),
        ("Error: a\n  b\n\nUse --debug flag to render out invalid YAML\n", "a b"),
        ("boom\n", "boom"),
        ("", "it failed and said nothing"),
    ],
)
def test_an_error_of_helm_is_one_line(stderr, line):
    assert commands.error_line(stderr) == line


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('kubernetes cluster unreachable: context "x" does not exist', "kubernetes.context"),
        ('Kubernetes cluster unreachable: Get "http://127.0.0.1:1/version": connection refused', "the cluster runs"),
        ('path "/c" not found', "kubernetes.chart.chart"),
        ('looks like "http://x" is not a valid chart repository or cannot be reached', "chart.repository"),
        ("chart \"x\" version \"9\" not found in http://c repository", "there is no such one"),
        ("127.0.0.1:5000/charts/web:9.9.9: not found", "there is no such one"),
        ('secrets is forbidden: User "x" cannot list resource "secrets"', "that right"),
        ("another operation (install/upgrade/rollback) is in progress", "Wait for the other"),
        ('Secret "x" in namespace "y" exists and cannot be imported: invalid ownership metadata', "somebody else's"),
        ("values don't meet the specifications of the schema(s)", "Correct kubernetes.chart.values."),
        ("UPGRADE FAILED: context deadline exceeded", "startup.timeout"),
        ("something new", ""),
    ],
)  # fmt: skip
def test_an_error_of_helm_has_a_remedy_where_there_is_one(message, words):
    remedy = commands.remedy_for(message)
    assert words in remedy if words else remedy == ""


SECRET = """---
# Source: web/templates/secret.yaml
apiVersion: v1
kind: Secret
metadata:
  name: web
stringData:
  password: "hunter2"
  file: |
    user: web
    password: hunter2
type: Opaque
---
kind: ConfigMap
data:
  a: b
"""


def test_what_is_in_a_secret_is_shown_as_a_digest_that_tells_whether_it_changed():
    shown = masked_manifest(SECRET)
    assert "hunter2" not in "\n".join(shown)
    assert [line.split(":")[0] for line in shown if "***" in line] == ["  password", "  file"]
    assert {"type: Opaque", "  name: web", "kind: ConfigMap", "  a: b"} <= set(shown)
    assert masked_manifest(SECRET) == shown
    changed = masked_manifest(SECRET.replace("    password: hunter2", "    password: hunter3"))
    assert len(set(changed) - set(shown)) == 1


def test_a_secret_written_on_one_line_is_not_shown():
    assert masked_manifest("kind: Secret\ndata: {a: aHVudGVyMg==}\n") == ["---", "kind: Secret", "data: ***"]
