"""Measuring contenders in alternation, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

OURS = "ours"


@dataclass(frozen=True)
class Sample:
    """One measurement.

    Attributes:
        rate: units of work per second.
        details: further figures by name, such as ``p99 ms``.
    """

    rate: float
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The findings of a benchmark.

    Attributes:
        title: what was done, with its sizes.
        unit: of the rates.
        samples: by contender, in the order of the rounds; ``ours`` is one of them.
        notes: what a reader must know to judge the figures.
    """

    title: str
    unit: str
    samples: Mapping[str, Sequence[Sample]]
    notes: Sequence[str] = ()

    def median(self, contender: str) -> float:
        """Return the median rate."""
        return statistics.median(sample.rate for sample in self.samples[contender])

    def ratio(self, contender: str) -> float:
        """Return our rate over another's: the median of the rounds, each of which met one and the same load."""
        pairs = zip(self.samples[OURS], self.samples[contender], strict=True)
        return statistics.median(ours.rate / other.rate for ours, other in pairs)

    def details(self, contender: str) -> dict[str, float]:
        """Return the medians of the further figures."""
        samples = self.samples[contender]
        return {name: statistics.median(each.details[name] for each in samples) for name in samples[0].details}

    def record(self) -> dict[str, Any]:
        """Return the result as JSON-able data."""
        return {
            "title": self.title,
            "unit": self.unit,
            "contenders": {
                name: {
                    "median": round(self.median(name), 1),
                    "ours_over_this": round(self.ratio(name), 3),
                    **{detail: round(value, 3) for detail, value in self.details(name).items()},
                }
                for name in self.samples
            },
        }


def alternate(contenders: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """Measure every contender once per round, each round beginning with another one."""
    names = list(contenders)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            samples[name].append(contenders[name]())
    return samples


def latencies(calls: Iterable[Callable[[], object]], units: int) -> Sample:
    """Time calls that do ``units`` of work each, one after another."""
    seconds: list[float] = []
    for call in calls:
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return Sample(units / statistics.median(seconds), {"p50 ms": cuts[49] * 1e3, "p99 ms": cuts[98] * 1e3})


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds since the block began."""
    began = time.perf_counter()
    yield lambda: time.perf_counter() - began


def table(result: Result) -> str:
    """Return a result as text for people."""
    details = list(result.details(OURS))
    head = ["", result.unit, "ours / this", *details]
    rows = [
        [
            name,
            f"{result.median(name):,.0f}",
            f"{result.ratio(name):.2f}",
            *(f"{found[detail]:,.2f}" if detail in found else "" for detail in details),
        ]
        for name in result.samples
        for found in [result.details(name)]
    ]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) if place == 0 else cell.rjust(width) for place, (cell, width) in enumerate(cells))
        for cells in zip([head, *rows], [widths] * (len(rows) + 1), strict=True)
        for cells in [list(zip(*cells, strict=True))]
    ]
    return "\n".join([result.title, *(f"  {line}" for line in lines), *(f"  {note}" for note in result.notes)])
