# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Schemas of the configuration and of a definition, for editors: with the sugar that files may have."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

from ansible_collections.provisioning.platform.plugins.module_utils._model import Condition, Mode, ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import UnattendedInstallConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.validation import type_adapter

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLACEHOLDER = {"type": "string", "pattern": r"\$\{.+\}"}


def config_schema() -> dict[str, Any]:
    """Return the schema of a configuration file.

    :raises ConfigurationError: pydantic is not installed.
    """
    schema = _exported(UnattendedInstallConfig)
    definition = _sugared(_exported(ServiceDefinition))
    schema["$defs"].update(definition.pop("$defs"))
    override = {**definition, "title": "ServiceOverride", "required": ["name"]}
    override["properties"] = {**override["properties"], "mode": {"enum": list(get_args(Mode))}}
    schema["$defs"]["ServiceOverride"] = {"anyOf": [{"type": "string"}, override]}
    properties = schema["$defs"]["DeploymentConfig"]["properties"]
    for name in ("platform", "mode"):
        # Any letter case, and multi-user for MultiUser: the names are what editors complete.
        names = {"enum": properties[name]["enum"]}
        properties[name] = {**_without_enum(properties[name]), "anyOf": [names, {"type": "string"}]}
    return {"$schema": _DIALECT, **_lenient(schema)}


def definition_schema() -> dict[str, Any]:
    """Return the schema of a definition, as it stands in a role's ``meta/service.yml``.

    :raises ConfigurationError: pydantic is not installed.
    """
    return {"$schema": _DIALECT, **_lenient(_sugared(_exported(ServiceDefinition)))}


def _exported(cls: type) -> dict[str, Any]:
    schema: dict[str, Any] = type_adapter(cls).json_schema()
    return schema


def _sugared(schema: dict[str, Any]) -> dict[str, Any]:
    properties = dict(schema["properties"])
    needs = properties["depends_on"]
    condition = {"enum": list(get_args(Condition))}
    properties["depends_on"] = {
        **{key: needs[key] for key in ("description", "title") if key in needs},
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"anyOf": [condition, needs["additionalProperties"]]}},
        ],
    }
    for spec in dataclasses.fields(ServiceDefinition):
        if spec.metadata.get("filled_in"):
            del properties[spec.name]
    # The folder or the table has the name.
    required = [name for name in schema.get("required", []) if name != "name"]
    return {**schema, "properties": properties, "required": required}


def _without_enum(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("enum", "type")}


def _lenient(schema: Any) -> Any:
    """Let a placeholder stand wherever a number or a boolean is wanted."""
    if isinstance(schema, list):
        return [_lenient(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("integer", "number", "boolean"):
        outer = {key: schema[key] for key in ("default", "description", "title") if key in schema}
        inner = {key: value for key, value in schema.items() if key not in outer}
        return {**outer, "anyOf": [inner, _PLACEHOLDER]}
    return {key: _lenient(value) for key, value in schema.items()}
