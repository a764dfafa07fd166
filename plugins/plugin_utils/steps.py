# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seven steps of an installation: one play each, whose name is the step's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeploymentStep:
    """A step of an installation.

    :param number: its place, from 1.
    :param name: as plays, events and webhooks call it.
    :param description: what it does, for people.
    """

    number: int
    name: str
    description: str


def installation_steps(platform: str) -> tuple[DeploymentStep, ...]:
    """Return the steps, in order.

    :param platform: the configuration's ``deployment.platform``, in any letter case.
    """
    steps = (
        ("validate-prerequisites", "Check the configuration and what the machine must have"),
        ("create-work-directory", "Make the work dir"),
        ("generate-secrets", "Make the secrets that are missing"),
        ("generate-configuration", "Write the services' configuration files"),
        (f"deploy-{platform.lower()}", "Start the services, each as soon as what it needs is healthy"),
        ("wait-for-services", "Wait until all services are healthy"),
        ("verify-deployment", "Ask each service for its real work"),
    )
    return tuple(DeploymentStep(number, name, text) for number, (name, text) in enumerate(steps, 1))
