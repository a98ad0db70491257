"""Where runs are: in one place each, whatever happens in whatever order, and in the end all of them end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.core.errors import NotFound, Refused
from bot.core.ports.queue import Fenced
from bot.core.runs.place import Place
from bot.core.runs.run import Claim
from bot.store import redis_keys
from bot.store.clock import ClockSettings
from bot.store.codec import new_call
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import ADA, DEMO, LEASE, LOST, RETRY_AFTER, UNPLACED, approval, new_run, response
from tests.contract.outboxes import open_thread
from tests.contract.places import misplaced
from tests.contract.servers import empty

HURRIED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORKERS = ("w1", "w2", "w3")
TENANT = UNPLACED.tenant
PLACED = Place(surface="slack", tenant=TENANT, ref="C1/1700.1", group="slack:T1:C1")

which = st.integers(0, 5)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["start", "start held"]), st.just(0)),
        st.tuples(st.sampled_from(["claim", "claim alone", "abandon", "lose answer"]), st.integers(0, 2)),
        st.tuples(
            st.sampled_from(["finish", "release", "park", "set aside", "ask", "answer", "beat", "note"]),
            which,
        ),
        st.tuples(st.sampled_from(["cancel", "open thread", "fail unplaced", "delete", "claim late"]), which),
        st.tuples(st.sampled_from(["run out", "tick", "jump", "pause", "resume"]), st.just(0)),
    ),
    min_size=4,
    max_size=40,
)


@dataclass
class Play:
    """Some runs, and whoever does something with them."""

    store: RedisStore
    server: redis.Redis
    runs: list[str] = field(default_factory=list)
    #: All that were ever made: those of the past are zombies'.
    claims: list[Claim] = field(default_factory=list)

    async def do(self, step: tuple[str, int]) -> None:
        what, number = step
        try:
            await getattr(self, f"_{what.replace(' ', '_')}")(number)
        except (Refused, Fenced, NotFound):
            return

    def _run(self, number: int) -> str:
        if not self.runs:
            raise NotFound("run", "")
        return self.runs[number % len(self.runs)]

    def _claimed(self, number: int) -> Claim:
        if not self.claims:
            raise Fenced
        return self.claims[-1 - number % len(self.claims)]

    async def _start(self, _: int) -> None:
        run, _new = await self.store.runs.start(new_run(place=PLACED))
        self.runs.append(run.id)

    async def _start_held(self, _: int) -> None:
        run, _new = await self.store.runs.start(new_run(place=UNPLACED, awaiting_thread=True))
        self.runs.append(run.id)

    async def _claim(self, worker: int) -> None:
        self.claims += await self.store.queue.claim(WORKERS[worker], [DEMO.name], 2, LEASE)

    async def _claim_alone(self, worker: int) -> None:
        self.claims += await self.store.queue.claim(WORKERS[worker], [DEMO.name], 1, LEASE, isolated=True)

    async def _lose_answer(self, worker: int) -> None:
        """A claim happens, and its worker never hears of it."""
        await self.store.queue.claim(WORKERS[worker], [DEMO.name], 1, LEASE)

    async def _claim_late(self, number: int) -> None:
        """A worker claims what it has seen in a line a moment ago, wherever that is by now."""
        run_id = self._run(number)
        connection = self.store.connection
        how = ("late", new_call(), 60_000, 1, "status")
        await connection.run("claim", redis_keys.shard_of(run_id), *how, run_id)

    async def _abandon(self, worker: int) -> None:
        await self.store.queue.abandon(WORKERS[worker], LOST)

    async def _finish(self, number: int) -> None:
        await self.store.queue.finish(self._claimed(number), result="done")

    async def _release(self, number: int) -> None:
        await self.store.queue.release(self._claimed(number))

    async def _park(self, number: int) -> None:
        claim = self._claimed(number)
        await self.store.queue.park(claim, [approval(claim).id])

    async def _set_aside(self, number: int) -> None:
        await self.store.queue.defer(self._claimed(number), 0.01)

    async def _ask(self, number: int) -> None:
        claim = self._claimed(number)
        await self.store.questions.ask(claim, approval(claim))

    async def _answer(self, number: int) -> None:
        for question in await self.store.questions.list(self._run(number)):
            await self.store.questions.respond(question.run_id, question.id, response())

    async def _beat(self, number: int) -> None:
        claim = self._claimed(number)
        await self.store.queue.heartbeat(claim.worker, [claim], LEASE)

    async def _note(self, number: int) -> None:
        claim = self._claimed(number)
        await self.store.journal.put_if_absent(claim, f"step {claim.epoch}", "done")

    async def _cancel(self, number: int) -> None:
        await self.store.runs.cancel(self._run(number), ADA)

    async def _delete(self, number: int) -> None:
        await self.store.runs.delete(self._run(number))

    async def _open_thread(self, number: int) -> None:
        await open_thread(self.store, self._run(number), PLACED)

    async def _fail_unplaced(self, number: int) -> None:
        await self.store.runs.fail_unplaced(self._run(number), LOST)

    async def _tick(self, _: int) -> None:
        await self.store.clock.apply_due(LOST)

    async def _run_out(self, _: int) -> None:
        """All leases run out, while time goes on."""
        for shard in range(redis_keys.SHARDS):
            leases = f"{redis_keys.base(shard)}:leases"
            for run_id in self.server.zrange(leases, 0, -1):
                self.server.zadd(leases, {str(run_id): 1}, xx=True)
        await self.store.clock.apply_due(LOST)

    async def _jump(self, _: int) -> None:
        """The store's clock jumps."""
        for shard in range(redis_keys.SHARDS):
            self.server.set(f"{redis_keys.base(shard)}:clock_checked", 1)
        await self.store.clock.apply_due(LOST)

    async def _pause(self, _: int) -> None:
        await self.store.runs.pause_tenant(TENANT, "its token was revoked")

    async def _resume(self, _: int) -> None:
        await self.store.runs.pause_tenant(TENANT, None)

    async def all_end(self) -> None:
        """Workers are well from now on, and people answer: after that nothing is left that lives."""
        await self.store.runs.pause_tenant(TENANT, None)
        for worker in (*WORKERS, "late"):
            await self.store.queue.abandon(worker, LOST)
        for number in range(len(self.runs)):
            await self.do(("open thread", number))
        live = await self._live()
        for _ in range(6):
            if not live:
                break
            await asyncio.sleep(RETRY_AFTER + 0.02)
            await self.store.clock.apply_due(LOST)
            for number in range(len(self.runs)):
                await self.do(("answer", number))
            for alone in (False, True):
                for claim in await self.store.queue.claim("well", [DEMO.name], 50, LEASE, isolated=alone):
                    await self.store.queue.finish(claim, result="done")
            live = await self._live()
        assert live == []

    async def _live(self) -> list[str]:
        return [run_id for run_id in self.runs if not await self._over(run_id)]

    async def _over(self, run_id: str) -> bool:
        try:
            return (await self.store.runs.get(run_id)).status.over
        except NotFound:
            return True  # It was deleted.


async def play(url: str, server: redis.Redis, moves: Sequence[tuple[str, int]], *, at_once: bool) -> None:
    async with open_store(url, ClockSettings(retry_after=RETRY_AFTER)) as store:
        playing = Play(store, server)
        if at_once:
            for start in ("start", "start", "start held"):
                await playing.do((start, 0))
            await playing.do(("claim", 0))
            await asyncio.gather(*(playing.do(step) for step in moves))
            assert misplaced(server) == []
        for step in () if at_once else moves:
            await playing.do(step)
            assert misplaced(server) == [], step
        await playing.all_end()
        assert misplaced(server) == []


SET_ASIDE = [("start", 0), ("claim", 0), ("set aside", 0), ("claim late", 0)]
PARKED_FOR_NOTHING = [("start", 0), ("claim", 0), ("park", 0)]


@given(moves=steps, at_once=st.booleans())
@example(moves=SET_ASIDE, at_once=False)
@example(moves=PARKED_FOR_NOTHING, at_once=False)
@HURRIED
def test_each_run_is_in_one_place_and_comes_to_an_end(
    store_url: str, moves: list[tuple[str, int]], *, at_once: bool
) -> None:
    empty(store_url)
    with redis.Redis.from_url(store_url, decode_responses=True) as server:
        asyncio.run(play(store_url, server, moves, at_once=at_once))
