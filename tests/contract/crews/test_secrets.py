"""What tools are given in secret: from the environment, and as an argument by the model that knows it."""

import redis

from bot.store import keys
from tests.contract.crews.conftest import TOKEN
from tests.contract.crews.deck import Deck, WorkerProcess
from tests.faults.releases import dump
from tests.loopback.models import LoopbackModel, call, say

PASSWORD = "a-password-of-somebody"


async def test_secrets_are_in_no_key_event_or_log(
    deck: Deck, worker: WorkerProcess, model: LoopbackModel
) -> None:
    model.script(
        "vault",
        [
            call("vault", password=f"{PASSWORD}-wrong"),
            call("vault", password=PASSWORD),
            call("ask_human", question="Take it out?", kind="approval"),
            say("It is {last}"),
        ],
    )
    run = await deck.start("vault", prompt="[[vault]]")
    question = await deck.question(run)
    with redis.Redis.from_url(worker.redis_url, decode_responses=True) as server:
        stored = dump.taken(server, expiring=True)
    await deck.say(question, "Approve")
    assert "approved" in await deck.result(run)
    told = " ".join(str(event.public()) for event in await deck.events(run))
    journal = stored.pop(keys.journal(run.id))
    for secret in (PASSWORD, TOKEN):
        assert secret not in str(stored), "only the journal holds what models and tools said"
        assert secret not in str(list(journal["value"])), "and not in the names of its entries"
        assert secret not in told
        assert secret not in worker.log, "though it logs at level DEBUG"
    assert PASSWORD in str(journal), "the model's own words are what is replayed"
