# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What definitions say of themselves."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

INSIDE = "http://web.provisioning.svc:8080"


@pytest.mark.parametrize(
    ("block", "url"),
    [
        ({}, INSIDE),
        ({"expose": {"type": "NodePort", "node_port": 30080, "address": "node.example"}}, "http://node.example:30080"),
        ({"expose": {"type": "NodePort", "node_port": 30080}, "node_address": "10.0.0.9"}, "http://10.0.0.9:30080"),
        ({"expose": {"type": "NodePort", "node_port": 30080}, "node_address": "fd00::9"}, "http://[fd00::9]:30080"),
        ({"expose": {"type": "NodePort", "node_port": 30080}}, INSIDE),
        ({"expose": {"type": "NodePort"}, "node_address": "10.0.0.9"}, INSIDE),
        ({"expose": {"type": "LoadBalancer", "address": "lb.example"}}, "http://lb.example:8080"),
        ({"expose": {"type": "LoadBalancer"}}, INSIDE),
        ({"expose": {"type": "Ingress", "host": "web.example"}}, "http://web.example"),
        (
            {"expose": {"type": "Ingress", "host": "web.example", "path": "/a/", "tls_secret": "x"}},
            "https://web.example/a",
        ),
        ({"expose": {"type": "Ingress", "host": "*.example"}}, INSIDE),
    ],
)
def test_what_a_cluster_publishes_is_shown_by_the_address_that_is_reached_from_outside(
    block: dict[str, Any], url: str
) -> None:
    document = {"name": "web", "port": 8080, "deployment": {"mode": "kubernetes", "kubernetes": block}}
    assert build(ServiceDefinition, document).url == url
