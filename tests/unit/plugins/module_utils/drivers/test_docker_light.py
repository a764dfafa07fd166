# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking an engine without the SDK, and with it where that is not enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_light import (
    LightClient,
    ask,
    greeting,
)

from tests.fixtures.recorded import counting_engine


class Sdk:
    """The SDK's client, as far as it is asked here."""

    def __init__(self) -> None:
        self.closed = False
        self.base_url = "http+docker://localhost"

    def containers(self, **query: Any) -> list[dict[str, Any]]:
        return [{"asked": query}]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def made() -> list[Sdk]:
    return []


def client(path: Path, made: list[Sdk], version: str = "1.41") -> LightClient:
    def make() -> Any:
        made.append(Sdk())
        return made[-1]

    return LightClient(path, version, make, timeout=60)


def test_containers_are_listed_without_the_sdk(tmp_path: Path, made: list[Sdk]) -> None:
    path = tmp_path / "e.sock"
    with counting_engine(path, tmp_path, ["web"]) as asked:
        (found,) = client(path, made).containers(all=True, filters={"label": ["a=b"]})
    assert found["Names"] == ["/recorded-web"]
    assert asked == ["/v1.41/containers/json"]
    assert made == []


def test_the_sdk_is_asked_once_where_the_engine_refuses_or_more_is_wanted(tmp_path: Path, made: list[Sdk]) -> None:
    path = tmp_path / "e.sock"
    with counting_engine(path, tmp_path, ["web"]):
        refused = client(path, made, version="9.9")
        assert refused.containers(all=True, filters={}) == [{"asked": {"all": True, "filters": {}}}]
    assert refused.containers(all=True, filters={})[0]["asked"]["all"] is True  # nobody listens any more
    assert refused.base_url == "http+docker://localhost"
    assert len(made) == 1


def test_only_what_was_opened_is_closed(tmp_path: Path, made: list[Sdk]) -> None:
    light = client(tmp_path / "none", made)
    light.close()
    assert made == []
    assert light.base_url
    light.close()
    assert made[0].closed


def test_what_is_no_answer_is_none(tmp_path: Path) -> None:
    path = tmp_path / "e.sock"
    with counting_engine(path, tmp_path, []):
        assert ask(path, "/v1.41/containers/json", timeout=60) == []
        assert ask(path, "/none", timeout=60) is None
    assert ask(path, "/v1.41/containers/json", timeout=60) is None
    assert ask(tmp_path / "none", "/version", timeout=60) is None


def test_a_greeting_has_headers_by_names_in_lower_case_and_none_where_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "e.sock"
    with counting_engine(path, tmp_path, []):
        said = greeting(path, timeout=60)
    assert (said["api-version"], said["server"]) == ("1.41", "Docker/20.10.24 (linux)")
    assert greeting(path, timeout=60) == {}
