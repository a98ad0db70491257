"""Two checkouts in one run: each round measures the same rows in both, one after the other.

Each checkout is measured by its own benchmark, in its own environment, so it may be of any release that has
one. A machine that changes its pace changes it for both sides of a round, so what counts are the ratios of
the rounds, not the figures.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.table import Quantiles, ratio, rows

HERE = Path(__file__).resolve().parents[1]
ROUND_WITHIN_S = 1800.0
FACTORS = {"": 1.0, "ms": 1.0, "s": 1000.0, "KB": 1.0, "MB": 1024.0, "%": 1.0}
"""By unit: the same figure may be written in another one as it grows."""
NUMBER = re.compile(r"-?[\d,]+(?:\.\d+)?")
HEADINGS = ("figure", "here p50 / p99", "there p50 / p99", "here / there", "rounds better")


@dataclass(frozen=True)
class Pair:
    """One figure of one round, in both checkouts."""

    here: Quantiles
    there: Quantiles


def compare(other: Path, names: Sequence[str], rounds: int, *, full: bool) -> str:
    """Measure the rows in this checkout and in `other`; returns a table. Raises ValueError and OSError."""
    python = _python(other)
    pairs: dict[str, list[Pair]] = {}
    order: list[str] = []
    for number in range(rounds):
        # A B, B A, A B ...: neither side always comes first.
        sides = [(HERE, Path(sys.executable)), (other, python)]
        found = {side: _measured(side, with_, names, full=full) for side, with_ in _turned(sides, number)}
        here, there = found[HERE], found[other]
        for name in here.keys() & there.keys():
            pairs.setdefault(name, []).append(Pair(here[name], there[name]))
        sys.stderr.write(f"round {number + 1} of {rounds}\n")
        order = list(here)
    return rows(HEADINGS, (_row(name, pairs[name]) for name in order if name in pairs))


def _turned(sides: Sequence[tuple[Path, Path]], number: int) -> Sequence[tuple[Path, Path]]:
    return sides if number % 2 == 0 else sides[::-1]


def _python(checkout: Path) -> Path:
    python = checkout / ".venv" / "bin" / "python"
    if not python.exists() or not (checkout / "bench" / "__main__.py").exists():
        raise ValueError(f"{checkout} is no checkout that is installed: run `make install` there")
    return python


def _measured(checkout: Path, python: Path, names: Sequence[str], *, full: bool) -> Mapping[str, Quantiles]:
    command = [str(python), "-m", "bench", *names, *([] if full else ["--quick"])]
    done = subprocess.run(
        command, cwd=checkout, check=False, capture_output=True, text=True, timeout=ROUND_WITHIN_S
    )
    if done.returncode:
        raise ValueError(f"the benchmark of {checkout} has failed:\n{done.stderr[-2000:]}")
    return read_table(done.stdout)


def read_table(text: str) -> dict[str, Quantiles]:
    """Our own figures in a printed table. Lines that are indented belong to the one before them."""
    found: dict[str, Quantiles] = {}
    parent = ""
    for line in text.splitlines():
        # Two spaces after the bar: the name begins with one or more.
        cells = line[2:].split(" | ") if line.startswith("| ") else []
        if len(cells) < 2 or cells[0].strip() == "figure":
            continue
        name = cells[0].rstrip()
        if name.startswith(" "):
            name = f"{parent}: {name.strip()}"
        else:
            parent = name
        if (spread := _spread(cells[1])) is not None:
            found[name] = spread
    return found


def _spread(cell: str) -> Quantiles | None:
    numbers = [float(each.replace(",", "")) for each in NUMBER.findall(cell)]
    unit = NUMBER.sub("", cell).replace("/", "").strip()
    if not numbers or unit not in FACTORS:
        return None
    values = [each * FACTORS[unit] for each in numbers]
    return Quantiles(values[0], values[1] if len(values) > 1 else None)


def _row(name: str, pairs: Sequence[Pair]) -> tuple[str, ...]:
    quantiles = ("p50", "p99") if pairs[0].here.p99 is not None else ("p50",)
    ratios = {
        each: [found for pair in pairs if (found := ratio(pair.here, pair.there, each)) is not None]  # type: ignore[arg-type]
        for each in quantiles
    }
    return (
        name,
        _medians([pair.here for pair in pairs]),
        _medians([pair.there for pair in pairs]),
        " / ".join(f"{median(found):.2f}x" for found in ratios.values() if found) or "-",
        " / ".join(f"{sum(each < 1 for each in found)} of {len(found)}" for found in ratios.values()),
    )


def _medians(spreads: Iterable[Quantiles]) -> str:
    listed = list(spreads)
    p99 = [each.p99 for each in listed if each.p99 is not None]
    p50 = f"{median(each.p50 for each in listed):,.2f}"
    return f"{p50} / {median(p99):,.2f}" if p99 else p50
