"""Which crew a name means."""

import pytest

from bot.core.runs.crew import Crew
from bot.core.starting import named


@pytest.mark.parametrize(
    ("name", "meant"),
    [("news", "news"), ("News", "News"), ("NEWS", "News"), ("tides", "Tides"), ("new", None)],
)
def test_a_crew_of_exactly_this_name_goes_before_one_in_another_case(name: str, meant: str | None) -> None:
    crews = {each: Crew(name=each, title=each) for each in ("News", "Tides", "news")}
    found = named(crews, name)
    assert (found.name if found else None) == meant
