"""Payloads reach the listener of their kind; what goes wrong there has a status."""

from collections.abc import Mapping
from typing import Any

from bot.metrics import Metrics
from bot.surfaces.chat.ack_priority import AckPriority
from bot.surfaces.slack.inbound.acknowledgement import Acknowledgement
from bot.surfaces.slack.inbound.dispatcher import Dispatcher
from bot.surfaces.slack.inbound.payloads import Command

COMMAND = {"command": "/crew", "text": "list"}


async def shown(payload: Mapping[str, Any]) -> Acknowledgement:
    return Acknowledgement(body={"text": payload["text"]})


async def malformed(payload: Mapping[str, Any]) -> Acknowledgement:
    Command.model_validate(payload)
    raise AssertionError("it has no team")


async def failing(_: Mapping[str, Any]) -> Acknowledgement:
    raise RuntimeError("the listener is wrong")


def dispatcher(**listeners: Any) -> tuple[Dispatcher, Metrics]:
    metrics = Metrics()
    return Dispatcher(listeners, metrics, AckPriority()), metrics


async def test_a_payload_reaches_the_listener_of_its_kind() -> None:
    dispatches, metrics = dispatcher(command=shown, block_actions=failing)
    assert await dispatches.dispatch(COMMAND) == Acknowledgement(body={"text": "list"})
    assert list(metrics.acks.sums) == ["command"]


async def test_halves_of_characters_reach_no_listener() -> None:
    dispatches, _ = dispatcher(command=shown)
    assert await dispatches.dispatch(COMMAND | {"text": "\ud83d"}) == Acknowledgement(body={"text": "\ufffd"})


async def test_a_kind_without_a_listener_is_acknowledged() -> None:
    dispatches, metrics = dispatcher(command=failing)
    assert await dispatches.dispatch({"type": "something_new"}) == Acknowledgement()
    assert not metrics.acks.sums


async def test_what_has_not_slacks_shape_is_refused_and_not_counted() -> None:
    dispatches, metrics = dispatcher(command=malformed)
    assert (await dispatches.dispatch(COMMAND)).status == 400
    assert not metrics.acks.sums


async def test_a_listener_that_fails_is_no_acknowledgement() -> None:
    dispatches, metrics = dispatcher(command=failing)
    assert await dispatches.dispatch(COMMAND) == Acknowledgement(status=500)
    assert await dispatches.replay(COMMAND) == 500
    assert list(metrics.acks.sums) == ["command"]
