"""What is measured is printed as it comes."""

import pytest

from bench.__main__ import measured
from bench.effort import QUICK, Effort
from bench.table import Figure, Quantiles


async def test_a_figure_is_printed_before_the_next_one_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = Figure("first", Quantiles(12.3)), Figure("second", Quantiles(45.6))
    printed: list[str] = []

    async def quick(_: Effort) -> list[Figure]:
        return [first]

    async def slow(_: Effort) -> list[Figure]:
        printed.append(capsys.readouterr().err)
        return [second]

    assert await measured({"quick": quick, "slow": slow}, QUICK) == [first, second]
    assert "| first  | 12.3 ms" in printed[0]
    assert "| second | 45.6 ms" in capsys.readouterr().err
