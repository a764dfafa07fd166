# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation's configuration, from TOML, YAML or Ansible's variables.

Environment variables are substituted here, except where definitions' placeholders may stand too: in
``deployment.services``, ``variables`` and ``env_vars``, which ``resolve`` does.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from ansible_collections.provisioning.platform.plugins.module_utils._errors import (
    ConfigurationError,
    Problem,
    raise_if_any,
)
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import strings_in
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_checks import (
    config_problems,
    readable_secret_warning,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.config_model import (
    PROFILE_OF_MODE,
    TOP_LEVEL_KEYS,
    PlatformName,
    Profile,
    UnattendedInstallConfig,
)
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import plain, read_document
from ansible_collections.provisioning.platform.plugins.plugin_utils.substitution import Substitution
from ansible_collections.provisioning.platform.plugins.plugin_utils.validation import check_shape
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import nearest

#: Holds the id of the installation in progress, so that all of its processes call it the same.
ID_VARIABLE = "PROVISIONING_INSTALLATION_ID"

_VARIABLE = re.compile(r"\$\{var\.([A-Za-z0-9_-]+)")
_SUBSTITUTED_LATER = ("env_vars", "variables")


@dataclass(frozen=True)
class Loaded:
    """A configuration, and what its owner should know about it."""

    config: UnattendedInstallConfig
    warnings: tuple[str, ...] = ()


def load_file(path: str | Path, *, env: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read a configuration file.

    :param path: a TOML or YAML file.
    :param env: environment, for ``${TOKEN}``.
    :param overrides: top-level settings in place of the file's.
    :raises ConfigurationError: it cannot be read, or something in it is wrong; all faults are in it.
    """
    file = Path(path)
    document = {**read_document(file), **plain(dict(overrides or {}))}
    config = from_mapping(document, env=env, base_dir=file.resolve().parent)
    warning = readable_secret_warning(file, document)
    return Loaded(config, (warning,) if warning else ())


def from_variables(variables: Mapping[str, Any], *, env: Mapping[str, str], base_dir: Path) -> Loaded:
    """Pick the configuration out of Ansible's variables, whose names are everybody's.

    :param variables: all of them; names that are nearly one of ours give a warning.
    :param base_dir: what relative paths in ``registry`` are relative to.
    :raises ConfigurationError: something in what is ours is wrong.
    """
    ours = {name: variables[name] for name in TOP_LEVEL_KEYS if name in variables}
    others = [name for name in variables if name not in ours and not name.startswith("ansible_")]
    warnings = []
    for name in others:
        meant = nearest(name, TOP_LEVEL_KEYS, likeness=0.85)
        if meant and meant not in ours:
            warnings.append(f"The variable {name} is no setting of an installation. Did you mean {meant}?")
    return Loaded(from_mapping(ours, env=env, base_dir=base_dir), tuple(warnings))


def from_mapping(
    raw: Mapping[str, Any], *, env: Mapping[str, str], base_dir: Path, clock: Callable[[], float] = time.time
) -> UnattendedInstallConfig:
    """Make a configuration of JSON types; a key that is not known is an error.

    :param env: environment, for ``${TOKEN}``; it may hold the id of the installation, too.
    :param base_dir: what relative paths in ``registry`` are relative to.
    :param clock: unix time in seconds, for the id of an installation that has none.
    :raises ConfigurationError: something is wrong; all faults are in it.
    """
    document, substitution = _substituted(plain(raw), env)
    config, faults = check_shape(UnattendedInstallConfig, _canonical(document))
    left = {problem.what.partition(": ${")[0] for problem in substitution.problems}
    problems = [*substitution.problems, *(fault for fault in faults if fault.what not in left)]
    raise_if_any(problems, ConfigurationError)
    if config is None:  # Faults are never empty then; said for the type checker.
        raise ConfigurationError(Problem("configuration", "is not one"))
    profile = config.deployment.profile
    config = replace(
        config,
        installation_id=config.installation_id or env.get(ID_VARIABLE) or new_installation_id(profile, clock()),
        registry=[_absolute(path, base_dir, env) for path in config.registry],
    )
    raise_if_any(config_problems(config), ConfigurationError)
    return config


def unused_variables(given: Collection[str], documents: Iterable[Any]) -> tuple[str, ...]:
    """Return a warning for each variable that nothing takes: it was meant to be called otherwise, or is a setting.

    :param given: names that the caller gave values for ``${var.NAME}``.
    :param documents: all that may hold placeholders, as JSON types.
    """
    used = {name for document in documents for text in strings_in(document) for name in _VARIABLE.findall(text)}
    warnings = []
    for name in given:
        if name in used:
            continue
        setting = nearest(name, TOP_LEVEL_KEYS, likeness=0.85)
        meant = nearest(name, used - set(given), likeness=0.7)
        if setting:
            remedy = f"{setting} is a setting: write it into the configuration."
        else:
            remedy = f"Did you mean {meant}?" if meant else f"It fills in ${{var.{name}}} in the configuration."
        warnings.append(f"The variable {name} is used by nothing. {remedy}")
    return tuple(warnings)


def new_installation_id(profile: Profile, now: float) -> str:
    """Make up the id of an installation, e.g. ``solo-20260131-120000-1f2e``.

    :param now: unix time in seconds.
    """
    return f"{profile}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


def _substituted(document: dict[str, Any], env: Mapping[str, str]) -> tuple[dict[str, Any], Substitution]:
    substitution = Substitution(env)
    done = {}
    for key, value in document.items():
        if key in _SUBSTITUTED_LATER:
            done[key] = value
        elif key == "deployment" and isinstance(value, dict):
            own = {name: item for name, item in value.items() if name != "services"}
            done[key] = {**value, **substitution.apply(own, key)}
        else:
            done[key] = substitution.apply(value, key)
    return done, substitution


def _canonical(document: dict[str, Any]) -> dict[str, Any]:
    """Write names as the schema has them: ``docker`` is Docker, ``multi-user`` MultiUser; take services apart."""
    deployment = document.get("deployment")
    if not isinstance(deployment, dict):
        return document
    modes = {_folded(name): mode for mode, profile in PROFILE_OF_MODE.items() for name in (mode, profile)}
    platforms = {_folded(name): name for name in get_args(PlatformName)}
    canonical = dict(deployment)
    for key, names in (("mode", modes), ("platform", platforms)):
        value = canonical.get(key)
        if isinstance(value, str):
            canonical[key] = names.get(_folded(value), value)
    if isinstance(canonical.get("services"), list):
        canonical["services"] = [_override(item) for item in canonical["services"]]
    return {**document, "deployment": canonical}


def _folded(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace("/", "")


def _override(item: Any) -> Any:
    """Take a listed service apart: its name, and what is changed of it; a name alone changes nothing."""
    if isinstance(item, str):
        return {"name": item}
    if not isinstance(item, dict):
        return item
    settings = {key: value for key, value in item.items() if key != "name"}
    return {**({"name": item["name"]} if "name" in item else {}), "settings": settings}


def _absolute(path: str, base_dir: Path, env: Mapping[str, str]) -> str:
    home = env.get("HOME")
    if home and path.startswith("~/"):
        return f"{home.rstrip('/')}/{path[2:]}"
    return os.path.normpath(base_dir / path)
