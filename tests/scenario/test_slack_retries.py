"""A run that failed and is tried again, as people see it in Slack."""

from bot.core.retry import retry
from bot.core.runs.run import RunStatus
from tests.scenario.outbox import Outbox


async def test_it_goes_on_in_the_thread_in_which_it_failed(on: Outbox) -> None:
    run = await on.start(topic="tide mills")
    async with on.web():
        claim = await on.claimed(run)
        await on.fail(claim, "The model's provider refused the key (401).")
        failed = await on.sees(lambda: on.said("refused the key"))
        assert f"crewdeck runs retry {run.id[:8]}" in failed.words
        new = await retry(on.store, await on.store.runs.get(run.id), key="again")
        shown = await on.sees(lambda: on.said(f"goes on from where `{run.id[:8]}` was"))
        assert shown.thread_ts == failed.thread_ts
        again = await on.claimed(new)
        await on.ask(again, "And now?")
        asked = await on.sees(lambda: on.said("And now?"))
        assert asked.thread_ts == failed.thread_ts
        assert again.run.place is not None
        assert {each.id for each in await on.store.runs.at(again.run.place)} == {run.id, new.id}
        await on.store.runs.cancel(new.id, again.run.requester)
        await on.sees(lambda: on.said("was cancelled"))
        assert on.times_said("Started by") == 2, "each has its card"
    assert (await on.store.runs.get(new.id)).status is RunStatus.CANCELLED


async def test_whoever_rejected_a_result_is_not_told_of_operators(on: Outbox) -> None:
    run = await on.start()
    async with on.web():
        claim = await on.claimed(run)
        await on.fail(claim, "Ada rejected the result.", code="rejected")
        failed = await on.sees(lambda: on.said("Ada rejected the result."))
    assert "operator" not in failed.words
