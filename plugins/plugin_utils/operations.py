# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations as data: those that come with the collection, and what a configuration can get wrong of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._build import build
from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._settings import Operation
from ansible_collections.provisioning.platform.plugins.plugin_utils.documents import read_document
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import suggest_or_list

_FILE = Path("platform", "meta", "operations.yml")
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62})")


def built_in_operations(roles_dir: Path) -> dict[str, Operation]:
    """Return the operations that every platform has, by name.

    :param roles_dir: the collection's ``roles`` folder.
    :raises ConfigurationError: the file cannot be read, or holds something else.
    """
    file = roles_dir / _FILE
    if not file.is_file():  # a folder of roles that is not the collection's
        return {}
    return {name: build(Operation, given, path=f"{file}: {name}") for name, given in read_document(file).items()}


def operation_problems(
    operations: Mapping[str, Operation], *, known: Collection[str], installed: Collection[str]
) -> Iterator[Problem]:
    """Yield what is wrong with a configuration's operations.

    :param known: the services that the registry has.
    :param installed: those of the installation.
    """
    for name, operation in operations.items():
        if not _NAME.fullmatch(name):
            remedy = "Use a-z, 0-9, - and _, at most 63."
            yield Problem(f"operations.{name}", f"{name!r} cannot be an operation's name", remedy)
        if not operation.requires:
            yield Problem(f"operations.{name}.requires", "is empty", "Name the services that the operation takes.")
        for index, service in enumerate(operation.requires):
            path = f"operations.{name}.requires[{index}]"
            if service not in known:
                yield Problem(path, f"there is no service {service}", suggest_or_list(service, known))
            elif service not in installed:
                remedy = "Name it in deployment.services, or take it out here."
                yield Problem(path, f"{service} is not installed", remedy)
