"""The graphs that benchmarks bring up: services of which each needs one or two earlier ones."""

from __future__ import annotations

import random


def layered(count: int, *, seed: int = 1) -> dict[str, list[str]]:
    """Return for each of ``count`` services the names of those it needs, drawn from all earlier ones."""
    chance = random.Random(seed)
    names = [f"s{index:03d}" for index in range(count)]
    return {
        name: sorted(chance.sample(names[:index], min(index, chance.choice((1, 2)))))
        for index, name in enumerate(names)
    }


def depth(needs: dict[str, list[str]]) -> int:
    """Return how many services must come up one after the other."""
    depths: dict[str, int] = {}
    for name, wanted in needs.items():
        depths[name] = 1 + max((depths[need] for need in wanted), default=0)
    return max(depths.values(), default=0)
