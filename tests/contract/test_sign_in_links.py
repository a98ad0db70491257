"""Sign-in links last as long as they say, whatever the clocks of machines say."""

import time

import pytest

from bot.core import sessions
from bot.store.redis import RedisStore
from tests.contract.examples import ADA

HOUR = 3600.0


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_link_that_a_machine_with_a_wrong_clock_made_lasts_as_long_as_any(
    store: RedisStore, by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + by)
    first = await sessions.offer_link(store.key_values, store.clock, ADA, "secret")
    monkeypatch.setattr(time, "time", right)
    again = await sessions.offer_link(store.key_values, store.clock, ADA, "secret")
    assert again.token == first.token
    for link in (first, again):
        assert sessions.LINK_TTL_S / 2 < link.seconds <= sessions.LINK_TTL_S
    assert await sessions.use_link(store.key_values, first.token) == ADA
    assert await sessions.use_link(store.key_values, first.token) is None
