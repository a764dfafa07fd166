# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every block of TOML and YAML on the pages for users is valid, as the product itself reads it."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.provisioning.platform.plugins.doc_fragments.platform import ModuleDocFragment
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping, load_file
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import TOP_LEVEL_KEYS
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import override
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform, resolve

from tests.fixtures.docs import PAGES, ROOT, Block, blocks, files, first_cells, tables

SERVICES = ROOT / "docs" / "services.md"
ROLES = ROOT / "roles"
CODE = [block for page in PAGES for block in blocks(page) if block.language in ("toml", "yaml")]

#: What Ansible and a survey would say.
_JINJA = {"inventory_hostname": "host.example.com", "public_name": "platform.example.com", "awx_job_id": 7}
_BARE = {"deployment": {"mode": "binary", "binary": {"command": "sleep"}}, "port": 8600}
_STAND_IN = {
    "port": 5432,
    "ports": {"metrics": 9187},
    "secrets": {"password": {}, "token": {}},
    "deployment": {"mode": "docker", "docker": {"image": "x", "ports": ["5432:5432"]}},
}


@pytest.mark.parametrize("block", CODE, ids=[block.where for block in CODE])
def test_a_block_is_what_it_says_and_valid(block: Block, tmp_path: Path) -> None:
    document = tomllib.loads(block.text) if block.language == "toml" else yaml.safe_load(block.text)
    kind = block.kind or kind_of(document)
    if "." in kind or kind == "injector":
        return  # a file of the complete example, or something of AWX
    CHECKS[kind](document, tmp_path)


def kind_of(document: Any) -> str:
    """Tell what is in a block that does not say so."""
    if isinstance(document, list):
        return "play"
    if all(name.endswith("_service") for name in document):
        return "variables"
    if "platform" in document:
        return "inventory"
    return "config" if set(document) <= set(TOP_LEVEL_KEYS) else "unknown"


def check_config(document: dict[str, Any], folder: Path) -> None:
    for name in document.get("registry", ()):
        write_definition(folder / name, "stand-in", _BARE)
    resolved(rendered(document), folder)


def check_definition(document: dict[str, Any], folder: Path) -> None:
    resolved_definition(document, folder)


def check_part(document: dict[str, Any], folder: Path) -> None:
    resolved_definition(override(_BARE, document), folder)


def check_registry(document: dict[str, Any], folder: Path) -> None:
    (folder / "services.json").write_text(json.dumps(document))
    resolved({"registry": ["services.json"]}, folder, only=list(document["services"]))


def check_variables(document: dict[str, Any], folder: Path, settings: Mapping[str, Any] | None = None) -> None:
    names = [variable.removesuffix("_service").replace("_", "-") for variable in document]
    stand_ins = write_stand_ins(document, folder)
    platform = resolved({"registry": stand_ins, **(settings or {})}, folder, only=names, variables=document)
    assert platform.warnings == ()


def check_plays(document: list[dict[str, Any]], folder: Path) -> None:
    for play in document:
        for role, variables in roles_of(play):
            name = role.removeprefix("provisioning.platform.")
            assert (ROLES / name / "meta" / "argument_specs.yml").is_file(), f"there is no role {role}"
            own = {key: value for key, value in rendered(variables).items() if key.endswith("_service")}
            settings = {key: value for key, value in variables.items() if key in TOP_LEVEL_KEYS and key != "registry"}
            assert set(variables) <= {*own, *settings, "registry", "service_name", "compose_export"}
            check_variables(own, folder, settings)
        for task in play.get("tasks", ()):
            for module, arguments in task.items():
                if module.startswith("provisioning.platform."):
                    assert set(arguments or {}) <= options_of(module.removeprefix("provisioning.platform."))


def check_inventory(document: dict[str, Any], folder: Path) -> None:
    assert document == yaml.safe_load((ROOT / "inventories/production/hosts.yml").read_text())


CHECKS: dict[str, Any] = {
    "config": check_config,
    "definition": check_definition,
    "definition-part": check_part,
    "registry": check_registry,
    "variables": check_variables,
    "play": check_plays,
    "inventory": check_inventory,
}


def roles_of(play: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    outer = play.get("vars", {})
    for entry in play.get("roles", ()):
        given = {key: value for key, value in entry.items() if key not in ("role", "vars")}
        yield entry["role"], {**outer, **given, **entry.get("vars", {})}
    for task in play.get("tasks", ()):
        if "ansible.builtin.include_role" in task:
            include = task["ansible.builtin.include_role"]
            assert (ROLES / "platform" / "tasks" / include["tasks_from"]).is_file()
            yield include["name"], {**outer, **task.get("vars", {})}


def options_of(module: str) -> set[str]:
    """Return the options that a module documents."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text())
    texts = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    documentation = yaml.safe_load(ast.literal_eval(texts["DOCUMENTATION"]))
    options = set(documentation.get("options") or {})
    for fragment in documentation.get("extends_documentation_fragment", ()):
        *_collection, part = fragment.split(".")
        text = getattr(ModuleDocFragment, "DOCUMENTATION" if part == "platform" else part.upper())
        options |= set(yaml.safe_load(text)["options"])
    return options


def resolved(document: Mapping[str, Any], folder: Path, **more: Any) -> Platform:
    """Resolve a configuration as an installation would; environment variables that it names are set."""
    env = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)\}", json.dumps(document)), "x")
    config = from_mapping(document, env=env, base_dir=folder)
    return resolve(config, home="/home/me", roles_dir=ROLES, env=env, **more)


def resolved_definition(document: Mapping[str, Any], folder: Path) -> None:
    write_definition(folder / "mine", "ledger", document)
    registry = ["mine", *write_stand_ins(document, folder)]
    platform = resolved({"registry": registry}, folder, only=["ledger"])
    assert platform.warnings == ()


def write_definition(folder: Path, name: str, document: Mapping[str, Any]) -> None:
    place = folder / name
    (place / "meta").mkdir(parents=True)
    (place / "meta" / "service.yml").write_text(yaml.safe_dump(dict(document)))
    (place / "templates").mkdir()
    for file in document.get("config", ()):
        if "template" in file:
            (place / "templates" / file["template"]).write_text("")


def write_stand_ins(document: Mapping[str, Any], folder: Path) -> list[str]:
    """Define the services that a document only mentions; return the registry, if there is one."""
    text = json.dumps(document)
    names = set(re.findall(r"\$\{(?:service|secret)\.([a-z-]+)\.", text))
    for part in (document, *(value for value in document.values() if isinstance(value, dict))):
        names |= set(part.get("depends_on", ()))
    names = {name for name in names if not (ROLES / name.replace("-", "_")).is_dir()}
    for number, name in enumerate(sorted(names)):
        block = {"image": "x", "ports": [f"{15432 + number}:5432"]}
        write_definition(folder / "others", name, override(_STAND_IN, {"deployment": {"docker": block}}))
    return ["others"] if names else []


def rendered(value: Any) -> Any:
    """Fill in what Ansible would."""
    if isinstance(value, dict):
        return {key: rendered(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rendered(item) for item in value]
    return jinja2.Template(value).render(_JINJA) if isinstance(value, str) and "{{" in value else value


def test_the_complete_example_is_valid(tmp_path: Path) -> None:
    for name, text in files(SERVICES).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    loaded = load_file(tmp_path / "platform.toml", env={})
    platform = resolve(loaded.config, home="/home/me", roles_dir=ROLES, env={})
    assert list(platform.registry.services) == ["prepare", "greeting", "visitor"]
    assert loaded.warnings == platform.warnings == ()
    assert "There is a visitor" in str(platform.registry.services["greeting"].config[0].content)
    config = dataclasses.replace(loaded.config.deployment.services[0], settings={"mode": "docker"})
    deployment = dataclasses.replace(
        loaded.config.deployment, services=[config, *loaded.config.deployment.services[1:]]
    )
    changed = dataclasses.replace(loaded.config, deployment=deployment)
    services = resolve(changed, home="/home/me", roles_dir=ROLES, env={}).registry.services
    assert services["greeting"].mode == "docker"


def template(folder: Path, text: str) -> None:
    """Render a template of a service that has a secret."""
    definition = {**_BARE, "secrets": {"token": {}}, "config": [{"template": "all.j2", "dest": "all"}]}
    write_definition(folder, "ledger", definition)
    (folder / "ledger" / "templates" / "all.j2").write_text(text)
    resolved({"registry": ["ledger"]}, folder, only=["ledger"])


def test_a_template_sees_every_name_that_is_listed(tmp_path: Path) -> None:
    names = first_cells(tables(SERVICES)["names: template"])
    template(tmp_path, "".join(f"{{{{ {name} }}}}" for name in names if name != "secret") + "{{ secret.token }}")


def test_a_template_sees_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="something_else"):
        template(tmp_path, "{{ something_else }}")
