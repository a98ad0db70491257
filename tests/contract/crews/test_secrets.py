"""What tools are given in secret: from the environment, and as an argument by the model that knows it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.store import redis_keys
from tests.contract.crews.conftest import DEFINITIONS, TOKEN
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.faults.releases import dump
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel, call, say

PASSWORD = "a-password-of-somebody"
KEY = "0a1b2c3d4e5f-of-nobody"
"""A provider's key that looks like no key."""
KEY_IN_CODE = "a1b2c3d4e5f6-in-code"
"""As in `toolbox.own_key`."""


async def test_secrets_are_in_no_key_event_or_log(
    deployment: Deployment, worker: WorkerProcess, model: LoopbackModel
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
    run = await deployment.start("vault", prompt="[[vault]]")
    question = await deployment.question(run)
    with redis.Redis.from_url(worker.redis_url, decode_responses=True) as server:
        stored = dump.taken(server, expiring=True)
    await deployment.say(question, "Approve")
    assert "approved" in await deployment.result(run)
    told = " ".join(str(event.public()) for event in await deployment.events(run))
    journal = stored.pop(redis_keys.journal(run.id))
    for secret in (PASSWORD, TOKEN):
        assert secret not in str(stored), "only the journal holds what models and tools said"
        assert secret not in str(list(journal["value"])), "and not in the names of its entries"
        assert secret not in told
        assert secret not in worker.log, "though it logs at level DEBUG"
    assert PASSWORD in str(journal), "the model's own words are what is replayed"


@web.middleware
async def indiscreet(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A provider that quotes the key that it refuses, as some do."""
    if request.method == "GET":
        return await handler(request)
    key = request.headers["Authorization"].removeprefix("Bearer ")
    error = {
        "message": f"Incorrect API key provided: {key}.",
        "type": "invalid_request_error",
        "code": "invalid_api_key",
    }
    return web.json_response({"error": error}, status=401)


@pytest.fixture
async def refused(fork_server: ForkServer) -> AsyncIterator[WorkerProcess]:
    """A worker whose provider refuses its key."""
    async with LoopbackModel(middlewares=[indiscreet]) as provider:
        with WorkerProcess.started(
            provider.base_url, DEFINITIONS, fork_server=fork_server, OPENAI_API_KEY=KEY
        ) as process:
            await asyncio.to_thread(process.wait_for_log, "ready")
            yield process


async def test_a_key_that_the_provider_quotes_is_in_no_log_and_told_to_nobody(refused: WorkerProcess) -> None:
    async with Deployment.at(refused.redis_url, lambda: refused.log) as deployment:
        for crew in ("solo", "own_key"):
            run = await deployment.over(await deployment.start(crew, prompt="write"))
            assert run.error is not None
            assert run.error.code == "model_error"
            told = f"{run.error} {[event.public() for event in await deployment.events(run)]}"
            for key in (KEY, KEY_IN_CODE):
                assert key not in told
                assert key not in refused.log
    assert "the crew failed" in refused.log
    assert "Incorrect API key provided: [redacted]" in refused.log
