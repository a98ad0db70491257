"""Metrics of this process and of the store, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from bot.core.ports.lists import Totals
from bot.core.questions.question import Action
from bot.core.runs.run import RunStatus
from bot.metrics import Histogram, Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NO_COUNTS: Mapping[str, int] = MappingProxyType({})
NO_SURFACES: Mapping[str, bool] = MappingProxyType({})


def exposition(
    metrics: Metrics,
    totals: Totals | None,
    now: int,
    unreadable: Mapping[str, int] = NO_COUNTS,
    surfaces: Mapping[str, bool] = NO_SURFACES,
    delivering: int | None = None,
) -> bytes:
    """All metrics as text. `totals=None` reports the store as unavailable.

    `unreadable`: the number of unreadable records by kind. `surfaces`: the enabled surfaces, and whether
    each is connected. `delivering`: the number of processes that deliver, if it is known.
    """
    families = [
        *_counted(metrics),
        _unreadable(unreadable),
        _surfaces(surfaces),
        *_delivery(delivering),
        GaugeMetricFamily("crewdeck_store_up", "Whether the store answers.", value=totals is not None),
        *(_totals(totals, now) if totals is not None else ()),
    ]
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _counted(metrics: Metrics) -> Iterator[Metric]:
    """What this process counts."""
    yield _histogram(metrics.acks)
    for counter in metrics.counters:
        family = CounterMetricFamily(counter.name, counter.words, labels=counter.label_names)
        for labels, count in counter.counts.items():
            family.add_metric(labels, count)
        yield family


def _histogram(histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(histogram.name, histogram.words, labels=[histogram.label_name])
    for label, total in histogram.sums.items():
        family.add_metric([label], histogram.buckets(label), total)
    return family


def _unreadable(counts: Mapping[str, int]) -> Metric:
    words = "Stored records that this process can't read."
    family = GaugeMetricFamily("crewdeck_unreadable_records", words, labels=["kind"])
    for kind, count in sorted(counts.items()):
        family.add_metric([kind], count)
    return family


def _surfaces(up: Mapping[str, bool]) -> Metric:
    words = "Whether this process is connected to the surface."
    family = GaugeMetricFamily("crewdeck_surface_up", words, labels=["surface"])
    for name, connected in sorted(up.items()):
        family.add_metric([name], connected)
    return family


def _delivery(processes: int | None) -> Iterator[Metric]:
    """Figures of the whole store, like the totals. Left out where nothing is to be delivered."""
    if processes is not None:
        words = "Processes that deliver to chat platforms and webhooks."
        yield GaugeMetricFamily("crewdeck_delivery_processes", words, processes)


def _totals(totals: Totals, now: int) -> Iterator[Metric]:
    """Totals of the whole store: equal on all instances, so aggregate by maximum instead of sum."""
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
