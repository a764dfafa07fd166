# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.manifests import load_objects

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"


def config_map(name: str) -> str:
    return MAP.replace("NAME", name)


def load(base: Path, *entries: str, render: Any = None) -> list[dict[str, Any]]:
    return load_objects(entries, base=base, service="web", render=render or (lambda folder, name: ""))


def names(objects: list[dict[str, Any]]) -> list[str]:
    return [document["metadata"]["name"] for document in objects]


def test_files_and_folders_give_their_objects_in_order(tmp_path):
    (tmp_path / "more" / "deep").mkdir(parents=True)
    (tmp_path / "one.yaml").write_text(f"---\n{config_map('a')}---\n---\n{config_map('b')}")
    (tmp_path / "more" / "b.json").write_text('{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c"}}')
    (tmp_path / "more" / "deep" / "a.yml").write_text(config_map("d"))
    (tmp_path / "more" / "README.md").write_text("not a manifest")
    assert names(load(tmp_path, "one.yaml", str(tmp_path / "more"))) == ["a", "b", "c", "d"]


def test_the_items_of_a_list_are_objects(tmp_path):
    (tmp_path / "l.yaml").write_text(
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n"
    )
    assert names(load(tmp_path, "l.yaml")) == ["a"]


def test_a_template_is_rendered_by_its_folder_and_name(tmp_path):
    (tmp_path / "t.yaml.j2").write_text("x")
    assert names(load(tmp_path, "t.yaml.j2", render=lambda folder, name: config_map(f"{folder.name}-{name}"))) == [
        f"{tmp_path.name}-t.yaml.j2"
    ]


def test_permissions_are_octal_as_everywhere_in_yaml(tmp_path):
    (tmp_path / "a.yaml").write_text(f"{config_map('a')}data: {{mode: 0644}}\n")
    assert load(tmp_path, "a.yaml")[0]["data"] == {"mode": 0o644}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "a.yaml:2:1: is not YAML"),
        (f"{config_map('a')}---\n- 1\n", "a.yaml, document 2: is not an object"),
        ("kind: Service\nmetadata: {name: x}\n", "document 1: has no apiVersion"),
        ("apiVersion: v1\nmetadata: {name: x}\n", "document 1: has no kind"),
        ("apiVersion: v1\nkind: Service\nmetadata: {generateName: x}\n", "the Service has no metadata.name"),
        (f"{config_map('a')}---\n{config_map('a')}", "the ConfigMap a stands in "),
        (f"{config_map('a')}data: {{p: '${{secret.web.p}}'}}\n", "the ConfigMap a holds a secret, which all who may"),
        (f"{config_map('a')}data: !x 1\n", "the tag !x is not accepted"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_document(tmp_path, faults_of, text, message):
    (tmp_path / "a.yaml").write_text(text)
    (fault,) = faults_of(load, tmp_path, "a.yaml")
    assert str(tmp_path) in fault
    assert message in fault


def test_a_secret_may_hold_placeholders(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {p: '${secret.web.p}'}\n"
    )
    assert load(tmp_path, "a.yaml")[0]["stringData"] == {"p": "${secret.web.p}"}


def test_what_is_not_there_is_told_all_at_once(tmp_path, faults_of):
    (tmp_path / "empty").mkdir()
    faults = faults_of(load, tmp_path, "gone.yaml", "empty")
    assert ["there is no such file or folder" in faults[0], "holds no manifest" in faults[1]] == [True, True]
