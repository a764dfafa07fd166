# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine's list alone tells of the health of a service out of a Compose file."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._compose_containers import (
    Container,
    own_health,
)
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_engine import Engine
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_observe import Instance


def container(text: str) -> Container:
    instance = Instance("1", "x", "shop", "", "", "", "running", text, 0.0)
    return Container(instance, "p", "web", "shop", (), "no", "", is_ours=True, file="/x/compose.yaml")


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["Up 3 minutes (healthy)"], "healthy"),
        (["Up 3 minutes (healthy)", "Up 2 minutes (healthy)"], "healthy"),
        (["Up 3 minutes (healthy)", "Up 2 minutes"], ""),
        (["Up 3 minutes (unhealthy)"], ""),
        (["Up 3 seconds (health: starting)"], ""),
        (["Up 3 minutes"], "none"),
        ([], ""),
    ],
)
def test_only_what_passes_and_what_has_no_check_is_told_by_the_list(texts, told):
    docker = Engine(None, "unix:///x", "Docker", (28,))  # type: ignore[arg-type] # nothing is asked of it
    assert own_health(docker, [container(text) for text in texts]) == told


def test_podmans_list_does_not_say_that_there_is_no_check():
    podman = Engine(None, "unix:///x", "Podman", (4,))  # type: ignore[arg-type]
    assert own_health(podman, [container("Up 3 minutes")]) == ""
    assert own_health(podman, [container("Up 3 minutes (healthy)")]) == "healthy"
