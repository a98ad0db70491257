"""The Home tab, as it is kept fresh for people who opened it once."""

from __future__ import annotations

from bot.core.people.actor import Membership
from tests.scenario.outbox import ADA, Outbox


async def test_who_became_a_guest_sees_no_more_than_guests(on: Outbox) -> None:
    on.slack.person(ADA.user_id)
    async with on.web() as web:
        claim = await on.claimed(await on.start())
        await on.ask(claim, "Publish it?")
        await web.home.opened(ADA)
        await on.slack.wait_for(lambda: "Publish it?" in on.slack.home(ADA.user_id).words)
        assert "Demo" in on.slack.home(ADA.user_id).words
        on.memberships[ADA.user_id] = Membership.GUEST
        await on.ask(claim, "Really?", task_id="the next task")
        await on.slack.wait_for(lambda: "?" not in on.slack.home(ADA.user_id).words)
        assert "Shows how it works" not in on.slack.home(ADA.user_id).words


async def test_who_may_not_act_any_more_is_told_of_nothing_new(on: Outbox) -> None:
    on.slack.person(ADA.user_id)
    bob = on.slack.person("U0BOB", name="Bob")
    async with on.web() as web:
        claim = await on.claimed(await on.start())
        await web.home.opened(ADA)
        await on.slack.wait_for(lambda: on.slack.home(ADA.user_id))
        on.memberships[ADA.user_id] = None
        await on.ask(claim, "Publish it?")
        await on.sees(lambda: on.said("Publish it?"))
        await web.home.opened(ADA)
        await web.home.opened(ADA.model_copy(update={"user_id": bob.id}))
        await on.slack.wait_for(lambda: on.slack.home(bob.id))
        assert "Publish it?" not in on.slack.home(ADA.user_id).words
