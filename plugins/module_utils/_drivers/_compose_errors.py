# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Docker Compose says when something goes wrong, turned into one error with the fault and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

from .._errors import Problem
from .._model import DockerComposeDeployment
from ._docker_errors import explain
from ._docker_images import pull_problem

_UNKNOWN = re.compile(r"no such service: (?P<name>\S+)")
_IMAGE = re.compile(r"pull access denied for (?P<image>[^\s,]+)|manifest for (?P<other>\S+) not found", re.IGNORECASE)
_PULL = re.compile(
    r"pull access denied|manifest for|manifest unknown|lookup \S+|/v2/|registry|toomanyrequests|initializing source",
    re.IGNORECASE,
)
_BUILD = re.compile(
    r"returned a non-zero code|failed to solve|unable to prepare context|dockerfile|building at STEP", re.IGNORECASE
)
_DEPENDENCY = re.compile(r"dependency failed to start: container (?P<name>\S+) (?P<how>.+)")


def file_problems(service: str, compose: DockerComposeDeployment) -> list[Problem]:
    """Return which files of a compose block are not there."""
    problems = []
    if not Path(compose.file).is_file():
        remedy = f"Create it, or correct deployment.compose.file of {service}."
        problems.append(Problem(service, f"the Compose file {compose.file} does not exist", remedy))
    for path in compose.env_files:
        if not Path(path).is_file():
            remedy = f"Create it, or correct deployment.compose.env_files of {service}."
            problems.append(Problem(service, f"the env file {path} does not exist", remedy))
    return problems


def reading_problem(service: str, compose: DockerComposeDeployment, text: str) -> Problem:
    """Return what is wrong with a Compose file.

    :param text: Compose's own line.
    """
    unknown = _UNKNOWN.search(text)
    if unknown:
        remedy = f"Name one that it has in deployment.compose.service of {service}."
        return Problem(service, f"{compose.file} has no service {unknown['name']}", remedy)
    said = text if compose.file in text else f"{compose.file}: {text}"
    return Problem(service, f"the Compose file has an error: {said}", "Correct it.")


def starting_problem(service: str, text: str, image: str) -> Problem:
    """Return why Compose could not start a service.

    :param text: Compose's own line.
    :param image: of the service, for messages about a pull that do not name it.
    """
    dependency = _DEPENDENCY.search(text)
    if dependency:
        why = f"{dependency['name']}, which it needs in its Compose file, {dependency['how']}"
        return Problem(service, why, f"Look at its log: docker logs {dependency['name']}.")
    if _BUILD.search(text):
        return Problem(service, f"building its image failed: {text}", "Correct its Containerfile or build section.")
    problem = explain(service, text)
    if _PULL.search(text) and problem.why.startswith("the container engine says"):
        named = _IMAGE.search(text)
        name = next((group for group in named.groups() if group), image) if named else image
        found = pull_problem(name, text)
        return Problem(service, found.why, found.remedy.replace("docker.image", "the image in the Compose file"))
    if not problem.remedy:
        return Problem(service, f"Compose says: {text}")
    if "].port" in problem.remedy:
        return Problem(service, problem.why, "Stop what uses it, or publish another port in the Compose file.")
    is_setting = " docker." in problem.remedy
    return Problem(service, problem.why, "Correct the Compose file." if is_setting else problem.remedy)
