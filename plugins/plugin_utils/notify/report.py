# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of a run's notifications."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeliveryReport:
    """What became of a run's notifications.

    :param undelivered: how many wait in the outbox, or could not even be kept there.
    :param last_error: why the last one failed, fit to be shown; empty when all were delivered.
    """

    delivered: int = 0
    undelivered: int = 0
    last_error: str = ""
