"""What all problems have in common."""

import pytest

from bot.core.errors import Refused
from bot.surfaces.http.problems import STATUS, Problem, of


@pytest.mark.parametrize("code", [code for code, status in STATUS.items() if status in {429, 503}])
def test_what_is_refused_for_now_says_when_to_come_back(code: str) -> None:
    assert int(Problem(code, "Not now.").response().headers["Retry-After"]) >= 1
    refused = of(Refused(code, "Not now."))
    assert refused is not None
    assert "Retry-After" in refused.headers
    assert Problem(code, "Not now.", headers={"Retry-After": "77"}).headers == {"Retry-After": "77"}


def test_who_tried_too_many_codes_comes_back_when_they_have_expired() -> None:
    assert Problem("too_many_attempts", "Not now.").headers == {"Retry-After": "600"}


@pytest.mark.parametrize("code", [code for code, status in STATUS.items() if status not in {429, 503}])
def test_what_is_refused_for_good_does_not(code: str) -> None:
    assert Problem(code, "No.").headers == {}
