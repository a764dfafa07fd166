# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a service from running is known, or said in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.provisioning.platform.plugins.module_utils._drivers._base import (
    ABSENT,
)
from ansible_collections.provisioning.platform.plugins.module_utils._errors import DriverError
from ansible_collections.provisioning.platform.plugins.module_utils._model import ServiceDefinition

from tests.fixtures.binary_host import Host
from tests.fixtures.definitions import service


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        (service("a", command="no-such-command"), "a: the command no-such-command is not there or not executable. I"),
        (service("a", command="/etc/passwd"), "a: the command /etc/passwd is not there or not executable."),
        (service("a", binary={"user": "no-such-user"}), "a: there is no user no-such-user. Create it, or name another"),
        (service("a", binary={"group": "no-such-group"}), "a: there is no group no-such-group. Create it or name"),
        (service("a", binary={"working_dir": "/no/such"}), "a: the working directory /no/such does not exist. Create"),
        (service("a", startup={"stop_signal": "SIGNAL"}), "a: startup.stop_signal: there is no signal SIGNAL. Name"),
        (
            service("a", args=["--password", "${secret.a.password}"]),
            "a: its arguments hold the secret a.password, which ps would show to every user. Hand it over",
        ),
        (
            service("a", health={"type": "command", "command": ["curl", "-H", "${secret.a.token}"]}),
            "a: the command of a check holds the secret a.token, which ps would show to every user. Let",
        ),
        (
            service("a", verify=[{"type": "command", "command": ["id"], "inside": True}]),
            "a: the command of a check is to be run inside it, and a process has no inside. Set inside to false.",
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_service_from_running_is_known_before_it_is_started(
    host: Host, definition: ServiceDefinition, problem: str
) -> None:
    (found,) = host.driver.check(definition)
    assert str(found).startswith(problem)


@pytest.mark.parametrize("content", [b"\x7fELFnot really", b"#!/no/such/interpreter\n"])
def test_a_file_that_cannot_be_run_is_an_error_in_words(host: Host, tmp_path: Path, content: bytes) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(0o755)
    with pytest.raises(DriverError, match=rf"one: {program} cannot be run: .*\. Check the file, its permissions"):
        host.start(service("one", command=str(program)))
    assert host.observe(service("one")) == ABSENT
