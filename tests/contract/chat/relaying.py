"""A run that lives on another surface, its people, and what they see on this one."""

from __future__ import annotations

from typing import Any

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.ports.directory import GroupUnreadable
from bot.core.questions.question import Action, Question
from bot.core.questions.response import make_response
from bot.core.runs.place import Place
from bot.core.runs.run import Claim
from bot.store.redis_keys import shard_of
from tests.contract.chat.deployment import Deployment
from tests.contract.chat.peers import Seen
from tests.contract.examples import LEASE, approval, new_run

ELSEWHERE = "elsewhere"
HOME = Place(surface=ELSEWHERE, tenant="E1", ref="c1/m1", group="elsewhere:E1:c1")
ADA = Actor(surface=ELSEWHERE, tenant="E1", user_id="ada", name="Ada")
BOB = Actor(surface=ELSEWHERE, tenant="E1", user_id="bob", name="Bob")
DECIDING = ("Approve", "Reject")
ASKED = "Publish it?"


async def claimed(deployment: Deployment) -> Claim:
    """A run of Ada's that lives elsewhere, while this surface is known to be there."""
    store = deployment.store
    run, _ = await store.runs.start(new_run(by=ADA, place=HOME))
    await store.outbox.lease_shard(deployment.surface, shard_of(run.id), "web-1", LEASE, relay=True)
    [claim] = await store.queue.claim("worker", [run.crew.name], 1, 60)
    return claim


async def linked(deployment: Deployment, elsewhere: Actor, user_id: str) -> Actor:
    """Somebody of this surface who is the same person as somebody elsewhere."""
    here = deployment.person(user_id)
    code = await deployment.store.directory.new_code(elsewhere)
    await deployment.store.directory.redeem(code, here)
    return here


async def asked(deployment: Deployment, claim: Claim, *deciders: str, **more: Any) -> Question:
    policy = more.pop("policy", None) or Policy(deciders=deciders or (ADA.principal,))
    prompt = str(more.get("prompt", ASKED))
    question = approval(claim, prompt).model_copy(update={"prompt": prompt, "policy": policy, **more})
    return await deployment.store.questions.ask(claim, question)


async def settled(deployment: Deployment, question: Question, by: Actor, key: str = "press") -> None:
    now = await deployment.store.questions.get(question.run_id, question.id)
    said = make_response(Action.APPROVE, by, key=key, digest=now.digest)
    await deployment.store.questions.respond(question.run_id, question.id, said)


def direct(deployment: Deployment, user_id: str, words: str = ASKED) -> list[Seen]:
    return deployment.all_saying(words, deployment.peer.direct_channel(user_id))


async def is_asked(deployment: Deployment, user_id: str, words: str = ASKED) -> Seen:
    return await deployment.sees(words, deployment.peer.direct_channel(user_id))


async def caught_up(deployment: Deployment, question: Question) -> None:
    """All that happened so far has been shown here."""

    async def there() -> bool:
        store = deployment.store
        run = await store.runs.get(question.run_id)
        return (await store.outbox.state(deployment.surface, run.id)).cursor >= run.seq

    await deployment.until(there)


async def nothing_is_pending(deployment: Deployment, question: Question) -> None:
    """This run is shown here as it is."""

    async def there() -> bool:
        shard = shard_of(question.run_id)
        return question.run_id not in await deployment.store.outbox.pending(deployment.surface, shard)

    await deployment.until(there)


class Group:
    """A user group whose members change."""

    def __init__(self, members: set[str]) -> None:
        self.members_now = members
        self.readable = True

    async def members(self, group: str) -> frozenset[str]:
        if not self.readable:
            raise GroupUnreadable(f"{group} can't be read.")
        return frozenset(self.members_now)


async def caught_up_or_retrying(deployment: Deployment, question: Question) -> None:
    """The run was looked at, and waits for another try if somebody could not be recognised."""

    async def there() -> bool:
        store = deployment.store
        run = await store.runs.get(question.run_id)
        done = (await store.outbox.state(deployment.surface, run.id)).cursor >= run.seq - 1
        waiting = await store.outbox.pending(deployment.surface, shard_of(run.id))
        return done and run.id not in waiting

    await deployment.until(there)
