"""Who started a run is told why its thread can't be opened, and nothing once it is open."""

import asyncio

from bot.core.events.event import PublishedEvent
from bot.core.runs.run import RunError
from bot.core.wakeups import Wakeups, placed_topic, run_topic
from bot.store.redis import RedisStore
from bot.surfaces.chat.inbound.ports import ReplyTarget
from bot.surfaces.chat.inbound.starting import RunStarter
from bot.surfaces.chat.messages import Message
from tests.contract.chat.memory_platform import CAPABILITIES
from tests.contract.examples import new_run
from tests.waiting import WITHIN

TO = ReplyTarget("T1", "ada", "general")


class Told:
    """The port `PrivateMessenger`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def tell(self, to: ReplyTarget, message: Message) -> bool:
        assert to == TO
        self.messages.append(message)
        return True


async def test_a_thread_that_is_heard_to_be_open_needs_no_look_at_the_run(store: RedisStore) -> None:
    wakeups, told = Wakeups(), Told()
    run, _ = await store.runs.start(new_run(awaiting_thread=True))
    watching = asyncio.create_task(RunStarter(CAPABILITIES, store, wakeups, told).watch(run, TO))
    await asyncio.sleep(0)
    wakeups.wake([run_topic(run.id), placed_topic(run.id)])
    await asyncio.wait_for(watching, WITHIN)
    # Who had looked would still wait.
    assert (await store.runs.get(run.id)).awaiting_thread
    assert told.messages == []


async def test_of_a_thread_that_cant_be_opened_one_is_told_why(store: RedisStore) -> None:
    wakeups, told = Wakeups(), Told()
    run, _ = await store.runs.start(new_run(awaiting_thread=True))
    watching = asyncio.create_task(RunStarter(CAPABILITIES, store, wakeups, told).watch(run, TO))
    await asyncio.sleep(0)
    await store.runs.fail_unplaced(run.id, RunError(code="unplaced", message="The channel is archived."))
    wakeups.wake([run_topic(run.id)])
    await asyncio.wait_for(watching, WITHIN)
    [message] = told.messages
    assert "The channel is archived." in str(message)


async def test_what_a_start_says_of_itself_is_no_reason_to_look_at_the_run(store: RedisStore) -> None:
    wakeups, told = Wakeups(), Told()
    run, _ = await store.runs.start(new_run(awaiting_thread=True))
    watching = asyncio.create_task(RunStarter(CAPABILITIES, store, wakeups, told).watch(run, TO))
    await asyncio.sleep(0)
    await store.runs.fail_unplaced(run.id, RunError(code="unplaced", message="The channel is archived."))
    first, second = [PublishedEvent(run.id, seq, 0, "{}") for seq in (run.seq, run.seq + 1)]
    wakeups.wake([run_topic(run.id)], [first])
    for _ in range(3):
        # On the same connection, so that what was asked before is answered before.
        await store.runs.get(run.id)
    assert told.messages == []
    wakeups.wake([run_topic(run.id)], [second])
    await asyncio.wait_for(watching, WITHIN)
    assert len(told.messages) == 1
