# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the collection is, and what Ansible's environment must be for it to be found."""

from __future__ import annotations

import importlib
import locale
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.provisioning.platform.plugins.module_utils._errors import PrerequisiteError, Problem

NAME = "provisioning.platform"
CALLBACK = f"{NAME}.webhook"

#: What ansible.cfg of a checkout says, for the package, which has none.
_SETTINGS = {
    "ANSIBLE_GATHERING": "explicit",
    "ANSIBLE_INJECT_FACT_VARS": "false",
    "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    "ANSIBLE_LOCALHOST_WARNING": "false",
    "ANSIBLE_PIPELINING": "true",
    "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
}

#: Settings for playbooks of another kind, with which ours would stop and ask, leave tasks out, do them in another order
#: or say nothing that can be read. A user may have them in his environment or in an ansible.cfg of his.
_NOT_FOR_US = {
    "ANSIBLE_ANY_ERRORS_FATAL": "false",
    "ANSIBLE_ASK_PASS": "false",
    "ANSIBLE_ASK_VAULT_PASS": "false",
    "ANSIBLE_BECOME_ASK_PASS": "false",
    "ANSIBLE_ENABLE_TASK_DEBUGGER": "false",
    "ANSIBLE_FORCE_COLOR": "false",
    "ANSIBLE_HASH_BEHAVIOUR": "replace",
    "ANSIBLE_NO_LOG": "false",
    "ANSIBLE_RUN_TAGS": "all",
    "ANSIBLE_SKIP_TAGS": "",
    "ANSIBLE_STDOUT_CALLBACK": "default",
    "ANSIBLE_STRATEGY": "linear",
}


def search_path() -> Path:
    """Return the folder that holds ``ansible_collections`` with the collection in it."""
    return _package_path().parents[2]


def root() -> Path:
    """Return the root of the collection: of the wheel's copy, or of the checkout that the symlink farm points into."""
    return (_package_path() / "plugins").resolve().parent


def playbook(name: str) -> Path:
    """Return a playbook of the collection, e.g. ``install``.

    :raises PrerequisiteError: the collection has none of that name.
    """
    path = root() / "playbooks" / f"{name}.yml"
    if not path.is_file():
        raise PrerequisiteError(
            Problem(str(path), "this playbook of the collection is missing", "Install the package again.")
        )
    return path


def environment(current: Mapping[str, str]) -> dict[str, str]:
    """Return the variables to add so that Ansible finds the collection, its callback and itself.

    :param current: the environment so far; what the user has set there is added to, and replaced only
        where it is not for playbooks like ours.
    """
    added = {
        "ANSIBLE_COLLECTIONS_PATH": _prepend(
            str(search_path()), current.get("ANSIBLE_COLLECTIONS_PATH", ""), os.pathsep
        ),
        "ANSIBLE_CALLBACKS_ENABLED": _prepend(CALLBACK, current.get("ANSIBLE_CALLBACKS_ENABLED", ""), ","),
        # ansible-playbook stands beside the interpreter; PATH need not have it when the command is called by its path.
        "PATH": _prepend(str(Path(sys.executable).parent), current.get("PATH", os.defpath), os.pathsep),
        "ANSIBLE_NOCOLOR": "1",
        **_NOT_FOR_US,
        **{name: value for name, value in _SETTINGS.items() if name not in current},
    }
    configuration = root() / "ansible.cfg"
    if "ANSIBLE_CONFIG" not in current and configuration.is_file():
        added["ANSIBLE_CONFIG"] = str(configuration)
    # Our own Python may have chosen UTF-8 against LC_ALL, which Ansible takes at its word.
    encodings = (locale.getpreferredencoding(False), current.get("LC_ALL") or "UTF-8")
    if not all("utf8" in encoding.lower().replace("-", "") for encoding in encodings):
        added["LC_ALL"] = "C.UTF-8"  # Ansible refuses to start with any other encoding.
    return added


def _prepend(item: str, present: str, separator: str) -> str:
    others = [other for other in present.split(separator) if other and other != item]
    return separator.join([item, *others])


def _package_path() -> Path:
    package = importlib.import_module(f"ansible_collections.{NAME}")
    return Path(next(iter(package.__path__)))
