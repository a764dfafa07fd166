# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._docker_images import (
    check_build,
    is_transient,
    pull_problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model import BuildSpec, DockerDeployment


@pytest.mark.parametrize(
    "text",
    [
        'Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
        'Get "https://r/v2/": dial tcp: lookup r on 1.1.1.1:53: server misbehaving',
        'Get "https://r/v2/": net/http: TLS handshake timeout',
        'Get "https://r/v2/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        'Get "https://r/v2/": read tcp 10.0.0.2:3->10.0.0.1:443: read: connection reset by peer',
        'Get "https://r/v2/": EOF',
        "unexpected EOF",
        "received unexpected HTTP status: 503 Service Unavailable",
        "toomanyrequests: You have reached your unauthenticated pull rate limit.",
        "reading manifest 1 in r/x: received unexpected HTTP status: 502 Bad Gateway",
        "failed to create network x_default: Error response from daemon: route ip+net: no such network interface",
    ],
)
def test_what_may_pass_is_tried_again(text):
    assert is_transient(text)


@pytest.mark.parametrize(
    "text",
    [
        "pull access denied for x, repository does not exist or may require 'docker login'",
        "manifest for r/x:9 not found: manifest unknown: manifest unknown",
        "unauthorized: authentication required",
        'Get "https://r/v2/": dial tcp: lookup r on 1.1.1.1:53: no such host',
        "invalid reference format",
        "no matching manifest for linux/amd64 in the manifest list entries",
        "x509: certificate signed by unknown authority",
        "denied: access forbidden; status code 503",
    ],
)
def test_what_stays_as_it_is_is_not_tried_again(text):
    assert not is_transient(text)


@pytest.mark.parametrize(
    ("text", "why", "remedy"),
    [
        ("manifest unknown", "there is no image r/x:1", "Correct docker.image"),
        ("repository name not known to registry: not found", "there is no image r/x:1", "Correct docker.image"),
        ("pull access denied for x, repository does not exist", "the registry denies it", "Log in to the registry"),
        ("lookup r on 1.1.1.1:53: no such host", "its registry's name is not known here", "Connect this machine"),
        ("dial tcp: connection refused", "cannot be pulled after 3 attempts: dial tcp: connection refused", "reached"),
        ("x509: unknown authority", "cannot be pulled: x509: unknown authority", "reached"),
    ],
)
def test_why_an_image_cannot_be_pulled_is_said_with_the_remedy(text, why, remedy):
    problem = pull_problem("r/x:1", text)
    assert why in problem.why
    assert remedy in problem.remedy


def docker_block(context: str, containerfile: str = "Containerfile") -> DockerDeployment:
    return DockerDeployment(image="web:1", build=BuildSpec(context=context, containerfile=containerfile))


def test_what_a_build_lacks_is_found_before_it_begins(tmp_path):
    assert check_build(DockerDeployment(image="web:1"), "web") == []
    assert "to build its image from does not exist" in check_build(docker_block(f"{tmp_path}/none"), "web")[0].why
    assert check_build(docker_block(str(tmp_path)), "web")[0].why == f"{tmp_path}/Containerfile does not exist"
    (tmp_path / "Containerfile").touch()
    assert check_build(docker_block(str(tmp_path)), "web") == []
