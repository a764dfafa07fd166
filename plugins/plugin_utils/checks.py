# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of single values, shared by those of the configuration and of definitions."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.provisioning.platform.plugins.module_utils._errors import Problem
from ansible_collections.provisioning.platform.plugins.module_utils._secrets import PLACEHOLDER, references
from ansible_collections.provisioning.platform.plugins.plugin_utils.published import is_port
from ansible_collections.provisioning.platform.plugins.plugin_utils.wording import shown

#: How a token is given without being written down; to be filled with the setting.
HOW_TO_GIVE_IT = "Declare it, secrets: {{token: {{environment: NAME}}}}, and write ${{secret.token}} as the {}."

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What a work dir's path cannot have, with what takes it for something else.
_TAKEN = {"$": "substitution", "{{": "Jinja", "{%": "Jinja", "{#": "Jinja", ":": "mounts of containers"}
#: Control characters, ends of lines and of paragraphs, and halves of what is no character.
_UNWRITABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LONGEST_VARIABLE = 128 * 1024
#: What is left of 2 MiB beside what a process gets of ours, and the room that the kernel takes for each.
_LARGEST_ENVIRONMENT = 1536 * 1024
PORTS = "Ports go from 1 to 65535."
#: A day, in seconds: whoever waits for longer does not wait any more.
LONGEST_WAIT = 86_400
#: More replicas of a service than any host or usual cluster bears.
MOST_REPLICAS = 1_000
MOST_TRIES = 10_000
_IMAGE = re.compile(
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,})?"
)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def path_problems(path: str, value: str | None, *, bare: bool = False) -> Iterator[Problem]:
    """Yield a problem unless the value is absent or an absolute path.

    :param bare: accept a name without a slash too, which is looked up.
    """
    if value is None or value.startswith("/") or (bare and value and "/" not in value):
        return
    hint = "or a name to be found in PATH" if bare else "beginning with / or ~/"
    yield Problem(path, f"{shown(value, path)} is not an absolute path", f"Write the whole path, {hint}.")


def work_dir_problems(value: str) -> Iterator[Problem]:
    """Yield a problem unless the value can be the path of a work dir: in mounts, in templates, in files of settings.

    Spaces and letters of any language can be in it.
    """
    path = "work_dir"
    if not value.startswith(("/", "~/")):
        remedy = "Write the whole path, beginning with / or ~/."
        yield Problem(path, f"{shown(value, path)} is not an absolute path", remedy)
        return
    remedy = "Set work_dir to a path without it."
    for mark, meaning in _TAKEN.items():
        if mark in value:
            yield Problem(
                path, f"{shown(value, path)} has {mark!r} in it, which {meaning} would take for its own", remedy
            )
            return
    for character in value:
        if unicodedata.category(character) in _UNWRITABLE:
            yield Problem(path, f"{shown(value, path)} has the control character {character!r} in it", remedy)
            return


def url_problems(path: str, value: str, schemes: tuple[str, ...] = ("http", "https")) -> Iterator[Problem]:
    """Yield a problem unless the value is a URL of one of the schemes with a host and a sane port."""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError as error:
        yield Problem(path, f"is not a URL: {error}")
        return
    if not has_port(value):
        yield Problem(path, f"{shown(value, path)} has something else than a port after its host", PORTS)
        return
    if parts.scheme not in schemes or not host or any(character.isspace() for character in value):
        begins = " or ".join(f"{scheme}://" for scheme in schemes)
        yield Problem(path, f"{shown(value, path)} is not a URL", f"It begins with {begins}.")


def has_port(url: str) -> bool:
    """Whether what a URL has for a port is one; true where it names none."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port is None or is_port(port)


def header_problems(path: str, headers: Mapping[str, object]) -> Iterator[Problem]:
    """Yield a problem for each header that would break the request; no value is in it."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            yield Problem(f"{path}.{name}", "is not the name of a header", "Use letters, digits and dashes.")
        elif not isinstance(value, str) or not value.isprintable() or not _fits_latin1(value):
            yield Problem(f"{path}.{name}", "has a value that no header may have", "Keep it to a line of plain text.")


def key_problems(path: str, certificate: str | None, key: str | None) -> Iterator[Problem]:
    """Yield a problem when there is a client's key and no certificate to it."""
    if key is not None and certificate is None:
        yield Problem(f"{path}.client_certificate", "is missing, although there is a client_key", "Name it too.")


def credential_problems(path: str, headers: Mapping[str, object]) -> Iterator[Problem]:
    """Yield a problem for each header whose credentials are written out; no value is in it."""
    for name, value in headers.items():
        if name.lower() in ("authorization", "proxy-authorization") and not PLACEHOLDER.search(str(value)):
            remedy = HOW_TO_GIVE_IT.format("secret part of the header")
            yield Problem(f"{path}.{name}", "is written out, and would be kept in records", remedy)


def _fits_latin1(value: str) -> bool:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def variable_name_problems(path: str, names: dict[str, object]) -> Iterator[Problem]:
    """Yield a problem for each name that no environment variable can have."""
    for name in names:
        if not _VARIABLE_NAME.fullmatch(name):
            yield Problem(f"{path}.{name}", "is not the name of an environment variable", "Use letters, digits and _.")


def environment_problems(path: str, variables: Mapping[str, object]) -> Iterator[Problem]:
    """Yield a problem for each name that no environment variable can have, and for what no process can be given.

    The measures are Linux's, see execve(2): 128 KiB for one, and by default 2 MiB for all.
    """
    yield from variable_name_problems(path, dict(variables))
    sizes = {name: len(f"{name}={value}".encode(errors="replace")) + 1 for name, value in variables.items()}
    remedy = "Put it into a file, e.g. by config, and give its path."
    for name, size in sizes.items():
        if size > _LONGEST_VARIABLE:
            why = f"is too long for an environment variable: {size // 1024} KiB"
            yield Problem(
                f"{path}.{name}", why, f"With its name it has {_LONGEST_VARIABLE // 1024} KiB at most. {remedy}"
            )
            return
    if sum(sizes.values()) > _LARGEST_ENVIRONMENT:
        why = f"is too large for an environment: {sum(sizes.values()) // 1024} KiB"
        yield Problem(path, why, f"It has {_LARGEST_ENVIRONMENT // 1024} KiB at most. {remedy}")


def port_problems(path: str, number: int) -> Iterator[Problem]:
    """Yield a problem unless the number is that of a port."""
    if not is_port(number):
        yield Problem(path, f"{number} is not a port", PORTS)


def least_problems(path: str, value: float | None, least: float, most: float | None = None) -> Iterator[Problem]:
    """Yield a problem when a number is below the least, or above the most, that makes sense."""
    if value is not None and value < least:
        yield Problem(path, f"{value:g} is too small", f"The least is {least:g}.")
    yield from _most(path, value, most)


def positive_problems(path: str, value: float | None, most: float | None = None) -> Iterator[Problem]:
    """Yield a problem when a number is not above zero, or above the most that makes sense."""
    if value is not None and value <= 0:
        yield Problem(path, f"{value:g} is not above zero")
    yield from _most(path, value, most)


def _most(path: str, value: float | None, most: float | None) -> Iterator[Problem]:
    if value is not None and most is not None and value > most:
        yield Problem(path, f"{value} is too large", f"The most is {most}.")


def image_problems(path: str, value: str) -> Iterator[Problem]:
    """Yield a problem unless the value is the reference of an image: ``[registry/]name[:tag][@digest]``.

    The grammar is that of github.com/distribution/reference.
    """
    if not value.strip():
        yield Problem(path, "is empty")
    elif not _IMAGE.fullmatch(value):
        yield Problem(path, f"{shown(value, path)} is not the name of an image", "E.g. registry.example/team/app:1.2.")


def mount_problems(path: str, targets: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem for each path in a container on which two things are mounted."""
    seen: set[str] = set()
    for target in map(posixpath.normpath, targets):
        if target in seen:
            yield Problem(path, f"mounts two things on {target}", "Choose another path for one of them.")
        seen.add(target)


def secret_problems(path: str, value: Any, seen_by: str) -> Iterator[Problem]:
    """Yield a problem for each secret in a setting that others than the service see.

    :param seen_by: by whom, as the end of a sentence.
    """
    for owner, name in references(value):
        why = f"holds the secret {owner}.{name}, which {seen_by}"
        yield Problem(path, why, "Hand it over in env or in a configuration file.")
