# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services an installation has, with all that its owner changes of them merged over the definitions."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._graph import reachable
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import UnattendedInstallConfig
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import plain
from ansible_collections.provisioning.platform.plugins.plugin_utils.profiles import PROFILES
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import loopback_name
from ansible_collections.provisioning.platform.plugins.plugin_utils.registry import Source, expand, override
from ansible_collections.provisioning.platform.plugins.plugin_utils.validation import UNKNOWN_SETTING, check_definition
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import suggest_or_list

_NO = ("false", "no", "off", "n", "f", "0")
_VARIABLE_SUFFIX = "_service"


@dataclass(frozen=True)
class Selected:
    """A service that is installed.

    :param document: its definition, overrides merged in, placeholders and all.
    :param mode_chosen: whether the owner chose its mode, so that the platform does not.
    """

    source: Source
    document: dict[str, Any]
    mode_chosen: bool


@dataclass(frozen=True)
class Selection:
    """The services of an installation, and what its owner should know.

    :param problems: settings that nobody knows, of services that are listed and not installed.
    """

    services: dict[str, Selected]
    warnings: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def select(
    config: UnattendedInstallConfig,
    sources: Mapping[str, Source],
    *,
    variables: Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
) -> Selection:
    """Choose the services and merge what changes them.

    Installed are the profile's services, those of the user's own registries, and those that ``deployment.services``
    names, except what is not ``enabled``. Later changes win: the definition, the profile (whether it is required),
    ``deployment.services``, Ansible's variables ``NAME_service``.

    :param variables: Ansible's variables, of which only ``NAME_service`` are looked at.
    :param only: names of the services wanted; these and what they depend on, in place of the profile's.
    :raises ConfigurationError: a service is unknown or named twice.
    """
    changes = _from_configuration(config, sources)
    from_variables, warnings = variable_overrides(variables or {}, sources)
    profile = PROFILES[config.deployment.profile]
    if only is None:
        _check_profile(config, sources)
    merged = {
        name: _merged(config, source, profile.get(name), [changes.get(name), from_variables.get(name)])
        for name, source in sources.items()
    }
    if only is None:
        wanted = {name for name in merged if name in profile or name in changes or not sources[name].built_in}
    else:
        raise_if_any([_unknown(name, name, sources) for name in only if name not in sources], ConfigurationError)
        # What is good to have is part of it where the profile has it: a service is the same alone and among the rest.
        there = {*profile, *changes, *only}
        needs = {name: _needs(item.document, sources, there) for name, item in merged.items()}
        wanted = reachable(needs, only)
    asked = set(only or ())
    services = {name: merged[name] for name in merged if name in wanted and (name in asked or _enabled(merged[name]))}
    chosen = {name: _switched_on(item) if name in asked else item for name, item in services.items()}
    return Selection(
        {name: _without_missing(item, sources, chosen) for name, item in chosen.items()},
        warnings,
        tuple(_unknown_settings({name: merged[name] for name in changes if name not in services})),
    )


def variable_overrides(
    variables: Mapping[str, Any], sources: Mapping[str, Source]
) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """Return what Ansible's variables ``NAME_service`` change, and warnings about those that look like it and do not.

    :raises ConfigurationError: a value in one of them has no JSON type.
    """
    names = {name.replace("-", "_") + _VARIABLE_SUFFIX: name for name in sources}
    overrides: dict[str, dict[str, Any]] = {}
    warnings = []
    for variable, value in variables.items():
        if not variable.endswith(_VARIABLE_SUFFIX):
            continue
        if variable not in names:
            alike = difflib.get_close_matches(variable, names, n=1, cutoff=0.87)
            if alike and isinstance(value, Mapping):
                warnings.append(f"The variable {variable} changes no service. Did you mean {alike[0]}?")
        elif isinstance(value, Mapping):
            overrides[names[variable]] = plain(value, variable)
        else:
            warnings.append(f"The variable {variable} is not a mapping, so it changes nothing of {names[variable]}.")
    return overrides, tuple(warnings)


def _from_configuration(config: UnattendedInstallConfig, sources: Mapping[str, Source]) -> dict[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    problems = []
    for index, entry in enumerate(config.deployment.services):
        path = f"deployment.services[{index}].name"
        if entry.name not in sources:
            problems.append(_unknown(path, entry.name, sources))
        elif entry.name in changes:
            problems.append(Problem(path, f"{entry.name} stands here a second time", "Join the two entries."))
        changes[entry.name] = {"enabled": True, **entry.settings}
    raise_if_any(problems, ConfigurationError)
    return changes


def _unknown_settings(left_out: Mapping[str, Selected]) -> Iterator[Problem]:
    """Yield the settings that nobody knows; what their values would be is not asked of services left out."""
    for name, item in left_out.items():
        for problem in check_definition(item.document, path=name)[1]:
            if problem.why == UNKNOWN_SETTING:
                yield problem


def _check_profile(config: UnattendedInstallConfig, sources: Mapping[str, Source]) -> None:
    missing = [name for name in PROFILES[config.deployment.profile] if name not in sources]
    known = ", ".join(sorted(sources)) or "none"
    remedy = f"Known services: {known}. Choose another mode, or define them in a registry of your own."
    if missing:
        why = f"the profile has services that no registry knows: {', '.join(missing)}"
        raise ConfigurationError(Problem(f"deployment.mode {config.deployment.mode}", why, remedy))


def _unknown(path: str, name: str, sources: Mapping[str, Source]) -> Problem:
    return Problem(path, f"there is no service {name}", suggest_or_list(name, sources))


def _merged(
    config: UnattendedInstallConfig, source: Source, required: bool | None, changes: list[dict[str, Any] | None]
) -> Selected:
    document = dict(source.document)
    if required is not None and (source.built_in or "required" not in document):
        document["required"] = required
    mode_chosen = False
    for change in changes:
        if change:
            document = override(document, change)
            deployment = expand(change).get("deployment")
            mode_chosen = mode_chosen or (isinstance(deployment, Mapping) and "mode" in deployment)
    document.setdefault("bind_address", config.deployment.bind_address)
    if document["bind_address"] == "localhost":  # programs and engines take addresses
        document["bind_address"] = loopback_name("localhost")
    document["name"] = source.name
    return Selected(source, document, mode_chosen)


def _needs(document: Mapping[str, Any], known: Container[str], there: Container[str]) -> list[str]:
    """Return what a service depends on, without what it can do without and that is not there."""
    needs = document.get("depends_on")
    if not isinstance(needs, dict):
        return [str(name) for name in needs] if isinstance(needs, list) else []
    return [str(name) for name, need in needs.items() if name in there or not (_is_optional(need) and name in known)]


def _without_missing(item: Selected, known: Container[str], installed: Container[str]) -> Selected:
    """Take out of its dependencies what it can do without and that is not installed; a name nobody knows stays."""
    needs = item.document.get("depends_on")
    if not isinstance(needs, dict):
        return item
    kept = _needs(item.document, known, installed)
    document = {**item.document, "depends_on": {name: needs[name] for name in needs if str(name) in kept}}
    return Selected(item.source, document, item.mode_chosen)


def _is_optional(need: Any) -> bool:
    return isinstance(need, Mapping) and need.get("optional") is True


def _enabled(item: Selected) -> bool:
    value = item.document.get("enabled", True)
    return value is not False and not (isinstance(value, str) and value.casefold() in _NO)


def _switched_on(item: Selected) -> Selected:
    return Selected(item.source, {**item.document, "enabled": True}, item.mode_chosen)
