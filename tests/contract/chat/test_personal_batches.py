"""Approvals of one turn share a message also where people are asked directly, each with what is theirs."""

from __future__ import annotations

from bot.core.people.policy import Policy
from bot.core.questions.question import Action, Question
from bot.core.questions.response import make_response
from bot.core.runs.run import Claim
from bot.core.unlinking import unlink
from bot.surfaces.chat.message_keys import shown_digest
from tests.contract.chat.deployment import Deployment
from tests.contract.chat.peers import Seen
from tests.contract.chat.relaying import (
    ADA,
    BOB,
    asked,
    caught_up,
    claimed,
    direct,
    is_asked,
    linked,
    nothing_is_pending,
    settled,
)
from tests.contract.examples import approval


async def named(deployment: Deployment, claim: Claim, name: str, *deciders: str) -> Question:
    """An approval whose policy calls its deciders by one name, so that all may share a message."""
    policy = Policy(deciders=deciders or (ADA.principal,), who=("finance",))
    return await asked(deployment, claim, policy=policy, id=approval(claim, name).id, prompt=f"Pay {name}?")


async def pays(deployment: Deployment, user_id: str, words: str, *also: str) -> Seen:
    """The direct message as soon as it says all of this."""

    def found() -> list[Seen]:
        return [each for each in direct(deployment, user_id, words) if all(it in each.words for it in also)]

    async def there() -> bool:
        return bool(found())

    await deployment.until(there)
    return found()[-1]


async def test_a_turns_approvals_are_one_message_to_each_person(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        first = await named(deployment, claim, "Acme")
        copy = await is_asked(deployment, "U0ADA", "Pay Acme?")
        second = await named(deployment, claim, "Bolt")
        shared = await pays(deployment, "U0ADA", "Pay Acme?", "Pay Bolt?", "Asked in Elsewhere")
        assert shared.posted == copy.posted
        assert {"Approve ticked", "Reject ticked", "Open 1", "Open 2"} <= set(shared.buttons)
        await settled(deployment, first, ADA)
        after = await pays(deployment, "U0ADA", "1 of 2 is settled", "Approved")
        assert "Ada, in Elsewhere" in after.words or deployment.surface == "memory"
        assert "Open 2" in after.buttons
        assert "Open 1" not in after.buttons
        await settled(deployment, second, here, key="other")
        assert (await pays(deployment, "U0ADA", "all of them are settled")).buttons == ()
        await caught_up(deployment, second)
    assert len(direct(deployment, "U0ADA", "Pay ")) == 1


async def test_what_is_pressed_in_a_shared_copy_is_held_to_what_it_shows(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        await named(deployment, claim, "Acme")
        question = await named(deployment, claim, "Bolt")
        await pays(deployment, "U0ADA", "Pay Acme?", "Pay Bolt?")
        stale = make_response(Action.APPROVE, here, key="stale", digest="sha256:0")
        ruling = await deployment.store.questions.respond(question.run_id, question.id, stale)
        assert ruling.code == "stale"
        await caught_up(deployment, question)
        state = await deployment.store.outbox.state(deployment.surface, question.run_id)
    for each in await deployment.store.questions.list(question.run_id):
        assert state.messages[shown_digest(each.id)] == each.digest


async def test_more_than_ten_approvals_are_a_message_for_each_ten(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    questions = [await named(deployment, claim, f"no. {number:02}") for number in range(12)]
    async with deployment.delivering():
        await pays(deployment, "U0ADA", "Pay no. 10?", "Pay no. 11?")
        await caught_up(deployment, questions[-1])
    messages = direct(deployment, "U0ADA", "Pay no. ")
    assert len(messages) == 2
    assert all(f"Pay no. {number:02}?" in messages[0].words for number in range(10))


async def test_everybody_sees_only_what_is_theirs(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    claim = await claimed(deployment)
    async with deployment.delivering():
        await named(deployment, claim, "Acme", ADA.principal, BOB.principal)
        await is_asked(deployment, "U0BOB", "Pay Acme?")
        last = await named(deployment, claim, "Bolt", ADA.principal)
        await pays(deployment, "U0ADA", "Pay Acme?", "Pay Bolt?")
        await caught_up(deployment, last)
        [bobs] = direct(deployment, "U0BOB", "Pay ")
        assert "Pay Bolt?" not in bobs.words
        assert bobs.buttons[:2] == ("Approve", "Reject")


async def test_who_unlinks_keeps_what_is_theirs_otherwise(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        await named(deployment, claim, "Acme", ADA.principal)
        await is_asked(deployment, "U0ADA", "Pay Acme?")
        own = await named(deployment, claim, "Bolt", ADA.principal, here.principal)
        shared = await pays(deployment, "U0ADA", "Pay Acme?", "Pay Bolt?")
        await caught_up(deployment, own)
        assert await unlink(deployment.store, here, ADA.principal)
        await nothing_is_pending(deployment, own)
        now = await pays(deployment, "U0ADA", "Pay Bolt?")
        assert now.posted == shared.posted
        assert "Pay Acme?" not in now.words
        assert "Open 1" in now.buttons
        await settled(deployment, own, here)
        done = await pays(deployment, "U0ADA", "Pay Bolt?", "Approved")
        assert "Pay Acme?" not in done.words
        assert done.buttons == ()


async def test_who_unlinks_keeps_nothing_of_a_message_that_was_theirs_by_the_link(
    deployment: Deployment,
) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        await named(deployment, claim, "Acme")
        question = await named(deployment, claim, "Bolt")
        await pays(deployment, "U0ADA", "Pay Acme?", "Pay Bolt?")
        await caught_up(deployment, question)
        assert await unlink(deployment.store, here, ADA.principal)
        gone = await is_asked(deployment, "U0ADA", "is no longer linked with this one")
        await nothing_is_pending(deployment, question)
        assert gone.buttons == ()
        # What is asked in the same turn is not for them, and brings nothing back.
        await caught_up(deployment, await named(deployment, claim, "Cato"))
        assert not direct(deployment, "U0ADA", "Pay ")


async def test_where_a_channel_is_closed_a_turns_approvals_are_one_message_to_each_decider(
    deployment: Deployment,
) -> None:
    run = await deployment.start()
    people = tuple(deployment.person(each).principal for each in ("U0ADA", "U0BOB"))
    async with deployment.delivering():
        claim = await deployment.claim()
        await deployment.until(lambda: deployment.all_shown(run))
        await deployment.peer.close(deployment.peer.channel)
        first = await named(deployment, claim, "Acme", *people)
        copy = await is_asked(deployment, "U0BOB", "Pay Acme?")
        await named(deployment, claim, "Bolt", *people)
        shared = await pays(deployment, "U0BOB", "Pay Acme?", "Pay Bolt?")
        assert shared.posted == copy.posted
        await pays(deployment, "U0ADA", "Pay Acme?", "Pay Bolt?")
        await named(deployment, claim, "Cato", people[1])
        await pays(deployment, "U0BOB", "Pay Bolt?", "Pay Cato?")
        await deployment.until(lambda: deployment.all_shown(run))
        requesters = [each.words for each in direct(deployment, "U0ADA", "Pay Acme?")]
        assert ["Pay Bolt?" in each and "Pay Cato?" not in each for each in requesters] == [True]
        await settled(deployment, first, deployment.person("U0ADA"))
        after = await pays(deployment, "U0BOB", "1 of 3 is settled")
        assert "Open 2" in after.buttons
        assert "Open 1" not in after.buttons
    assert len(direct(deployment, "U0BOB", "Pay ")) == 1
