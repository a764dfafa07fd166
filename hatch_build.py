"""Keeps `pip install -e` free of copies: it links to the tree and carries no file of the collection."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableWithoutCopies(BuildHookInterface):  # type: ignore[type-arg]
    """Replaces the files that a wheel is forced to carry, when the wheel is only a link to the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Set what an editable build carries; an empty mapping would mean "as in the wheel", so it gets the licence."""
        if version == "editable":
            build_data["force_include_editable"] = {"LICENSE": "provisioning_platform-editable/LICENSE"}
