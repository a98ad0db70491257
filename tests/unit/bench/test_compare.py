"""The tables of two checkouts are read as they were printed."""

from bench.compare import read_table
from bench.table import AtMostTimes, Figure, Quantiles, table


def test_what_is_printed_is_read() -> None:
    figures = [
        Figure(
            "/crew start -> acknowledged", Quantiles(26.1, 198), Quantiles(16.2, 34.8), aims=(AtMostTimes(1),)
        ),
        Figure("2,000 answered at once", Quantiles(4.71), Quantiles(0.49), "s"),
        Figure("  -> 100 finished", Quantiles(8.5), unit="s"),
        Figure("memory of the worker", Quantiles(1201), Quantiles(196), "MB"),
        Figure("  a run", Quantiles(204), unit="KB"),
        Figure("threads", Quantiles(10), unit=""),
        Figure("processor", Quantiles(0.4), unit="%"),
    ]
    assert read_table(f"2026-11-29 20:28, Python 3.11, 2 cores\n{table(figures)}\n") == {
        "/crew start -> acknowledged": Quantiles(26.1, 198),
        "2,000 answered at once": Quantiles(4710),
        "2,000 answered at once: -> 100 finished": Quantiles(8500),
        "memory of the worker": Quantiles(1201 * 1024),
        "memory of the worker: a run": Quantiles(204),
        "threads": Quantiles(10),
        "processor": Quantiles(0.4),
    }


def test_what_is_no_figure_is_left_out() -> None:
    assert read_table("") == {}
    assert read_table("| figure | ours |\n|---|---|\n| broken | - | - | - |\n| odd | 3 miles | - |") == {}
