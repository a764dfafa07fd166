# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster for all tests here: the one that KUBECONFIG names, or the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.kubernetes.clusters import Bench, make_bench, running_cluster
from tests.fixtures.kubernetes.emulator import Emulator
from tests.fixtures.kubernetes.server import Running


@pytest.fixture(scope="session")
def running() -> Iterator[Running | None]:
    """The emulator, where no cluster is given."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def bench(running: Running | None, tmp_path: Path) -> Iterator[Bench]:
    """A driver and a namespace."""
    bench = make_bench(tmp_path, running)
    yield bench
    if bench.emulator is not None:
        bench.emulator.relent()
    bench.close()


@pytest.fixture
def emulator(bench: Bench) -> Emulator:
    """The emulated API, for what no real one does on request."""
    if bench.emulator is None:
        pytest.skip("only the emulator can be told to misbehave")
    return bench.emulator
