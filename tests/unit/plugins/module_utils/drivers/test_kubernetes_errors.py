# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API's answers mean; the answers were recorded from Kubernetes 1.36."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._kubernetes_errors import (
    ApiError,
    explain,
    status_of,
)

from tests.fixtures import kubernetes

ANSWERS = json.loads((Path(next(iter(kubernetes.__path__))) / "answers.json").read_text())


def said(name: str, thing: str = "Deployment web") -> str:
    answer = ANSWERS[name]
    return str(explain("web", answer["code"], answer["document"], thing=thing, cluster="https://c"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "forbidden in namespace",
            (
                "web: installer may not patch deployments.apps in the namespace rec. "
                "Grant it that right; docs/kubernetes.md has a role with all that is needed."
            ),
        ),
        (
            "forbidden in cluster",
            (
                "web: installer may not list namespaces in the whole cluster. "
                "Grant it that right; docs/kubernetes.md has a role with all that is needed."
            ),
        ),
        (
            "namespace missing",
            'web: namespaces "rec" not found. Run the installation again; it makes the namespace.',
        ),
        ("unknown field", "web: Deployment web has no field spec.replica. Correct it in the definition of web."),
        (
            "wrong scalar",
            (
                "web: Deployment web is invalid: spec.replicas: expected numeric (int or float), got string. "
                "Correct it in the definition of web."
            ),
        ),
        (
            "immutable",
            (
                'web: Deployment web cannot be changed in place: spec.selector: Invalid value: {"matchLabels":'
                '{"app":"web","b":"c"}}: field is immutable. Set kubernetes.update of web to recreate, '
                "or remove web first."
            ),
        ),
        (
            "job immutable",
            (
                "web: Deployment web cannot be changed in place: spec.template: field is immutable. "
                "Set kubernetes.update of web to recreate, or remove web first."
            ),
        ),
        (
            "conflict",
            (
                'web: Deployment web: spec.template.spec.containers[name="web"].image is set by kubectl-edit; '
                "spec.replicas is set by kubectl-scale. Leave those fields out of the definition, or take "
                "them over with kubernetes.force_conflicts."
            ),
        ),
        ("not found", 'web: Deployment web: the Kubernetes API says: deployments.apps "web" not found.'),
    ],
)
def test_an_answer_is_told_with_its_remedy(name, text):
    assert said(name) == text


def test_every_fault_of_a_manifest_is_named_by_its_field():
    text = said("invalid")
    assert 'Deployment web is invalid: spec.template.spec.containers[0].name: Invalid value: "Bad Name"' in text
    assert "spec.template.spec.containers[0].image: Required value" in text


@pytest.mark.parametrize(
    ("name", "remedy"), [("quota", "Raise the quota"), ("pod security", "label the namespace with a level")]
)
def test_what_admission_refuses_is_told_in_its_words(name, remedy):
    assert ANSWERS[name]["document"]["message"] in said(name)
    assert remedy in said(name)


def test_a_refusal_of_another_kind_is_not_dressed_up():
    assert "terminated. Wait until" in str(
        explain("web", 403, {"message": "unable to create new content in namespace x because it is being terminated"})
    )
    assert "the cluster https://c does not accept the credentials" in str(explain("web", 401, {}, cluster="https://c"))


@pytest.mark.parametrize(
    ("name", "transient"),
    [("conflict", False), ("precondition", False), ("unknown field", False), ("exists", False), ("invalid", False)],
)
def test_what_would_be_refused_again_is_not_asked_again(name, transient):
    answer = ANSWERS[name]
    problem = explain("web", answer["code"], answer["document"])
    assert ApiError(problem, answer["code"], answer["document"]).is_transient is transient


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_passes_is_asked_again(code):
    assert ApiError(explain("web", code, {}), code, {}).is_transient
    modified = {"reason": "Conflict", "message": "the object has been modified"}
    assert ApiError(explain("web", 409, modified), 409, modified).is_transient


def test_an_answer_from_something_before_the_api_is_shown_as_it_is():
    assert status_of(b"<html>Bad gateway</html>", 502, "Bad Gateway") == {
        "message": "<html>Bad gateway</html>",
        "code": 502,
    }
    assert status_of(b"", 502, "Bad Gateway")["message"] == "502 Bad Gateway"
