"""Durations as people write them."""

import pytest

from crews.definitions.definition import seconds


@pytest.mark.parametrize(
    ("written", "meant"),
    [("90s", 90), ("24h", 86400), ("2h30m", 9000), ("1d 2h", 93600), (" 5M ", 300), ("1d1h1m1s", 90061)],
)
def test_what_durations_mean(written: str, meant: int) -> None:
    assert seconds(written) == meant


@pytest.mark.parametrize(
    "written",
    ["", "soon", "5", 5, "1.5h", "-1h", True, None, "0s", "h", "1h and more", "3651d", "9" * 100_000],
)
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        seconds(written)
