# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages for users say what the product does: blocks are valid, tables complete, names and links real."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jinja2
import pytest
import typer
import yaml
from ansible_collections.provisioning.platform.plugins.doc_fragments.platform import ModuleDocFragment
from ansible_collections.provisioning.platform.plugins.module_utils import _events
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._registry import DRIVERS
from ansible_collections.provisioning.platform.plugins.module_utils._model import (
    HealthCheck,
    ServiceDefinition,
    ServiceDeployment,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import (
    from_mapping,
    from_variables,
    load_file,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    TOP_LEVEL_KEYS,
    DeploymentConfig,
    NotificationConfig,
    UnattendedInstallConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.payload import (
    NotificationPayload,
    PayloadEvent,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import override
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform, resolve
from ansible_collections.provisioning.platform.plugins.plugin_utils.scopes import Surroundings
from provisioning_platform.exit_codes import ExitCode
from provisioning_platform.run_cli import app

from tests.fixtures.docs import PAGES, ROOT, Block, anchors, blocks, files, links, prose, quoted, tables

DOCS = ROOT / "docs"
SERVICES = DOCS / "services.md"
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


# --- blocks ----------------------------------------------------------------------------------------------------------


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
            assert set(variables) <= {*own, *settings, "registry", "service_name"}
            check_variables(own, folder, settings)
        for task in play.get("tasks", ()):
            for module, arguments in task.items():
                if module.startswith("provisioning.platform."):
                    assert set(arguments or {}) <= options_of(module.removeprefix("provisioning.platform."))


CHECKS: dict[str, Any] = {
    "config": check_config,
    "definition": check_definition,
    "definition-part": check_part,
    "registry": check_registry,
    "variables": check_variables,
    "play": check_plays,
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


# --- tables of settings ----------------------------------------------------------------------------------------------


def schema() -> Iterator[type]:
    """Yield the classes that users write, without the modes that this version does not have."""
    left: list[type] = [UnattendedInstallConfig, ServiceDefinition]
    seen: set[type] = set()
    while left:
        cls = left.pop()
        if cls in seen:
            continue
        seen.add(cls)
        yield cls
        for name in settings(cls):
            left += classes_in(get_type_hints(cls)[name])


def settings(cls: type) -> list[str]:
    """Return the settings of a class that the table of another one does not have."""
    inherited = {field.name for field in dataclasses.fields(HealthCheck)} if cls is not HealthCheck else set()
    hidden = {"ServiceOverride": {"settings"}}.get(cls.__name__, set())  # they stand beside the name
    if cls is ServiceDeployment:
        hidden = {field.name for field in dataclasses.fields(cls)} - {"mode", *DRIVERS}
    if not issubclass(cls, HealthCheck):
        inherited = set()
    return [field.name for field in dataclasses.fields(cls) if field.name not in inherited | hidden]


def classes_in(hint: Any) -> list[type]:
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return [hint, HealthCheck] if issubclass(hint, HealthCheck) else [hint]
    return [cls for part in get_args(hint) for cls in classes_in(part)]


SCHEMA = sorted(schema(), key=lambda cls: cls.__name__)
KEYS = {
    about.removeprefix("keys: "): rows
    for page in PAGES
    for about, rows in tables(page).items()
    if about.startswith("keys: ")
}


@pytest.mark.parametrize("cls", SCHEMA, ids=lambda cls: cls.__name__)
def test_every_setting_is_in_a_table_and_nothing_else_is(cls: type) -> None:
    assert [quoted(row[0])[0] for row in KEYS[cls.__name__]] == settings(cls)
    assert all(row[2] for row in KEYS[cls.__name__])


def test_every_table_of_settings_is_one_of_the_schema() -> None:
    assert KEYS.keys() == {*(cls.__name__ for cls in SCHEMA), "NotificationPayload"}


@pytest.mark.parametrize("cls", SCHEMA, ids=lambda cls: cls.__name__)
def test_the_default_of_a_setting_is_the_one_that_is_used(cls: type) -> None:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key, shown, *_rest in KEYS[cls.__name__]:
        wanted = default_of(fields[quoted(key)[0]])
        if wanted is None:
            assert shown, f"{key} says nothing of its default"
        elif (cls, key) != (ServiceDefinition, "`name`"):
            assert shown == wanted, f"{key} of {cls.__name__}"


def default_of(field: dataclasses.Field[Any]) -> str | None:
    """Return what the table must say; nothing where it may say it in its own words."""
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "required"
    value = field.default_factory() if field.default is dataclasses.MISSING else field.default  # type: ignore[misc]
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"`{value:g}`"
    if isinstance(value, list) and value:
        return f"`{json.dumps(value)}`"
    return f"`{value}`" if isinstance(value, str) and value else None


@pytest.mark.parametrize("cls", SCHEMA, ids=lambda cls: cls.__name__)
def test_every_value_that_can_be_chosen_is_named(cls: type) -> None:
    pages = {word for page in DOCS.glob("*.md") for word in quoted(prose(page))}
    for name in settings(cls):
        hint = get_type_hints(cls)[name]
        values = set(get_args(hint)) if get_origin(hint) is Literal else set()
        if cls is ServiceDeployment:
            values &= DRIVERS.keys()
        assert values <= pages, f"{name} of {cls.__name__}"


@pytest.mark.parametrize(
    ("cls", "section"),
    [(UnattendedInstallConfig, ""), (DeploymentConfig, "deployment"), (NotificationConfig, "notifications")],
)
def test_the_examples_of_settings_are_valid(cls: type, section: str, tmp_path: Path) -> None:
    examples = [quoted(row[3])[0] for row in KEYS[cls.__name__]]
    document = tomllib.loads("\n".join([f"[{section}]" if section else "", *examples]))
    assert list(document[section] if section else document) == settings(cls)
    from_mapping(document, env={"TOKEN": "x"}, base_dir=tmp_path)


def test_the_variables_in_a_roles_tables_are_its_own() -> None:
    for page in PAGES[1:]:
        if page.parent.parent != ROLES or page.parent.name == "platform":
            continue
        options = yaml.safe_load((page.parent / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]
        definition = yaml.safe_load((page.parent / "meta" / "service.yml").read_text())
        own = set(definition.get("variables") or {})
        table = re.search(r"^\| variable \|.*\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
        assert table is not None, page
        named = {quoted(line.split("|")[1])[0] for line in table[1].splitlines()[1:]}
        assert own <= named <= own | set(options["options"]), page


# --- commands, playbooks, modules ------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    command: Any = typer.main.get_command(app)
    return {"": command, **command.commands}


def options() -> set[str]:
    return {option for command in commands().values() for param in command.params for option in param.opts} | {
        "--help",
        "-h",
    }


def test_every_option_of_the_command_is_in_the_table_and_nothing_else_is() -> None:
    rows = tables(DOCS / "configuration.md")["options"]
    named = {word.split()[0] for row in rows for word in quoted(row[0])}
    assert named == options()


def test_every_subcommand_is_named() -> None:
    text = prose(DOCS / "configuration.md")
    assert all(f"| `{name}` |" in text for name in commands() if name)


def test_every_exit_code_is_in_the_table_but_that_of_a_roll_back_which_there_is_not_yet() -> None:
    rows = tables(DOCS / "configuration.md")["exit codes"]
    assert {int(row[0]) for row in rows} == {code.value for code in ExitCode} - {ExitCode.ROLLED_BACK}


def shell_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in blocks(page):
            if block.language == "console":
                yield from ((block.where, line[2:]) for line in block.text.splitlines() if line.startswith("$ "))


def test_a_command_that_is_shown_has_the_options_it_is_given() -> None:
    for where, line in shell_lines():
        for part in line.partition("#")[0].split("|"):
            words = part.split()
            if words and words[0] == "provisioning-run":
                used = {word for word in words[1:] if word.startswith("-")}
                assert used <= options(), f"{where}: {line}"


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for where, line in shell_lines():
        match = re.match(r"make ([a-z0-9-]+)", line)
        assert match is None or match[1] in targets, f"{where}: {line}"


def test_the_table_of_playbooks_has_all_and_nothing_else() -> None:
    rows = tables(DOCS / "operations.md")["playbooks"]
    assert {quoted(row[0])[0] for row in rows} == {
        f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")
    }
    for row in rows:
        text = (ROOT / quoted(row[0])[0]).read_text()
        for variable in quoted(row[2]):
            assert variable in text, f"{row[0]} knows no {variable}"


def test_the_table_of_modules_has_all_and_nothing_else() -> None:
    rows = tables(DOCS / "operations.md")["modules"]
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py")}
    assert {quoted(row[0])[0] for row in rows} == modules


def test_everything_with_the_name_of_the_collection_exists() -> None:
    places = [(ROOT / "playbooks", ".yml"), (ROLES, ""), *((ROOT / "plugins" / kind, ".py") for kind in KINDS)]
    for page in PAGES:
        for name in re.findall(r"provisioning\.platform\.([a-z_]+)", page.read_text()):
            assert any((folder / f"{name}{suffix}").exists() for folder, suffix in places), f"{page}: {name}"


KINDS = ("modules", "action", "callback", "filter", "lookup")


def test_every_path_of_the_repository_exists() -> None:
    for page in PAGES:
        text = page.read_text()
        for path in re.findall(r"(?<![\w/.-])@?((?:playbooks|examples|inventories)/[\w./-]*\w)", text):
            assert (ROOT / path).exists(), f"{page}: {path}"


# --- names -----------------------------------------------------------------------------------------------------------


def first_cells(rows: list[list[str]]) -> list[str]:
    return [word for row in rows for word in quoted(row[0])]


def test_the_payload_is_told_field_by_field() -> None:
    page = DOCS / "webhooks.md"
    fields = [field.name for field in dataclasses.fields(NotificationPayload)]
    assert first_cells(KEYS["NotificationPayload"]) == fields
    example = next(json.loads(block.text) for block in blocks(page) if block.kind == "payload")
    assert list(example) == fields
    assert first_cells(tables(page)["names: events"]) == list(get_args(PayloadEvent))


def test_every_kind_of_event_is_named() -> None:
    kinds = {
        value for name, value in vars(_events).items() if name.isupper() and isinstance(value, str) and "." in value
    }
    assert kinds <= set(quoted(prose(DOCS / "operations.md")))
    statuses = {kind.removeprefix("service.") for kind in kinds if kind.startswith("service.")}
    assert set(first_cells(tables(DOCS / "webhooks.md")["names: statuses"])) == statuses


def test_what_a_placeholder_can_ask_of_the_installation_is_listed() -> None:
    known = Surroundings(from_mapping({}, env={}, base_dir=ROOT), "/srv", {}).deployment()
    assert set(first_cells(tables(SERVICES)["names: deployment"])) == set(known)


def test_what_a_template_sees_is_listed(tmp_path: Path) -> None:
    named = first_cells(tables(SERVICES)["names: template"])
    text = "".join(f"{{{{ {name} }}}}" for name in named if name != "secret") + "{{ secret.token }}"
    definition = {**_BARE, "secrets": {"token": {}}, "config": [{"template": "all.j2", "dest": "all"}]}
    write_definition(tmp_path, "ledger", definition)
    (tmp_path / "ledger" / "templates" / "all.j2").write_text(text)
    resolved({"registry": ["ledger"]}, tmp_path, only=["ledger"])
    with pytest.raises(Exception, match="undefined"):
        (tmp_path / "ledger" / "templates" / "all.j2").write_text("{{ something_else }}")
        resolved({"registry": ["ledger"]}, tmp_path, only=["ledger"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _hash, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


def test_the_readme_leads_to_every_page() -> None:
    assert {f"docs/{path.name}" for path in DOCS.glob("*.md")} <= set(links(ROOT / "README.md"))


def test_variables_of_ansible_are_taken_as_the_page_says() -> None:
    loaded = from_variables({"fail_fsat": True}, env={}, base_dir=ROOT)
    assert loaded.warnings[0] in " ".join(prose(DOCS / "configuration.md").split())
