# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Docker Compose and the engines behind it say, and what users are told."""

from __future__ import annotations

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._compose_command import complaint
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._compose_errors import (
    reading_problem,
    starting_problem,
)
from ansible_collections.provisioning.platform.plugins.module_utils._model import DockerComposeDeployment

COMPOSE = DockerComposeDeployment(file="/srv/compose.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no such service: nope", "/srv/compose.yaml has no service nope. Name one that it has"),
        (
            "validating /srv/compose.yaml: services.web additional properties 'imag' not allowed",
            "the Compose file has an error: validating /srv/compose.yaml: services.web additional properties",
        ),
        ("yaml: line 4: did not find", "the Compose file has an error: /srv/compose.yaml: yaml: line 4: did not find."),
    ],
)
def test_errors_of_a_file(text, told):
    assert told in str(reading_problem("web", COMPOSE, text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'Get "https://registry.invalid/v2/": dial tcp: lookup registry.invalid: no such host',
            "web: the image web:1 cannot be pulled: its registry's name is not known here. Connect this machine",
        ),
        (
            "pull access denied for team/app, repository does not exist or may require 'docker login'",
            "web: the image team/app cannot be pulled: the registry denies it",
        ),
        (
            "dependency failed to start: container p-shop-db-1 is unhealthy",
            "web: p-shop-db-1, which it needs in its Compose file, is unhealthy. Look at its log: docker logs",
        ),
        ("The command '/bin/sh -c false' returned a non-zero code: 1", "web: building its image failed: The command"),
        (
            "Bind for 127.0.0.1:80 failed: port is already allocated",
            "port 80 of 127.0.0.1 is already taken. Stop what uses it, or publish another port in the Compose file.",
        ),
        (
            'exec: "nope": executable file not found in $PATH: unknown',
            "web: the image has no command nope. Correct the Compose file.",
        ),
        ("something new", "web: Compose says: something new."),
    ],
)
def test_errors_of_a_start(text, told):
    assert told in str(starting_problem("web", text, "web:1"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "it failed without saying why"),
        ('time="2026" level=warning msg="The X variable is not set"\nno such service: x\n', "no such service: x"),
        (" web Pulling\nError response from daemon: denied\n", "denied"),
    ],
)
def test_what_compose_complains_of_is_its_last_line_that_is_no_warning(text, line):
    assert complaint(text) == line
