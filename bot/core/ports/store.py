"""The ports to the store: one protocol a component, and `Store`, which holds them.

Each method is one atomic transition or one read, raises StoreUnavailable, and may be called again when its
reply was lost. Times are milliseconds since the epoch by the store's clock; durations are seconds.
"""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bot.core.events.event import Body, Event, PublishedEvent
from bot.core.files import StoredFile
from bot.core.people.actor import Actor
from bot.core.people.api_keys import ApiKeys
from bot.core.ports.directory import Directory
from bot.core.ports.inbox import Inbox
from bot.core.ports.journal import Journal
from bot.core.ports.lists import QuestionPage, RunFilter, RunPage, Totals
from bot.core.ports.outbox import Outbox
from bot.core.ports.queue import Queue
from bot.core.ports.webhooks import Webhooks
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Question
from bot.core.questions.record import Record
from bot.core.questions.response import Response
from bot.core.runs.crew import Crew, CrewProblem
from bot.core.runs.nonce import Nonce
from bot.core.runs.place import Place
from bot.core.runs.run import Claim, NewRun, Run, RunError
from bot.core.runs.waiting import Wait


class Catalogue(Protocol):
    """The crews that workers announced."""

    async def announce(
        self,
        source: str,
        crews: Sequence[Crew],
        *,
        complete: bool = True,
        problems: Sequence[CrewProblem] = (),
    ) -> None:
        """`source` (a machine and its configuration) can run exactly these crews, until it announces others.

        `problems`: why it can't offer others. With `complete=False` it is still loading crews: those that it
        announced before stay known. Workers repeat this every minute.
        """

    async def crews(self, *, newest: bool = False) -> Mapping[str, Crew]:
        """All announced crews by name, sorted by name; `newest`: also one announced a moment ago elsewhere.

        The same object until they change, so that what is made of them can be kept.

        A crew stays known for a week without workers: runs that are started meanwhile wait for them.
        """

    async def problems(self, *, starting: bool = False) -> tuple[CrewProblem, ...]:
        """Why crews that somebody configured can't be offered, sorted by name.

        `starting`: also those that will be, since the worker of their project is starting. The same object
        likewise.
        """


class Runs(Protocol):
    """Runs: started, read, placed, cancelled and deleted."""

    async def start(self, new: NewRun, nonce: Nonce | None = None) -> tuple[Run, bool]:
        """Start the run, or return the one that has this id already; True if it is new.

        `nonce`: of the request that starts the run; it is used with it.

        Raises Refused (run_deleted) if a run with this id was deleted within the last week, and Replayed if
        another arrival of the request has used the nonce.
        """

    async def use_nonce(self, run_id: str, nonce: Nonce) -> bool:
        """Use the nonce of a request that could have started this run, and doesn't.

        False if another arrival of the request has used it.
        """

    async def get(self, run_id: str) -> Run:
        """Raises NotFound."""

    async def read(self, run_ids: Sequence[str]) -> builtins.list[Run]:
        """The runs with these ids in this order; those that are gone, or can't be read here, are left out."""

    async def list(self, which: RunFilter) -> builtins.list[Run]:
        """The first page, newest first."""

    async def page(self, which: RunFilter) -> RunPage:
        """One page, newest first.

        A filter by crew or for finished runs scans at most 2,000 runs: a page can be short or empty although
        others follow.
        """

    async def at(self, place: Place) -> builtins.list[Run]:
        """All runs that live in this place, or were added to it (`add_place`), oldest first."""

    async def find(self, prefix: str) -> builtins.list[Run]:
        """At most 5 runs whose id starts with `prefix` (at least 4 characters)."""

    async def events_after(self, run_id: str, after: int) -> tuple[builtins.list[Event], Run]:
        """The events of a run with `seq` greater than `after`, and the run as it is after them.

        Raises NotFound.
        """

    async def add_place(self, run_id: str, place: Place) -> None:
        """Add a place where the run continues, so that `at` finds it there as well."""

    async def cancel(self, run_id: str, by: Actor) -> Run:
        """End the run and withdraw its open questions.

        Raises NotFound, and Refused (not_allowed, run_over).
        """

    async def waits(self, runs: Sequence[Run]) -> dict[str, Wait]:
        """What each queued run of these is waiting for, by run id; other runs are left out."""

    async def delete(self, run_id: str) -> None:
        """Delete a finished run with everything in it. Raises NotFound, and Refused (run_live)."""

    async def fail_unplaced(self, run_id: str, error: RunError) -> bool:
        """Fail a run that could not be placed; False if it was placed or is over."""

    async def pause_tenant(self, tenant: str, reason: str | None) -> None:
        """Stop claims of a workspace's runs, with a reason that people see; None resumes them."""

    async def pause_reason(self, tenant: str) -> str | None:
        """Why this workspace's runs are paused; None if they are not."""


class Questions(Protocol):
    """Questions: asked by a worker, answered by people."""

    async def ask(self, claim: Claim, question: Question) -> Question:
        """Record and announce a question, or return the one that has this id already, perhaps settled.

        Raises Fenced.
        """

    async def get(self, run_id: str, question_id: str) -> Question:
        """Raises NotFound."""

    async def run_of(self, question_id: str) -> str:
        """The id of the run that asked this question. Raises NotFound."""

    async def list(self, run_id: str, *, strict: bool = False) -> builtins.list[Question]:
        """All questions of a run, oldest first.

        Unreadable records are left out; with `strict` they raise UnreadableRecord.
        """

    async def open(self, limit: int = 200, deciders: Sequence[str] = ()) -> builtins.list[Question]:
        """Open questions, oldest first; with `deciders`, those that name one of these principals."""

    async def open_page(
        self, limit: int = 200, deciders: Sequence[str] = (), after: str | None = None
    ) -> QuestionPage:
        """A page of `open`; `after` is `next` of the previous page."""

    async def prefetch(self, question_id: str, actor: Actor) -> Prefetched:
        """The question of this id in any run, as an answer of this actor would find it now.

        Raises NotFound, and UnreadableRecord, also if a newer release wrote its run.
        """

    async def respond(
        self, run_id: str, question_id: str, response: Response, prefetched: Prefetched | None = None
    ) -> Ruling:
        """Append the response if it counts, and evaluate the question's policy, in one transition.

        `prefetched`, from a moment before, saves a round trip; what has changed since is read again.
        An actor's response key answers one question of a run, once: its reuse is `repeated`.
        Raises UnreadableRecord.
        """

    async def responses(self, run_id: str, question_id: str) -> builtins.list[Response]:
        """The recorded responses to a question; refused ones are not recorded."""

    async def record_opened(self, run_id: str, question_id: str, actor: Actor, digest: str) -> None:
        """Record that this person had all of the question with this digest before them, once a digest."""

    async def record_executed(
        self, claim: Claim, question_id: str, call_digest: str, result_digest: str
    ) -> None:
        """Record that the call which this gate let through was made, once. Raises Fenced."""

    async def record(self, run_id: str, question_id: str) -> Record:
        """Everything that was recorded about a question. Raises NotFound."""


class Prefetched(NamedTuple):
    """A question that was read ahead of an answer to it."""

    question: Question
    #: The store's own, None if it wasn't read: what an evaluation rests on, as of the same moment.
    snapshot: object = None

    def is_of(self, run_id: str, question_id: str) -> bool:
        """Whether it is this question."""
        return (self.question.run_id, self.question.id) == (run_id, question_id)


class Wakeup(NamedTuple):
    """The topics that a transition changed; none after a reconnect, when anything may have changed."""

    topics: tuple[str, ...] = ()
    #: The events that the transition appended: all of them, or none if they are large. Read the store then.
    events: tuple[PublishedEvent, ...] = ()


class EventReader(Protocol):
    """Events of a run, and wake-ups when there are new ones."""

    async def read(self, run_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        """The events of a run with `seq` greater than `after`, in order. Raises NotFound."""

    def wakeups(self) -> AsyncIterator[Wakeup]:
        """What changed; a wake-up without topics after each (re)connect."""


class Events(EventReader, Protocol):
    """The event log of each run."""

    async def append(self, claim: Claim, event: Body, key: str | None = None) -> Event:
        """Append an event, once for each type and key (default: the content). Raises Fenced."""

    async def read_many(self, after: Mapping[str, int], limit: int = 500) -> dict[str, list[Event]]:
        """The next events (at most `limit`) of each run after its `seq`; runs without any are left out."""


class Clock(Protocol):
    """Everything that happens at a time; any process may call it, as often as it likes."""

    async def apply_due(self, crash_error: RunError) -> int:
        """Apply passed deadlines and reminders, and queue runs with expired leases; returns how many.

        A crashed run is treated as by `Queue.abandon`.
        """

    async def due(self, within: float) -> float:
        """Seconds until `apply_due` has something to do: from 0 (now) to `within`."""

    async def now(self) -> int: ...


class KeyValueStore(Protocol):
    """Small values that all processes share and that survive restarts."""

    async def add(self, key: str, ttl: float = 7 * 24 * 3600) -> bool:
        """Add a key unless it is there; whether it was added: True for the first caller."""

    async def take_back(self, key: str) -> None:
        """Remove a key that was added: whoever adds it next is the first again."""

    async def set(self, key: str, value: str, ttl: float) -> None: ...

    async def set_if_absent(self, key: str, value: str, ttl: float) -> str:
        """Set a value unless there is one; returns the value that is there: the first write wins."""

    async def get(self, key: str) -> str | None: ...

    async def delete(self, key: str) -> None: ...

    async def save_pending(self, kind: str, key: str, value: str) -> None:
        """Keep work to be done until it is removed; no failover loses it."""

    async def remove_pending(self, kind: str, key: str) -> None: ...

    async def pending(self, kind: str) -> dict[str, str]:
        """All pending work of a kind, by key."""


class Files(Protocol):
    """The store's files. `owner` is the id of a run, or of an upload that no run has taken yet."""

    async def attach(self, claim: Claim, file: StoredFile, content: bytes) -> None:
        """Store a file of a claimed run, once for each id.

        Raises Fenced, and Refused (too_many_files) beyond `files.MAX_RUN_BYTES` or `MAX_RUN_FILES`.
        """

    async def seed(self, owner: str, file: StoredFile, content: bytes) -> None:
        """Store a file of a run that is about to be started, or an upload.

        It is deleted after `files.UPLOAD_TTL_S`, unless the run is started. Nothing happens if it was.
        Raises Refused (too_many_files).
        """

    async def list(self, owner: str) -> builtins.list[StoredFile]:
        """All complete files, in the order of their names."""

    async def get(self, owner: str, file_id: str) -> StoredFile:
        """Raises NotFound."""

    def read(self, owner: str, file_id: str) -> AsyncIterator[bytes]:
        """The bytes in parts. Raises NotFound, and JournalUndecryptable."""


class Health(Protocol):
    """Whether the store answers, what it counts, and what this process could not read in it."""

    async def ping(self) -> None:
        """Return if Redis answers."""

    async def totals(self) -> Totals:
        """Figures of the whole store, read with a constant number of commands."""

    def report_unreadable(self, kind: str, name: str, why: str) -> None:
        """Log and count a record of a user of the store that can't be read, once."""

    def unreadable(self) -> Mapping[str, int]:
        """How many different unreadable records this process found, by kind."""


@dataclass(frozen=True)
class Store:
    """The components of the store."""

    catalogue: Catalogue
    runs: Runs
    questions: Questions
    directory: Directory
    events: Events
    queue: Queue
    journal: Journal
    files: Files
    clock: Clock
    outbox: Outbox
    key_values: KeyValueStore
    inbox: Inbox
    api_keys: ApiKeys
    webhooks: Webhooks
    health: Health
