"""The delivery process: what is sent when it or `serve` dies, where it runs, and who says that it lives."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

from bot.delivery import count_delivering
from tests.loopback.slack import GENERAL
from tests.scenario.outbox import Outbox
from tests.scenario.server import ExecutedServer, Server, alive
from tests.scenario.slack_deployment import serving, slack_settings
from tests.scenario.test_doctor import line
from tests.scenario.test_doctor import run as command
from tests.waiting import WITHIN, eventually


def delivery_of(server: Server) -> list[psutil.Process]:
    """The living delivery processes of a server."""
    return [
        child
        for child in server.process.children()
        if alive(child) and "bot.commands.supervised_delivery" in child.cmdline()
    ]


async def until_delivering(server: Server, *, delivers: bool = True) -> None:
    """Return once `/ready` says that something delivers, or that nothing does."""
    await asyncio.to_thread(server.wait_for, lambda: server.get("/ready")[1]["delivery"] is delivers, WITHIN)


async def test_killed_it_is_started_again_and_everything_is_shown_once(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web, kind=ExecutedServer) as server:
        claim = await on.claimed(await on.start(topic="before"))
        await on.sees(lambda: on.said("before"), WITHIN)
        [killed] = delivery_of(server)
        killed.kill()
        await on.ask(claim, "May I go on?")
        claims = [await on.start(topic=f"meanwhile {number}") for number in range(3)]
        # People are acknowledged while nothing delivers, and what happened meanwhile comes later.
        assert (await on.slack.person("U0ADA").command("/crew", "list")).ok
        await on.sees(lambda: on.said("May I go on?"), WITHIN)
        for number in range(len(claims)):
            await on.sees(lambda number=number: on.said(f"meanwhile {number}"), WITHIN)  # type: ignore[misc]
        assert on.times_said("May I go on?") == 1
        assert [on.times_said(f"meanwhile {number}") for number in range(3)] == [1, 1, 1]
        [successor] = delivery_of(server)
        assert successor != killed
        await until_delivering(server)
        posted = 'crewdeck_web_api_calls_total{method="chat.postMessage",result="ok"}'
        await asyncio.to_thread(server.wait_for, lambda: posted in server.get("/metrics")[1], WITHIN)
        assert "crewdeck_delivery_restarts_total 1.0" in server.get("/metrics")[1]
        # It has what surfaces need, and neither crewai nor anything of crews.
        assert not [each for each in successor.memory_maps() if "crewai" in each.path]


async def test_serve_that_is_killed_leaves_no_delivery_process_behind(
    on: Outbox, web: dict[str, str]
) -> None:
    async with serving(on.slack, "http", web) as server:
        await until_delivering(server)
        [delivery] = delivery_of(server)
        server.kill()
        await asyncio.to_thread(delivery.wait, WITHIN)


async def test_it_can_run_elsewhere_and_serve_says_whether_it_does(
    on: Outbox, web: dict[str, str], python: str, tmp_path: Path
) -> None:
    elsewhere = web | {"CREWDECK_DELIVERY": "none"}
    async with serving(on.slack, "http", elsewhere) as server:
        assert delivery_of(server) == []
        assert "none here: start it with `crewdeck deliver`" in server.output
        await on.start(topic="somewhere else")
        assert server.get("/ready")[1]["delivery"] is False
        doctor = slack_settings(on.slack, "http") | elsewhere
        (tmp_path / "doctor").mkdir()
        _, lines = await command(python, tmp_path / "doctor", "doctor", **doctor)
        assert line(lines, "Delivery", "crewdeck deliver").startswith("warn")
        assert on.said("somewhere else") is None
        (tmp_path / "deliver").mkdir()
        other = Server(tmp_path / "deliver", slack_settings(on.slack, "http") | web, "deliver")
        try:
            await on.sees(lambda: on.said("somewhere else"), WITHIN)
            await until_delivering(server)
            _, lines = await command(python, tmp_path / "doctor", "doctor", **doctor)
            assert line(lines, "Delivery", "1 process").startswith("ok")
            other.stop()
        finally:
            other.sweep()
        await until_delivering(server, delivers=False)


async def test_inside_serve_there_is_one_process(on: Outbox, web: dict[str, str]) -> None:
    async with serving(on.slack, "http", web | {"CREWDECK_DELIVERY": "inside"}) as server:
        await on.start(channel=GENERAL, topic="inside")
        await on.sees(lambda: on.said("inside"), WITHIN)
        assert server.process.children() == []
        await until_delivering(server)


async def test_with_nothing_to_deliver_to_there_is_no_process_and_the_command_says_why(
    web: dict[str, str], tmp_path: Path
) -> None:
    async with Server.start(web) as server:
        assert delivery_of(server) == []
        assert "delivery" not in server.get("/ready")[1]
        assert "crewdeck_delivery_processes" not in server.get("/metrics")[1]
    deliver = Server(tmp_path, web, "deliver")
    assert await asyncio.to_thread(deliver.wait, WITHIN) == 2
    assert deliver.errors.count("\n") == 1
    assert "nothing to deliver to" in deliver.errors
    deliver.sweep()


@pytest.mark.parametrize("signals", [1, 4])
async def test_a_stop_lets_it_record_what_it_posts_however_often_it_is_asked(
    signals: int, on: Outbox, web: dict[str, str], tmp_path: Path
) -> None:
    """`serve` asks it, and closes its lifeline; an operator presses Ctrl-C again."""
    deliver = Server(tmp_path, slack_settings(on.slack, "http") | web, "deliver")
    try:
        await eventually(partial(is_present, on))
        on.slack.delay("chat.postMessage", seconds=0.5, times=1)
        await on.start(topic="while it stops")
        await on.slack.wait_for(lambda: on.slack.called("chat.postMessage"))
        for _ in range(signals):
            with contextlib.suppress(psutil.NoSuchProcess):
                deliver.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.1)
        assert await asyncio.to_thread(deliver.wait) == 0
        assert "Traceback" not in deliver.errors
    finally:
        deliver.sweep()
    assert not await is_present(on), "others would leave it its share of the shards"
    async with on.web():
        await on.start(topic="afterwards")
        await on.sees(lambda: on.said("afterwards"), WITHIN)
        assert on.times_said("while it stops") == 1


async def is_present(on: Outbox) -> bool:
    return await count_delivering(on.store.key_values, on.store.clock) == 1


async def test_who_was_suspended_beyond_its_lease_shows_nothing_again(
    on: Outbox, web: dict[str, str], tmp_path: Path
) -> None:
    """It had a message to post when the platform lets it. Another process has posted that meanwhile."""
    deliver = Server(tmp_path, slack_settings(on.slack, "http") | web, "deliver")
    try:
        await eventually(partial(is_present, on))
        topics = [f"waits its turn {number}" for number in range(8)]
        runs = [await on.start(topic=topic) for topic in topics]

        async def recorded() -> int:
            shown = [await on.store.outbox.state("slack", run.id) for run in runs]
            return sum(bool(each.messages) for each in shown)

        async def only_waits() -> bool:
            """It has posted what Slack takes at once; the next ones have a turn each second."""
            return await recorded() == len(on.slack.called("chat.postMessage")) >= 4

        await eventually(only_waits)
        deliver.process.suspend()
        async with on.web():
            for topic in topics:
                await on.sees(lambda topic=topic: on.said(topic), WITHIN)  # type: ignore[misc]
            deliver.process.resume()
            await asyncio.to_thread(deliver.stop)
    finally:
        deliver.sweep()
    # What it posted without recording it may be there twice, and nothing else.
    assert sum(on.times_said(topic) for topic in topics) <= len(topics) + 1


async def test_who_was_suspended_beyond_its_lease_draws_no_progress(
    on: Outbox, web: dict[str, str], tmp_path: Path
) -> None:
    """It had progress to draw later. Another process has drawn that meanwhile."""
    seldom = slack_settings(on.slack, "http") | web | {"CREWDECK_SLACK_EDITS_PER_MINUTE": "6"}
    deliver = Server(tmp_path, seldom, "deliver")
    try:
        run = await on.start()
        claim = await on.claimed(run)
        await on.begin_task(claim, 1, 3)

        async def drawn_later() -> bool:
            """The event is shown, but the first message not drawn: it was posted just now."""
            newest = (await on.store.runs.get(run.id)).seq
            return (await on.store.outbox.state("slack", run.id)).cursor == newest

        await eventually(drawn_later)
        deliver.process.suspend()
        assert not on.slack.called("chat.update")
        async with on.web():
            await on.sees(lambda: on.said("Draft 1"), WITHIN)
            drawn = len(on.slack.called("chat.update"))
            deliver.process.resume()
            await asyncio.to_thread(
                deliver.wait_for,
                lambda: "another process may draw this run by now" in str(deliver.log),
                WITHIN,
            )
            assert len(on.slack.called("chat.update")) == drawn
        await asyncio.to_thread(deliver.stop)
    finally:
        deliver.sweep()
