"""The port to the store. Each verb is one atomic transition or one read; all raise StoreUnavailable.

Split by who uses them, so that a module asks for what it needs and no more. Times are milliseconds since the
epoch by the store's clock; durations are seconds. Every verb may be called again when its answer was lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Protocol

from pydantic import Field

from bot.core.actor import Actor
from bot.core.claim import Claim
from bot.core.crew import Crew
from bot.core.decision import Ruling
from bot.core.event import Body, Event
from bot.core.lists import QuestionPage, RunFilter, RunPage, Totals
from bot.core.place import Place
from bot.core.question import Question
from bot.core.response import Response
from bot.core.run import NewRun, Run, RunError
from bot.core.value import Value
from bot.core.waiting import Wait


class Catalogue(Protocol):
    """The crews that workers announced."""

    async def announce(self, source: str, crews: Sequence[Crew], *, complete: bool = True) -> None:
        """`source` (a machine and its configuration) can run just these crews, until it says otherwise.

        With `complete=False` these and perhaps more, which it has still to load: what it announced before
        stays known. To be called again every minute.
        """

    async def crews(self) -> dict[str, Crew]:
        """All announced crews by name, in the order of their names.

        A crew stays known while its workers are away, for a week: what is started then waits for them.
        """


class Runs(Protocol):
    """Runs, as surfaces start, show and cancel them."""

    async def start(self, new: NewRun) -> tuple[Run, bool]:
        """Start the run, or return the one that has this id already; True if it is new.

        Raises Refused (run_deleted) if there was one that was deleted in the last week.
        """

    async def run(self, run_id: str) -> Run:
        """Raises NotFound."""

    async def runs(self, which: RunFilter) -> list[Run]:
        """The first page of them, newest first."""

    async def page_of_runs(self, which: RunFilter) -> RunPage:
        """Newest first.

        Filtered by crew, or for runs that are over, 2,000 runs of the other criteria are looked at: a page
        can be short, even empty, although others follow.
        """

    async def runs_at(self, place: Place) -> list[Run]:
        """All runs that live in this place, or went on there (`also_at`), oldest first."""

    async def find_run(self, prefix: str) -> list[Run]:
        """The runs (at most 5) whose id starts with `prefix` (at least 4 characters)."""

    async def settle_place(self, run_id: str, place: Place) -> Run:
        """Record the complete place of a run that was held for it, and queue the run."""

    async def also_at(self, run_id: str, place: Place) -> None:
        """Let `runs_at` find the run in this place as well: it goes on there."""

    async def cancel(self, run_id: str, by: Actor) -> Run:
        """End the run and withdraw its open questions.

        Raises NotFound, and Refused (not_allowed, run_over).
        """

    async def waits(self, runs: Sequence[Run]) -> dict[str, Wait]:
        """What each of these runs is waiting for to be taken, those that are not queued left out."""

    async def delete(self, run_id: str) -> None:
        """Remove a run that is over, with everything in it. Raises NotFound, and Refused (run_live)."""

    async def fail_held(self, run_id: str, error: RunError) -> bool:
        """Fail a run that could not be placed; False if it was placed or is over."""

    async def pause(self, tenant: str, reason: str | None) -> None:
        """Pause claims of a surface's workspace's runs (visibly, with the reason), or go on (None)."""

    async def paused(self, tenant: str) -> str | None:
        """Why this workspace's runs are paused; None if they are not."""


class Questions(Protocol):
    """Questions, as people answer them."""

    async def question(self, run_id: str, question_id: str) -> Question:
        """Raises NotFound."""

    async def questions(self, run_id: str, *, strict: bool = False) -> list[Question]:
        """All questions of a run, oldest first.

        What can't be read is left out; with `strict` it raises UnreadableRecord.
        """

    async def open_questions(self, limit: int = 200, deciders: Sequence[str] = ()) -> list[Question]:
        """Open questions, oldest first; with `deciders`, those that name one of these principals."""

    async def page_of_open_questions(
        self, limit: int = 200, deciders: Sequence[str] = (), after: str | None = None
    ) -> QuestionPage:
        """The same in pages; `after` is `next` of the page before."""

    async def respond(self, run_id: str, question_id: str, response: Response) -> Ruling:
        """Append the response if it counts, and let the question's policy decide, in one transition.

        A key (of an actor) answers one question of a run, once: whatever comes under it again is `repeated`.
        Raises UnreadableRecord.
        """

    async def responses(self, run_id: str, question_id: str) -> list[Response]:
        """What was said to a question, refused responses not included."""


class Events(Protocol):
    """What happened, to follow."""

    async def events(self, run_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        """The events of a run with `seq` greater than `after`, in order. Raises NotFound."""

    def wakeups(self) -> AsyncIterator[tuple[str, ...]]:
        """Topics in which something changed; an empty tuple: anything may have (after each (re)connect)."""


class Work(Protocol):
    """What a worker does; everything with a claim raises Fenced when the claim is no longer its own."""

    async def claim(
        self,
        worker: str,
        crews: Sequence[str],
        limit: int,
        lease: float,
        *,
        most: Mapping[str, int] | None = None,
        alone: bool = False,
    ) -> list[Claim]:
        """Take up to `limit` queued runs of these crews for `lease` seconds, ordered by `bot.core.turns`.

        Of the crews in `most` only as many as may work at once; what is taken then occupies a place
        (`occupy`). `alone`: take those of which two workers died, and only them; otherwise they are left
        alone, as are runs of paused workspaces. After a claim whose answer was lost, this worker's next one
        returns what it had taken as well.
        """

    async def suspects(self, crews: Sequence[str]) -> list[str]:
        """Queued runs of these crews of which two workers died: ids, those whose turn is next first."""

    async def occupy(
        self, worker: str, crew: str, run_ids: Sequence[str], most: int | None, lease: float
    ) -> set[str]:
        """Which of these runs may work, if at most `most` of this crew may at once.

        Their places are theirs for `lease` seconds; None renews them, whatever the limit is by now.
        """

    async def vacate(self, worker: str, crew: str, run_ids: Sequence[str]) -> None:
        """These runs don't work here any more: others may have their places."""

    async def offer(self, worker: str, crews: Mapping[str, int | None], lease: float) -> None:
        """This worker runs these crews, each with its limit, for another lease."""

    async def beat(
        self, worker: str, claims: Iterable[Claim], lease: float, worked: Mapping[str, int] | None = None
    ) -> set[str]:
        """Renew the leases; the ids of runs that are no longer this worker's (cancelled, over, or taken).

        `worked`: for how many milliseconds each run has worked. It never decreases.
        """

    async def record(self, claim: Claim, event: Body, key: str | None = None) -> Event:
        """Append an event. One of the same type and key (without: content) is the same event, there once."""

    async def ask(self, claim: Claim, question: Question) -> Question:
        """Record a question and announce it, or return the one that has this id already, perhaps settled."""

    async def finish(self, claim: Claim, *, result: str | None = None, error: RunError | None = None) -> None:
        """End the run, with its result or its error."""

    async def park(self, claim: Claim, questions: Sequence[str], worked: int = 0) -> bool:
        """Give the run up until one of these questions is settled, which queues it again.

        False if one was settled meanwhile: then it is queued already.
        """

    async def release(self, claim: Claim, worked: int = 0) -> None:
        """Give the run back to the queue: this worker stops."""

    async def set_aside(self, claim: Claim, seconds: float) -> None:
        """Give up a run that this worker can't go on with; it is queued again after a while."""

    async def abandon(self, worker: str, given_up: RunError) -> list[str]:
        """Queue again all runs that this (dead) worker holds; their ids.

        Each at once, or, if its worker died the second time with nothing new in between, a little later.
        After the third time it fails with `given_up`.
        """


class JournalExtent(Value):
    """How much a journal holds."""

    #: Steps, and what else is noted.
    entries: int
    bytes: int
    #: It was there, and its time is over.
    expired: bool


class Journal(Protocol):
    """What a run has done, by step, so that whoever takes it up doesn't do it again."""

    async def journal(self, run_id: str) -> dict[str, str]:
        """All of it. What was intended and not done stands under the step's name with a `?`.

        Raises JournalSealed.
        """

    async def journal_extent(self, run_id: str) -> JournalExtent:
        """How much of it there is, whether it can be read or not."""

    async def hand_on(self, run_id: str, entries: Mapping[str, str]) -> bool:
        """Give a run that is started right after this what another one has done; False if it is started."""

    async def note(self, claim: Claim, name: str, value: str) -> str:
        """Record one thing; what stands there: the first to write it wins. Raises Fenced."""

    async def write(
        self, claim: Claim, entries: Sequence[tuple[str, str]], struck: Sequence[str] = ()
    ) -> None:
        """Record these names and values, all or none, then strike out all whose names start so.

        A name that ends with `?` says what is about to be done. Under any other the first value stays, and
        what was intended is done with. Raises Fenced.
        """


class Clock(Protocol):
    """What the store's clock brings about; any process may call it, as often as it likes."""

    async def tick(self, given_up: RunError) -> int:
        """Apply passed deadlines and reminders, and queue runs again whose lease ran out; how many.

        What becomes of a run whose worker died is said at `abandon`.
        """

    async def due(self, within: float) -> float:
        """Seconds until `tick` has something to do, by the store's clock: from 0 (it has now) to `within`."""

    async def now(self) -> int: ...


class Delivery(Value):
    """How far a run has been shown on a surface."""

    #: The newest event that was shown.
    cursor: int = 0
    #: Where each card was posted: name -> the surface's reference.
    copies: dict[str, str] = Field(default_factory=dict)
    #: Names of copies that were adopted, and not looked after yet.
    adopted: frozenset[str] = frozenset()


class Deliveries(Protocol):
    """What surfaces have still to show. A shard is leased to one process, which keeps each run's order."""

    @property
    def shards(self) -> int: ...

    async def lease_shard(self, surface: str, shard: int, owner: str, lease: float) -> bool:
        """Take or renew a shard; False while another process holds it."""

    async def release_shard(self, surface: str, shard: int, owner: str) -> None: ...

    async def pending(self, surface: str, shard: int, limit: int = 100) -> list[str]:
        """The ids of runs with something to show now, those that wait longest first."""

    async def delivery(self, surface: str, run_id: str) -> Delivery: ...

    async def delivered(
        self, surface: str, owner: str, run_id: str, cursor: int, copies: Mapping[str, str] | None = None
    ) -> bool:
        """Record what was shown; False if the shard is another's by now (then stop)."""

    async def postpone(self, surface: str, run_id: str, seconds: float) -> None:
        """Nothing of this run is pending for a while, whatever happens. Nothing wakes when that is over."""

    async def adopt(self, surface: str, run_id: str, name: str, ref: str) -> None:
        """Record a copy that turned up, unless one of that name is recorded.

        The run is pending then until `delivered` records that name.
        """


class Memory(Protocol):
    """Small things that must be known to all processes and across restarts."""

    async def once(self, key: str, ttl: float = 7 * 24 * 3600) -> bool:
        """True for the first caller with this key."""

    async def remember(self, key: str, value: str, ttl: float) -> None: ...

    async def keep(self, key: str, value: str, ttl: float) -> str:
        """Remember a value unless one is there already; the value that is remembered: the first one."""

    async def recall(self, key: str) -> str | None: ...

    async def forget(self, key: str) -> None: ...

    async def shelve(self, shelf: str, key: str, value: str) -> None:
        """Keep something to be done until it is taken off the shelf; no failover takes it back either."""

    async def unshelve(self, shelf: str, key: str) -> None: ...

    async def shelved(self, shelf: str) -> dict[str, str]:
        """All that is on a shelf, by key."""


class Records(Protocol):
    """What could not be read: told of once, counted, and left alone, so that all else goes on."""

    def note_unreadable(self, kind: str, name: str, why: str) -> None:
        """Something that a user of the store keeps in it can't be read."""

    def unreadable_records(self) -> Mapping[str, int]:
        """How many different ones this process came upon, by kind."""


class Health(Protocol):
    """Whether the store is well, and what it counts."""

    async def ping(self) -> None:
        """Return if Redis answers."""

    async def totals(self) -> Totals:
        """Figures of the whole store; a few commands, however much is stored."""


class Store(
    Catalogue, Runs, Questions, Events, Work, Journal, Clock, Deliveries, Memory, Health, Records, Protocol
):
    """All of it."""


class Fenced(BaseException):
    """The claim is no longer this worker's: the run was cancelled, is over, or another worker has it.

    Not an `Exception`, because CrewAI retries on those.
    """
