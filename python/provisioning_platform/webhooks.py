# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivering a run's webhooks while it goes on: the courier in a thread, which can neither slow nor break the run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.provisioning.platform.plugins.module_utils._events import Journal

if TYPE_CHECKING:
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.courier import Courier, DeliveryReport
    from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.target import WebhookTarget

#: Seconds that a run waits at its end for the last deliveries; a receiver that does not answer gets less.
FINISH_SECONDS = 10.0


class Webhooks:
    """The webhooks of one run; without a target nothing is sent, and nothing is imported either.

    To be made before the run begins, so that what its journal holds of an earlier run is passed over.
    """

    def __init__(self, target: WebhookTarget | None, journal: Path) -> None:
        self._courier: Courier | None = None
        if target is not None:
            from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.courier import Courier
            from ansible_collections.provisioning.platform.plugins.plugin_utils.notify.follow import journal_size

            self._courier = Courier(Journal(journal), target, offset=journal_size(journal)).run_in_thread()

    def finish(self, *, at_once: Callable[[], bool]) -> DeliveryReport | None:
        """Wait for the last deliveries and return what became of all; nothing where there was no target.

        :param at_once: asked while waiting whether to leave the rest in the outbox right now.
        """
        courier = self._courier
        if courier is None:
            return None
        reports: list[DeliveryReport] = []
        waiter = threading.Thread(target=lambda: reports.append(courier.finish(FINISH_SECONDS)), daemon=True)
        waiter.start()
        while waiter.is_alive():
            if at_once():
                return courier.finish(0.0)
            waiter.join(0.05)
        return reports[0] if reports else None
