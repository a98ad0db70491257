"""Questions on a real server without workers: policies, tool calls, and the people who decide.

The test asks as a worker would; people answer on the surface that is tested.
"""

from __future__ import annotations

import itertools
from typing import Any

from bot.core import ids
from bot.core.people.actor import Actor
from bot.core.people.api_keys import ApiKey, Scope, digest
from bot.core.people.policy import Approvers, Policy
from bot.core.questions.question import Question, QuestionKind, Source, options_for
from bot.core.questions.tool_call import ToolCall
from bot.core.runs.crew import Crew
from bot.core.runs.run import Claim
from bot.core.starting import plan
from bot.store.redis import RedisStore

SECRETS = {"ada": "a-secret-of-ada-1", "bob": "a-secret-of-bob-1", "ops": "an-operators-secret"}
KEYS = "ada:{ada}:read+start+answer,bob:{bob}:read+start+answer,ops:{ops}:admin".format(**SECRETS)
ADA, BOB = "http::key:ada", "http::key:bob"
CREW = Crew(name="payments", title="Payments", approvers=Approvers(anyone=True))
NUMBERS = itertools.count(1)
SERVED = {"CREWDECK_WORKERS": "0", "CREWDECK_API_KEYS": KEYS, "CREWDECK_RATE_LIMIT": "1000"}
"""The settings of the server."""


def person(name: str) -> Actor:
    return ApiKey(name=name, scopes=(Scope.ANSWER,), digest=digest(SECRETS[name])).actor()


def call(reference: str = "A-1", **arguments: Any) -> ToolCall:
    given = {"amount": 1200, "recipient": "Acme", "reference": reference, **arguments}
    return ToolCall(
        tool="send_money",
        title="Pay € {amount} to {recipient}",
        on_behalf="as the app",
        arguments=given,
        proposed=given,
        editable=("reference",),
        secrets={"token": "hmac:1234"},
        parameters={"type": "object", "properties": {"reference": {"type": "string"}}},
    )


def policy(*deciders: str, **fields: Any) -> Policy:
    given: dict[str, Any] = {"who": ("finance",), "name": "pay", "version": "3fa9c1d2e4b5"}
    return Policy(deciders=deciders or (ADA, BOB), admins=False, **{**given, **fields})


TWO = policy(need=2)


async def claimed(store: RedisStore) -> Claim:
    """A run that this test's worker holds."""
    await store.runs.start(plan(CREW, {}, person("ops"), key=f"run {next(NUMBERS)}"))
    [claim] = await store.queue.claim("w1", [CREW.name], 1, 300)
    return claim


async def ask(
    store: RedisStore, prompt: str, kind: QuestionKind = QuestionKind.APPROVAL, /, **fields: Any
) -> Question:
    claim = fields.pop("claim", None) or await claimed(store)
    question = Question(
        id=ids.part_id(claim.run.id, "question", next(NUMBERS)),
        run_id=claim.run.id,
        kind=kind,
        prompt=prompt,
        options=options_for(kind, fields.pop("labels", ())),
        **{"policy": claim.run.approvers, **fields},
    )
    return await store.questions.ask(claim, question)


async def gate(store: RedisStore, prompt: str, **fields: Any) -> Question:
    given = {"source": Source.GATE, "call": call(), "policy": policy(), **fields}
    return await ask(store, prompt, QuestionKind.APPROVAL, **given)


async def settled(store: RedisStore, question: Question) -> Question:
    """The question, which has an outcome by now."""
    now = await store.questions.get(question.run_id, question.id)
    assert now.outcome is not None
    return now
