"""Whose turn it is: any order in which people start runs, and any order in which workers take them."""

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from bot.core.runs.fair_queue import CrewQueue, Queued, QueueKind, WaitingRequester, choose

REQUESTERS = st.sampled_from(["ada", "bob", "cyd", "dan"])
CREWS = st.sampled_from(["one", "two", "three"])
STARTED = st.lists(st.tuples(CREWS, REQUESTERS), min_size=1, max_size=60)


def lines(started: list[tuple[str, str]], kind: QueueKind = QueueKind.NEW) -> list[CrewQueue]:
    """What waits when these were started, one after the other."""
    runs: defaultdict[str, defaultdict[str, list[Queued]]] = defaultdict(lambda: defaultdict(list))
    for at, (crew, who) in enumerate(started):
        runs[crew][who].append(Queued(at, f"{kind}-{at}"))
    return [
        CrewQueue(
            kind,
            crew,
            min(held[0].at for held in of.values()),
            tuple(WaitingRequester(who, held[0].at, tuple(held)) for who, held in of.items()),
        )
        for crew, of in runs.items()
    ]


@given(STARTED)
def test_everybodys_runs_are_taken_once_and_oldest_first(started: list[tuple[str, str]]) -> None:
    picks = choose(lines(started), len(started) + 5)
    assert sorted(pick.run.at for pick in picks) == list(range(len(started)))
    for whose in set(started):
        own = [pick.run.at for pick in picks if (pick.queue.crew, pick.requester) == whose]
        assert own == sorted(own)


@given(STARTED, st.integers(1, 60))
def test_nobody_is_ahead_of_others_who_wait_by_more_than_a_turn(
    started: list[tuple[str, str]], room: int
) -> None:
    waiting = Counter(started)
    taken = Counter((pick.queue.crew, pick.requester) for pick in choose(lines(started), room))
    crews, waits = Counter[str](), Counter[str]()
    for (crew, who), number in waiting.items():
        crews[crew] += taken[crew, who]
        waits[crew] += number
        for other in {other for each, other in waiting if each == crew} - {who}:
            if taken[crew, other] < waiting[crew, other]:
                assert taken[crew, who] <= taken[crew, other] + 1
    for crew in crews:
        for other in crews:
            if crews[other] < waits[other]:
                assert crews[crew] <= crews[other] + 1


@given(STARTED, STARTED, st.integers(1, 40))
def test_what_was_begun_goes_before_what_is_new(
    begun: list[tuple[str, str]], new: list[tuple[str, str]], room: int
) -> None:
    kinds = [pick.queue.kind for pick in choose(lines(new) + lines(begun, QueueKind.RESUMED), room)]
    expected = [QueueKind.RESUMED] * len(begun) + [QueueKind.NEW] * len(new)
    assert kinds == expected[:room]


def test_suspects_are_taken_by_who_asks_for_them_alone() -> None:
    suspects = lines([("one", "ada")], QueueKind.ISOLATED)
    assert choose(suspects, 5) == []
    assert [pick.run.id for pick in choose(suspects, 5, [QueueKind.ISOLATED])] == ["isolated-0"]
