"""`python -m bench [--quick] [--against CHECKOUT] [NAME ...]`: measure beside baselines, print a table."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from bench import (
    acknowledge,
    answers,
    answers_at_once,
    crew_time,
    growth,
    journal,
    memory,
    parked,
    pickup,
    recycled,
    revived,
    starts,
    streams,
    throughput,
    waiting,
)
from bench.compare import compare
from bench.effort import FULL, QUICK, Effort
from bench.table import Figure, table
from bot.processes import garbage_collector

Measure = Callable[[Effort], Awaitable[list[Figure]]]

MEASUREMENTS: dict[str, Measure] = {
    "acknowledge": acknowledge.measure,
    "answers": answers.measure,
    "answers_at_once": answers_at_once.measure,
    "crew_time": crew_time.measure,
    "starts": starts.measure,
    "streams": streams.measure,
    "waiting": waiting.measure,
    "journal": journal.measure,
    "parked": parked.measure,
    "revived": revived.measure,
    "pickup": pickup.measure,
    "throughput": throughput.measure,
    "recycled": recycled.measure,
    "growth": growth.measure,
    "memory": memory.measure,
}

SIZES = {
    "parked": "runs that are parked",
    "finished": "how many of them are to finish once all are answered",
    "answers": "questions that are answered at once",
    "crews": "runs that one worker executes while its memory is watched",
}
"""What can be asked for in another size than a benchmark of all can afford."""


async def measured(measurements: Mapping[str, Measure], effort: Effort) -> list[Figure]:
    """The figures of these measurements, one after the other: they would disturb each other.

    Each is also printed as soon as it is there, since all of them take long.
    """
    figures: list[Figure] = []
    for name, measure in measurements.items():
        started = time.monotonic()
        found = await measure(effort)
        sys.stderr.write(f"{name}: {time.monotonic() - started:.0f} s\n{table(found)}\n")
        figures += found
    return figures


def machine() -> str:
    """Where and when: figures mean nothing without."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    when = time.strftime("%Y-%m-%d %H:%M")
    return f"{when}, Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores{load}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--quick", action="store_true", help="all in some minutes; the figures are rough")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="measure it too, in turns")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of both checkouts (5)")
    parser.add_argument("--full", action="store_true", help="of both checkouts: long rounds")
    for size, what in SIZES.items():
        parser.add_argument(f"--{size}", type=int, metavar="N", help=what)
    parser.add_argument(
        "--live", type=int, nargs="+", metavar="N", help="runs that live at once: few, and then more"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASUREMENTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    print(machine(), flush=True)
    if arguments.against is not None:
        try:
            other = arguments.against.resolve()
            print(compare(other, arguments.names, arguments.rounds, full=arguments.full))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            parser.exit(1, f"{error}\n")
        return
    sizes = {size: getattr(arguments, size) for size in (*SIZES, "live")}
    effort = (QUICK if arguments.quick else FULL).sized(sizes)
    wanted = {name: MEASUREMENTS[name] for name in arguments.names or MEASUREMENTS}
    # A full collection takes this process a tenth of a second, which would count as theirs.
    garbage_collector.freeze()
    print(table(asyncio.run(measured(wanted, effort))))


if __name__ == "__main__":
    main()
