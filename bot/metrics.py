"""Prometheus metrics of this process and of the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from bot.core.lists import Totals
from bot.core.question import Action
from bot.core.run import RunStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ACK_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
"""Seconds. Slack's limit is 3."""
NO_COUNTS: Mapping[str, int] = MappingProxyType({})
NO_SURFACES: Mapping[str, bool] = MappingProxyType({})


class Metrics:
    """The counters of this process, created in the composition root."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.acks = Histogram(
            "crewdeck_ack_seconds",
            "Time from a surface's request to its acknowledgement.",
            ["kind"],
            buckets=ACK_BUCKETS,
            registry=self.registry,
        )
        self.web_api_calls = Counter(
            "crewdeck_web_api_calls",
            "Calls of the chat platforms' APIs by method and result; Teams' methods begin with teams.",
            ["method", "result"],
            registry=self.registry,
        )
        self.web_api_retries = Counter(
            "crewdeck_web_api_retries",
            "Calls of the chat platforms' APIs that have to be retried.",
            ["method"],
            registry=self.registry,
        )
        self.untold = Counter(
            "crewdeck_untold_questions",
            "Questions for which nobody who may answer could be notified.",
            registry=self.registry,
        )
        self.webhook_tries = Counter(
            "crewdeck_webhook_tries",
            "Attempts to deliver events by endpoint and result (delivered, missed), and events given_up.",
            ["endpoint", "result"],
            registry=self.registry,
        )
        self.worker_restarts = Counter(
            "crewdeck_worker_restarts",
            "Workers of this process that crashed and were restarted.",
            registry=self.registry,
        )

    def text(
        self,
        totals: Totals | None,
        now: int,
        unreadable: Mapping[str, int] = NO_COUNTS,
        surfaces: Mapping[str, bool] = NO_SURFACES,
    ) -> bytes:
        """All metrics in Prometheus' text format. `totals=None` reports the store as unavailable.

        `unreadable`: the number of unreadable records by kind. `surfaces`: the enabled surfaces, and whether
        each is connected.
        """
        shared = CollectorRegistry()
        shared.register(_Unreadable(unreadable))
        shared.register(_Surfaces(surfaces))
        shared.register(_StoreFigures(totals, now))
        return generate_latest(self.registry) + generate_latest(shared)


class _Unreadable(Collector):
    """The records that this process could not read."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        words = "Stored records that this process can't read."
        family = GaugeMetricFamily("crewdeck_unreadable_records", words, labels=["kind"])
        for kind, count in sorted(self._counts.items()):
            family.add_metric([kind], count)
        yield family


class _Surfaces(Collector):
    """Whether this process is connected to the enabled chat platforms."""

    def __init__(self, up: Mapping[str, bool]) -> None:
        self._up = up

    def collect(self) -> Iterator[Metric]:
        words = "Whether this process is connected to the surface."
        family = GaugeMetricFamily("crewdeck_surface_up", words, labels=["surface"])
        for name, up in sorted(self._up.items()):
            family.add_metric([name], up)
        yield family


class _StoreFigures(Collector):
    """Totals of the whole store: equal on all instances, so aggregate by maximum instead of sum."""

    def __init__(self, totals: Totals | None, now: int) -> None:
        self._totals = totals
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "crewdeck_store_up", "Whether the store answers.", value=self._totals is not None
        )
        if self._totals is not None:
            yield from _figures(self._totals, self._now)


def _figures(totals: Totals, now: int) -> Iterator[Metric]:
    runs = GaugeMetricFamily("crewdeck_runs", "Stored runs by state.", labels=["state"])
    for state in RunStatus:
        runs.add_metric([state], totals.runs.get(state, 0))
    yield runs
    queued = GaugeMetricFamily(
        "crewdeck_queued", "Queued runs by crew and kind of queue.", labels=["crew", "queue"]
    )
    for name, number in totals.queued.items():
        kind, _, crew = name.partition(":")
        queued.add_metric([crew, kind], number)
    yield queued
    yield GaugeMetricFamily("crewdeck_questions_open", "Open questions.", totals.questions_open)
    oldest = totals.oldest_question_at
    age = 0.0 if oldest is None else max(0, now - oldest) / 1000
    yield GaugeMetricFamily("crewdeck_oldest_question_seconds", "Age of the oldest open question.", age)
    yield GaugeMetricFamily("crewdeck_workers", "Live workers.", len(totals.workers))
    yield GaugeMetricFamily(
        "crewdeck_redis_replicas",
        "Connected replicas of the primary with the fewest.",
        totals.replicas,
    )
    answers = CounterMetricFamily("crewdeck_answers", "Settled questions by action.", labels=["action"])
    for action in Action:
        answers.add_metric([action], totals.answers.get(action, 0))
    yield answers
    yield _time_to_answer(totals)


def _time_to_answer(totals: Totals) -> Metric:
    people = sum(count for action, count in totals.answers.items() if action != Action.EXPIRE)
    bounds = sorted(totals.answer_seconds.items(), key=lambda each: float(each[0]))
    buckets = [(str(float(bound)), float(count)) for bound, count in bounds]
    family = HistogramMetricFamily("crewdeck_answer_seconds", "Time until people settled a question.")
    family.add_metric([], [*buckets, ("+Inf", float(people))], totals.answer_seconds_sum)
    return family
