"""Counters of this process. `bot.exposition` writes them in Prometheus' format."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

ACK_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Seconds. Slack's limit is 3."""


class Increment(NamedTuple):
    """By how much a counter grew."""

    counter: str
    labels: tuple[str, ...]
    by: float


class Counter:
    """Counts, for each combination of labels."""

    def __init__(self, name: str, words: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.words = words
        self.label_names = tuple(labels)
        self.counts: defaultdict[tuple[str, ...], float] = defaultdict(float)
        if not labels:
            self.counts[()] = 0.0

    def inc(self, *labels: str, by: float = 1) -> None:
        if len(labels) != len(self.label_names):
            raise ValueError(f"{self.name} has the labels {self.label_names}")
        self.counts[labels] += by


class Histogram:
    """The distribution of values, for each value of a label."""

    def __init__(self, name: str, words: str, label: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.words = words
        self.label_name = label
        self._bounds = tuple(bounds)
        self._counts: dict[str, list[int]] = {}
        self.sums: defaultdict[str, float] = defaultdict(float)

    def observe(self, label: str, value: float) -> None:
        counts = self._counts.setdefault(label, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, value)] += 1
        self.sums[label] += value

    def buckets(self, label: str) -> list[tuple[str, float]]:
        """Upper bounds, and how many values are not above them."""
        bounds = [*map(str, self._bounds), "+Inf"]
        return [*zip(bounds, map(float, accumulate(self._counts[label])), strict=True)]


class Metrics:
    """The counters of this process, created in the composition root."""

    def __init__(self) -> None:
        self.acks = Histogram(
            "crewdeck_ack_seconds",
            "Time from a surface's request to its acknowledgement.",
            "kind",
            ACK_BUCKETS,
        )
        self.web_api_calls = Counter(
            "crewdeck_web_api_calls",
            "Calls of the chat platforms' APIs by method and result; Teams' methods begin with teams.",
            ["method", "result"],
        )
        self.web_api_retries = Counter(
            "crewdeck_web_api_retries",
            "Calls of the chat platforms' APIs that have to be retried.",
            ["method"],
        )
        self.unnotified_questions = Counter(
            "crewdeck_unnotified_questions",
            "Questions for which nobody who may answer could be notified.",
        )
        self.webhook_tries = Counter(
            "crewdeck_webhook_tries",
            "Attempts to deliver events by endpoint and result (delivered, missed), and events given_up.",
            ["endpoint", "result"],
        )
        self.worker_restarts = Counter(
            "crewdeck_worker_restarts",
            "Workers of this process that crashed and were restarted.",
        )
        self.delivery_restarts = Counter(
            "crewdeck_delivery_restarts",
            "Delivery processes of this process that crashed and were restarted.",
        )
        self.counters = (
            self.web_api_calls,
            self.web_api_retries,
            self.unnotified_questions,
            self.webhook_tries,
            self.worker_restarts,
            self.delivery_restarts,
        )
        self._reported: dict[tuple[str, tuple[str, ...]], float] = {}

    def increments(self) -> list[Increment]:
        """What was counted since the last call: a delivery process reports it to its parent."""
        found = []
        for counter in self.counters:
            for labels, count in counter.counts.items():
                before = self._reported.get((counter.name, labels), 0)
                if count > before:
                    found.append(Increment(counter.name, labels, count - before))
                    self._reported[counter.name, labels] = count
        return found

    def add(self, increments: Sequence[Increment]) -> None:
        """Count what another process reported. Raises ValueError if a counter has other labels."""
        counters = {counter.name: counter for counter in self.counters}
        for name, labels, by in increments:
            if name in counters:
                counters[name].inc(*labels, by=by)
