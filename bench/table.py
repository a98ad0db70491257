"""Figures beside their baselines, and the table that is printed of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, Protocol

Quantile = Literal["p50", "p99"]


@dataclass(frozen=True)
class Quantiles:
    """How something that was measured often is spread; without `p99`, it was measured once."""

    p50: float
    p99: float | None = None

    @classmethod
    def of(cls, rounds: Iterable[Sequence[float]]) -> Quantiles:
        """The medians of the rounds' own figures, so that one bad moment of the machine isn't the figure."""
        done = [sorted(each) for each in rounds]
        return cls(median(_rank(each, 0.50) for each in done), median(_rank(each, 0.99) for each in done))


def _rank(ordered: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of all."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Aim(Protocol):
    """What a figure should be."""

    def met(self, ours: Quantiles, baseline: Quantiles | None) -> bool: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class AtMostTimes:
    """Of a figure, so many times its baseline at most."""

    times: float
    of: Quantile = "p50"

    def met(self, ours: Quantiles, baseline: Quantiles | None) -> bool:
        times = ratio(ours, baseline, self.of)
        return times is not None and times <= self.times

    def __str__(self) -> str:
        return f"{self.of} within {self.times:g}x"


@dataclass(frozen=True)
class LessThan:
    """Of a figure, so much, whatever its baseline is."""

    most: float
    of: Quantile = "p50"

    def met(self, ours: Quantiles, baseline: Quantiles | None) -> bool:  # noqa: ARG002 - an aim of another kind
        value: float | None = getattr(ours, self.of)
        return value is not None and value < self.most

    def __str__(self) -> str:
        return f"{self.of} below {self.most:g}"


@dataclass(frozen=True)
class AtMostMore:
    """Of a figure, so much more than its baseline at most, in its unit."""

    most: float
    of: Quantile = "p50"

    def met(self, ours: Quantiles, baseline: Quantiles | None) -> bool:
        mine, theirs = getattr(ours, self.of), getattr(baseline, self.of, None)
        return mine is not None and theirs is not None and mine - theirs <= self.most

    def __str__(self) -> str:
        return f"{self.of} at most {self.most:g} more"


@dataclass(frozen=True)
class Figure:
    """One line of the table. Times are in milliseconds and memory in MB, unless the unit says otherwise."""

    name: str
    ours: Quantiles
    baseline: Quantiles | None = None
    unit: str = "ms"
    aims: tuple[Aim, ...] = ()

    @property
    def verdict(self) -> str:
        """Whether the aims are met, one by one."""
        return ", ".join("yes" if aim.met(self.ours, self.baseline) else "NO" for aim in self.aims)

    def cells(self) -> tuple[str, ...]:
        return (
            self.name,
            _written(self.ours, self.unit),
            _written(self.baseline, self.unit),
            _ratios(self.ours, self.baseline),
            ", ".join(map(str, self.aims)) or "-",
            self.verdict or "-",
        )


HEADINGS = ("figure", "ours p50 / p99", "baseline p50 / p99", "ratio", "aim", "met")


def table(figures: Iterable[Figure]) -> str:
    """The figures as a table."""
    return rows(HEADINGS, (figure.cells() for figure in figures))


def rows(headings: Sequence[str], lines_of_cells: Iterable[Sequence[str]]) -> str:
    """A table, which is Markdown too."""
    listed = [headings, *lines_of_cells]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in listed
    ]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def ratio(ours: Quantiles, baseline: Quantiles | None, of: Quantile) -> float | None:
    """How many times the baseline ours is."""
    mine, theirs = getattr(ours, of), getattr(baseline, of, None)
    return mine / theirs if mine is not None and theirs else None


def _ratios(ours: Quantiles, baseline: Quantiles | None) -> str:
    found = [ratio(ours, baseline, "p50"), ratio(ours, baseline, "p99")]
    return " / ".join(f"{each:.2f}x" for each in found if each is not None) or "-"


def _written(spread: Quantiles | None, unit: str) -> str:
    if spread is None:
        return "-"
    values = [each for each in (spread.p50, spread.p99) if each is not None]
    return f"{' / '.join(map(_number, values))}{unit and ' '}{unit}"


def _number(value: float) -> str:
    """Three digits that matter, without an exponent."""
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"
