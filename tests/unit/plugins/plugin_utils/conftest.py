"""What tests of the controller's code share: definitions and whole installations in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import ConfigurationError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition
from ansible_collections.provisioning.platform.plugins.plugin_utils.config import from_mapping
from ansible_collections.provisioning.platform.plugins.plugin_utils.resolve import Platform, resolve

REGISTRIES = Path(__file__).parents[3] / "fixtures" / "registries"
ROLES = Path(__file__).parents[4] / "roles"


_OTHERS = ("only", "variables", "work_dir", "inventory", "host")


@pytest.fixture
def registries() -> Path:
    return REGISTRIES


@pytest.fixture
def service() -> Callable[..., ServiceDefinition]:
    """Make a definition: ``service("gitea", docker={"image": "x"}, port=3000)`` runs as a container."""

    def make(name: str, **settings: Any) -> ServiceDefinition:
        modes = ("binary", "docker", "compose", "kubernetes", "remote")
        blocks = {mode: settings.pop(mode) for mode in modes if mode in settings}
        blocks = blocks or {"binary": {"command": name}}
        deployment = {"mode": next(iter(blocks)), **blocks}
        return build(ServiceDefinition, {"name": name, "deployment": deployment, **settings})

    return make


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Platform]:
    """Resolve an installation of the definitions given, and of nothing else unless told so."""

    def run(services: dict[str, Any], *, env: dict[str, str] | None = None, **settings: Any) -> Platform:
        file = tmp_path / "services.json"
        file.write_text(json.dumps({"services": services}))
        arguments = {key: settings.pop(key) for key in _OTHERS if key in settings}
        user_variables = {"variables": settings.pop("vars")} if "vars" in settings else {}
        config = from_mapping({"registry": [str(file)], **settings, **user_variables}, env=env or {}, base_dir=tmp_path)
        arguments.setdefault("only", list(services))
        return resolve(config, home="/home/me", roles_dir=ROLES, env=env or {}, **arguments)

    return run


@pytest.fixture
def faults_of() -> Callable[..., list[str]]:
    """Call something that must fail, and return its problems as texts."""

    def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            function(*args, **kwargs)
        return [str(problem) for problem in caught.value.problems]

    return run
