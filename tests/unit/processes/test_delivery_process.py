"""What a delivery process counts reaches `/metrics` of `serve`, exactly once."""

import json
import os
from collections.abc import Iterator

import pytest

from bot.exposition import exposition
from bot.metrics import Increment, Metrics
from bot.processes.delivery_process import INCREMENTS_PER_LINE, MetricsReporter


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        os.close(end)


def received(descriptor: int) -> list[Increment]:
    """What the parent reads; each line is whole."""
    text = b""
    try:
        while chunk := os.read(descriptor, 65536):
            text += chunk
    except BlockingIOError:
        pass
    assert not text or text.endswith(b"\n")
    lines = text.splitlines()
    assert all(len(line) < 4096 for line in lines)
    return [Increment(name, tuple(labels), by) for line in lines for name, labels, by in json.loads(line)]


def test_increments_are_reported_once_and_add_up_in_the_parent(pipe: tuple[int, int]) -> None:
    ours, parent = Metrics(), Metrics()
    reports = MetricsReporter(ours, pipe[1])
    for calls in (3, 2, 0):
        for _ in range(calls):
            ours.web_api_calls.inc("chat.postMessage", "ok")
            ours.unnotified_questions.inc()
        reports.send()
        parent.add(received(pipe[0]))
    parent.web_api_calls.inc("chat.postMessage", "ok")
    text = exposition(parent, None, 0).decode()
    assert 'crewdeck_web_api_calls_total{method="chat.postMessage",result="ok"} 6.0' in text
    assert "crewdeck_unnotified_questions_total 5.0" in text


def test_what_a_full_pipe_does_not_take_is_reported_later(pipe: tuple[int, int]) -> None:
    ours = Metrics()
    reports = MetricsReporter(ours, pipe[1])
    found: list[Increment] = []
    many = 3000
    for number in range(many):  # far more than a pipe holds, and nobody reads
        ours.web_api_calls.inc(f"method.{number:04}", "a result of many words, so that lines are long")
        if number % 50 == 0:
            reports.send()
    while len(found) < many:
        found += received(pipe[0])
        reports.send()
    assert len({each.labels for each in found}) == many
    assert all(each.by == 1 for each in found)


def test_a_line_of_the_longest_increments_fits_into_a_pipe_at_once(pipe: tuple[int, int]) -> None:
    ours = Metrics()
    for number in range(INCREMENTS_PER_LINE):
        ours.web_api_calls.inc(f"teams.{'operation' * 8}{number}", "result" * 12)
    MetricsReporter(ours, pipe[1]).send()
    assert len(received(pipe[0])) == INCREMENTS_PER_LINE


def test_a_parent_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ours = Metrics()
    ours.unnotified_questions.inc()
    MetricsReporter(ours, writing).send()
    os.close(writing)


def test_labels_of_another_number_are_refused_and_unknown_counters_left_out() -> None:
    metrics = Metrics()
    metrics.add([Increment("crewdeck_of_a_newer_release", ("a",), 1)])
    with pytest.raises(ValueError, match="crewdeck_web_api_calls"):
        metrics.add([Increment("crewdeck_web_api_calls", ("a",), 1)])
