# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' text format, version 0.0.4: the one place where metrics become text. Pure.

The rules are those of https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["counter", "gauge"]
Sample = tuple[Mapping[str, str], float]


@dataclass(frozen=True)
class Metric:
    """A metric with its samples.

    :param name: in snake case, with its base unit, and ``_total`` for a counter.
    :param text: one sentence on what it says.
    :param samples: labels and value of each; a metric without any is not shown at all.
    """

    name: str
    kind: Kind
    text: str
    samples: tuple[Sample, ...]


def gauge(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    """Return what may rise and fall."""
    return Metric(name, "gauge", text, tuple(samples))


def counter(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    """Return what only rises while the process lives that shows it."""
    return Metric(name, "counter", text, tuple(samples))


def state_samples(label: str, states: Iterable[str], current: str, labels: Mapping[str, str]) -> Iterable[Sample]:
    """Yield a sample for each state, 1 for the one that is: so a query sees when it began and when it ended."""
    return (({**labels, label: state}, float(state == current)) for state in states)


def exposition(metrics: Iterable[Metric]) -> str:
    """Return metrics as text, each described before its samples."""
    return "".join(f"{line}\n" for metric in metrics if metric.samples for line in _lines(metric))


def _lines(metric: Metric) -> Iterable[str]:
    text = metric.text.replace("\\", "\\\\").replace("\n", "\\n")
    yield f"# HELP {metric.name} {text}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for labels, value in metric.samples:
        yield f"{metric.name}{_labels(labels)} {_number(value)}"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}" if labels else ""


def _escaped(value: str) -> str:
    readable = value.encode(errors="replace").decode()  # half of a pair is no text: one would spoil all
    return readable.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if float(value).is_integer() else repr(round(float(value), 6))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
