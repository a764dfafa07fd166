"""The graphs that benchmarks bring up: layers of services, each of which needs one or two of the layer before."""

from __future__ import annotations

import random


def layered(count: int, *, width: int = 5, seed: int = 1) -> dict[str, list[str]]:
    """Return for each of ``count`` services the names of those it needs."""
    chance = random.Random(seed)
    names = [f"s{index:03d}" for index in range(count)]
    needs: dict[str, list[str]] = {}
    for index, name in enumerate(names):
        first = (index // width - 1) * width
        before = names[first : first + width] if first >= 0 else []
        needs[name] = sorted(chance.sample(before, min(len(before), chance.choice((1, 2)))))
    return needs
