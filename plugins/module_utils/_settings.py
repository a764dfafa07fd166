# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all services of a host, and is written down for those who come without a configuration."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from ._build import build
from ._errors import ConfigurationError, Problem
from ._fields import STRICT, described
from ._model import Scalar
from ._paths import WorkDir, write_atomically


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something that people and programs do with the platform, and the services that it takes."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    requires: list[str] = field(metadata={"description": "Services that must run and be healthy."})
    may_start: bool = described("Whether those that do not run may be started for it.", True)
    description: str = described("One line on what it is.", "")


@dataclass(frozen=True)
class Settings:
    """What holds for all services of a host.

    :param env: environment variables that every service gets.
    :param elsewhere: hosts of the platform's services that are not on this one, by service.
    :param rounds: in how many rounds the platform's hosts start their services.
    :param operations: what is done with the platform, by name, and what it takes.
    :param provisioning_path: the command that operations call; ``~/`` is the home of whoever calls it.
    """

    project: str = "provisioning"
    engine: str = "docker"
    engine_url: str | None = None
    env: dict[str, Scalar] = field(default_factory=dict)
    elsewhere: dict[str, list[str]] = field(default_factory=dict)
    rounds: int = 1
    operations: dict[str, Operation] = field(default_factory=dict)
    provisioning_path: str | None = None


def read_settings(layout: WorkDir) -> Settings:
    """Return the settings of what is installed; the usual ones where none were written.

    :raises ConfigurationError: the file is damaged.
    """
    path = settings_path(layout)
    try:
        return build(Settings, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Settings()
    except (ValueError, ConfigurationError) as error:
        raise ConfigurationError(Problem(str(path), f"is damaged: {error}", "Run the installation again.")) from error


def write_settings(layout: WorkDir, settings: Settings) -> None:
    """Write settings down; nothing is written when they are there already.

    :raises OSError: they cannot be written.
    """
    if not settings_path(layout).exists() or read_settings(layout) != settings:
        write_atomically(settings_path(layout), json.dumps(asdict(settings)))


def settings_path(layout: WorkDir) -> Path:
    """Return where settings are written."""
    return layout.root / "services" / "settings.json"
