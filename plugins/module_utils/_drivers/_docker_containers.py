# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with containers the same way, whatever they were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ._docker_engine import Engine
from ._docker_errors import NOT_FOUND, EngineError, engine_errors

T = TypeVar("T")


def delete(engine: Engine, service: str, container: str) -> None:
    """Take a container away with its unnamed volumes; that it is gone already is no error.

    :raises EngineError: it cannot be removed.
    """
    try:
        with engine_errors(service):
            engine.api.remove_container(container, v=True, force=True)
    except EngineError as error:
        if error.status != NOT_FOUND and "already in progress" not in error.text:
            raise


def for_each(containers: Sequence[T], work: Callable[[T], None]) -> None:
    """Do it to all at once: what takes long is waiting for them to stop."""
    if len(containers) < 2:
        for container in containers:
            work(container)
        return
    with ThreadPoolExecutor(min(8, len(containers))) as pool:
        list(pool.map(work, containers))
