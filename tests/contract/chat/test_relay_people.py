"""Who is asked of a question whose run lives on another surface, and who is not, or no longer."""

from __future__ import annotations

import pytest

from bot.core.people.actor import Membership
from bot.core.people.policy import ANYONE, Policy
from bot.core.questions.question import Action
from bot.core.questions.response import make_response
from bot.core.unlinking import unlink
from tests.contract.chat.deployment import Deployment
from tests.contract.chat.relaying import (
    ADA,
    ASKED,
    BOB,
    DECIDING,
    Group,
    asked,
    caught_up,
    caught_up_or_retrying,
    claimed,
    direct,
    is_asked,
    linked,
    nothing_is_pending,
    settled,
)
from tests.contract.outboxes import make_due


async def test_somebody_whom_the_policy_names_by_this_surface_is_asked_without_a_link(
    deployment: Deployment,
) -> None:
    claim = await claimed(deployment)
    async with deployment.delivering():
        await asked(deployment, claim, ADA.principal, f"{deployment.surface}::U0BOB")
        await is_asked(deployment, "U0BOB")
    assert not direct(deployment, "U0ADA")


@pytest.mark.parametrize("policy", [Policy(deciders=(ANYONE,)), Policy(deciders=(BOB.principal,))])
async def test_nobody_is_asked_whom_the_policy_does_not_name(deployment: Deployment, policy: Policy) -> None:
    await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        await caught_up(deployment, await asked(deployment, claim, policy=policy))
    assert not direct(deployment, "U0ADA")


async def test_who_is_excluded_in_any_identity_is_not_asked(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    policy = Policy(deciders=(deployment.person("U0ADA").principal, BOB.principal), excluded=(ADA.principal,))
    claim = await claimed(deployment)
    async with deployment.delivering():
        await caught_up(deployment, await asked(deployment, claim, policy=policy))
    assert not direct(deployment, "U0ADA")


async def test_a_guest_is_not_asked_what_members_decide(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    deployment.memberships["U0ADA"] = Membership.GUEST
    claim = await claimed(deployment)
    async with deployment.delivering():
        await asked(deployment, claim, ADA.principal, BOB.principal)
        await is_asked(deployment, "U0BOB")
    assert not direct(deployment, "U0ADA")


async def test_who_unlinked_decides_nothing_and_learns_nothing_more(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim)
        copy = await is_asked(deployment, "U0ADA")
        assert await deployment.store.directory.unlink(ADA, here.principal)
        said = make_response(Action.APPROVE, here, key="late", digest=question.digest)
        ruling = await deployment.store.questions.respond(question.run_id, question.id, said)
        assert ruling.code == "not_allowed"
        await settled(deployment, question, ADA)
        now = await is_asked(deployment, "U0ADA", "no longer yours")
    assert now.posted == copy.posted
    assert now.buttons == ()
    assert ASKED not in now.words
    assert "Approved" not in now.words


async def test_who_unlinks_sees_at_once_why_the_question_is_no_longer_theirs(deployment: Deployment) -> None:
    here = await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim, ADA.principal, BOB.principal)
        copy = await is_asked(deployment, "U0ADA")
        await is_asked(deployment, "U0BOB")
        await caught_up(deployment, question)
        assert await unlink(deployment.store, here, ADA.principal)
        now = await is_asked(deployment, "U0ADA", "is no longer linked with this one")
        await nothing_is_pending(deployment, question)
        assert (now.posted, now.buttons) == (copy.posted, ())
        assert ASKED not in now.words
        assert (await is_asked(deployment, "U0BOB")).buttons[:2] == DECIDING
        assert not await unlink(deployment.store, here, ADA.principal)
        await settled(deployment, question, BOB)
        assert (await is_asked(deployment, "U0BOB", "Approved")).buttons == ()
        assert "Approved" not in (await is_asked(deployment, "U0ADA", "no longer yours")).words


async def test_who_has_left_the_group_learns_nothing_more(deployment: Deployment) -> None:
    await linked(deployment, BOB, "U0BOB")
    group = Group({BOB.principal, ADA.principal})
    deployment.store.directory.serve("slack", group)
    claim = await claimed(deployment)
    policy = Policy(deciders=("slack::@finance",), need=2, who=("@finance",))
    async with deployment.delivering():
        question = await asked(deployment, claim, policy=policy)
        await is_asked(deployment, "U0BOB")
        group.members_now.discard(BOB.principal)
        await deployment.store.directory.refresh(["slack::@finance"])
        await settled(deployment, question, ADA)
        assert (await is_asked(deployment, "U0BOB", "no longer yours")).buttons == ()


async def test_who_may_decide_by_a_group_is_asked_once_it_can_be_read(deployment: Deployment) -> None:
    await linked(deployment, BOB, "U0BOB")
    group = Group({BOB.principal})
    group.readable = False
    deployment.store.directory.serve("slack", group)
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim, policy=Policy(deciders=("slack::@finance",)))
        await caught_up_or_retrying(deployment, question)
        assert not direct(deployment, "U0BOB")
        group.readable = True
        await deployment.store.directory.refresh(["slack::@finance"])

        async def is_tried_again() -> bool:
            await make_due(deployment.store, deployment.surface, question.run_id)
            return bool(direct(deployment, "U0BOB"))

        await deployment.until(is_tried_again)


async def test_while_a_group_is_unreadable_copies_stay_as_they_may_be_pressed_later(
    deployment: Deployment,
) -> None:
    await linked(deployment, BOB, "U0BOB")
    group = Group({BOB.principal, ADA.principal})
    deployment.store.directory.serve("slack", group)
    claim = await claimed(deployment)
    policy = Policy(deciders=("slack::@finance", ADA.principal), need=2, who=("@finance", "ada"))
    async with deployment.delivering():
        question = await asked(deployment, claim, policy=policy)
        await is_asked(deployment, "U0BOB")
        group.readable = False
        await deployment.store.directory.refresh(["slack::@finance"])
        await settled(deployment, question, ADA)
        await caught_up_or_retrying(deployment, question)
        assert "no longer yours" not in (await is_asked(deployment, "U0BOB", "it")).words


async def test_a_restart_between_the_copies_asks_everybody_once(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    claim = await claimed(deployment)
    deployment.memberships["U0BOB"] = None
    async with deployment.delivering("web-1"):
        question = await asked(deployment, claim, ADA.principal, BOB.principal)
        await is_asked(deployment, "U0ADA")
        await caught_up_or_retrying(deployment, question)
    del deployment.memberships["U0BOB"]
    assert not direct(deployment, "U0BOB")
    await make_due(deployment.store, deployment.surface, question.run_id)
    async with deployment.delivering("web-2"):
        await is_asked(deployment, "U0BOB")
        await caught_up(deployment, question)
        await settled(deployment, question, BOB)
        for user_id in ("U0ADA", "U0BOB"):
            assert (await is_asked(deployment, user_id, "Approved")).buttons == ()
            assert len(direct(deployment, user_id)) == 1


async def test_who_can_not_be_written_to_delays_nobody(deployment: Deployment) -> None:
    await linked(deployment, ADA, "U0ADA")
    await linked(deployment, BOB, "U0BOB")
    await deployment.peer.close(deployment.peer.direct_channel("U0ADA"))
    claim = await claimed(deployment)
    async with deployment.delivering():
        question = await asked(deployment, claim, ADA.principal, BOB.principal)
        await is_asked(deployment, "U0BOB")
        await caught_up(deployment, question)
    assert not direct(deployment, "U0ADA")
