from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import (
    expand,
    load_registry,
    merge,
    override,
)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_roles_and_folders_of_the_same_shape_are_read(registries, tmp_path):
    write(tmp_path / "roles" / "api_server" / "meta" / "service.yml", "port: 1")
    write(tmp_path / "roles" / "platform" / "tasks" / "main.yml", "")
    sources = load_registry(tmp_path / "roles", [registries / "company"])
    assert {name: source.built_in for name, source in sources.items()} == {
        "api-server": True,
        "ledger": False,
        "web-shop": False,
    }
    assert sources["web-shop"].document["name"] == "web-shop"
    assert sources["web-shop"].document["depends_on"] == {"ledger": {}}
    assert sources["web-shop"].templates == registries / "company" / "web_shop" / "templates"


def test_a_folder_may_be_one_service(registries, tmp_path):
    assert list(load_registry(tmp_path, [registries / "company" / "ledger"])) == ["ledger"]


def test_one_file_may_hold_many_services(registries, tmp_path):
    sources = load_registry(tmp_path, [registries / "services.toml", registries / "plain.yml"])
    assert list(sources) == ["broker", "worker", "clock"]
    assert sources["worker"].document["depends_on"] == {"broker": {"condition": "started"}}
    assert sources["worker"].origin == registries / "services.toml"


def test_a_list_of_services_is_read_by_name(tmp_path):
    write(tmp_path / "x.yml", "services: [{name: a, port: 1}, {name: b}]")
    assert list(load_registry(tmp_path, [tmp_path / "x.yml"])) == ["a", "b"]


def test_a_later_definition_replaces_an_earlier_one_entirely(tmp_path):
    write(tmp_path / "roles" / "gitea" / "meta" / "service.yml", "port: 3000\ndescription: Git")
    write(tmp_path / "mine.yml", "gitea: {port: 1}")
    sources = load_registry(tmp_path / "roles", [tmp_path / "mine.yml"])
    assert sources["gitea"].document == {"name": "gitea", "port": 1}
    assert sources["gitea"].built_in is False


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.yml", "services: {gitea: 3}", "x.yml: gitea: a definition is a mapping"),
        ("x.yml", "services: 3", "x.yml: services: is not a mapping of names to definitions"),
        ("x.yml", "services: {}\nversion: 1", "x.yml: version: stands beside services. Move it below services"),
        ("x.yml", "services: [{port: 1}]", "x.yml: services[0]: has no name"),
        ("x.yml", "services: [{name: a}, {name: a}]", "x.yml: services[1]: a is defined twice"),
        ("x.yml", "gitea: {name: git}", "x.yml: gitea: is called 'git' but stands under gitea. Leave name out"),
        ("x.yml", "Gitea: {}", "x.yml: Gitea: 'Gitea' is not a service's name"),
        ("x.toml", "[services.gitea]\nport = \n", "x.toml:2:8: is not TOML"),
        ("none.yml", None, "none.yml: there is no such file or folder"),
        ("empty.yml", "", "empty.yml: holds no definition of a service. Define one in it, or take it out"),
        ("empty.toml", "# nothing", "empty.toml: holds no definition of a service"),
        ("/dev/null", None, "/dev/null: is neither a file nor a folder. Correct registry in the configuration."),
        ("x.ini", "", "x.ini: is neither TOML, YAML nor JSON"),
    ],
)
def test_what_is_no_registry_is_told(tmp_path, faults_of, name, text, message):
    if text is not None:
        write(tmp_path / name, text)
    faults = faults_of(load_registry, tmp_path / "none", [tmp_path / name])
    assert message in faults[-1]


def test_all_that_cannot_be_read_is_told_at_once(tmp_path, faults_of):
    write(tmp_path / "roles" / "a" / "meta" / "service.yml", "a: [")
    write(tmp_path / "roles" / "b" / "meta" / "service.yml", "name: c")
    (tmp_path / "empty").mkdir()
    faults = faults_of(load_registry, tmp_path / "roles", [tmp_path / "empty", tmp_path / "none"])
    assert len(faults) == 4
    assert "holds no definition of a service" in faults[2]


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": None}}, {"a": {"y": 2}}),
        ({"a": 1}, {"a": None, "b": None}, {}),
        ({}, {"a": {"x": None, "y": 1}}, {"a": {"y": 1}}),
        ({"health": {"type": "http", "url": "u"}}, {"health": {"retries": 5}}, None),
        ({"health": {"type": "http", "url": "u"}}, {"health": {"type": "tcp", "port": 1}}, None),
    ],
)
def test_what_is_changed_is_merged_deeply(base, over, merged):
    expected = {
        "retries": {"type": "http", "url": "u", "retries": 5},
        "port": {"type": "tcp", "port": 1},
    }
    if merged is None:
        merged = {"health": next(value for key, value in expected.items() if key in over["health"])}
    before = repr(base)
    assert merge(base, over) == merged
    assert repr(base) == before


@pytest.mark.parametrize(
    ("written", "expanded"),
    [
        ({"depends_on": ["a", "b"]}, {"depends_on": {"a": {}, "b": {}}}),
        ({"depends_on": {"a": "started"}}, {"depends_on": {"a": {"condition": "started"}}}),
        ({"depends_on": {"a": {"restart": True}}}, {"depends_on": {"a": {"restart": True}}}),
        ({"mode": "docker"}, {"deployment": {"mode": "docker"}}),
        ({"mode": "docker", "deployment": {"docker": {}}}, {"deployment": {"mode": "docker", "docker": {}}}),
        ({"mode": "docker", "deployment": 3}, {"deployment": 3}),
        ({"depends_on": [1, {}]}, {"depends_on": [1, {}]}),
    ],
)
def test_sugar_is_expanded(written, expanded):
    assert expand(written) == expanded


def test_a_list_of_dependencies_replaces_and_a_mapping_adds():
    base = {"depends_on": {"a": {"condition": "started"}, "b": {}}}
    assert override(base, {"depends_on": ["c"]}) == {"depends_on": {"c": {}}}
    assert override(base, {"depends_on": {"c": "completed", "b": None}}) == {
        "depends_on": {"a": {"condition": "started"}, "c": {"condition": "completed"}}
    }
