"""Where things are in Redis.

A run's keys, its queue, its timers and the lists it stands in share one hash tag (`{s3}`), hence one slot of
a Redis Cluster, so that every transition is one script also there. The scripts build the same names from the
shard's base; docs/architecture.md lists them all.
"""

from __future__ import annotations

import zlib

SCHEMA = 2
"""The version of what is stored. Readers refuse a newer one, and bring an older one up to theirs."""

RECORD = 2
"""The version of a run's and of a question's record; without one it is the first.

It counts up with whatever an older release would misunderstand (a field of a policy, a kind of question, a
timer): that one then leaves the record alone. A run's is the highest of all that belongs to it.
"""

SHARDS = 8
"""Part of the schema: another number would look for runs where they aren't."""

PREFIX = "crewdeck"
WAKE = f"{PREFIX}:wake"
SCHEMA_KEY = f"{PREFIX}:schema"
CREWS = f"{PREFIX}:crews"
WORKERS = f"{PREFIX}:workers"
OFFERS = f"{PREFIX}:workers:offers"
DISABLED_WEBHOOKS = f"{PREFIX}:webhooks:disabled"


def shard_of(run_id: str) -> int:
    """The shard that a run lives in, for ever."""
    return zlib.crc32(run_id.encode()) % SHARDS


def base(shard: int) -> str:
    """What all keys of a shard start with."""
    return f"{PREFIX}:{{s{shard}}}"


def lines(shard: int) -> str:
    """The lines (`<kind>:<crew>`) in which runs wait, by when each had its last turn or came."""
    return f"{base(shard)}:lines"


def line(shard: int, name: str) -> str:
    """The requesters who wait in a line, by when each had their last turn or came."""
    return f"{base(shard)}:line:{name}"


def line_of(shard: int, name: str, requester: str) -> str:
    """A requester's runs in a line, by when they were queued."""
    return f"{line(shard, name)}:of:{requester}"


def queued(shard: int) -> str:
    """How many runs wait in each line."""
    return f"{base(shard)}:queued"


def delayed(shard: int) -> str:
    """Runs that are queued again later, by when."""
    return f"{base(shard)}:delayed"


def working(crew: str) -> str:
    """The runs of a crew with a limit that work: until when they may, and for which worker."""
    return f"{base(shard_of(crew))}:working:{crew}"


def paused(shard: int) -> str:
    """Paused workspaces, and why."""
    return f"{base(shard)}:paused"


def followers(shard: int) -> str:
    """The surfaces that follow each run that starts."""
    return f"{base(shard)}:followers"


def ids(shard: int) -> str:
    """The ids of all runs, in the order of their letters."""
    return f"{base(shard)}:ids"


def at_place(shard: int, place: str) -> str:
    """The runs that live in a place."""
    return f"{base(shard)}:place:{place}"


def open_questions(shard: int) -> str:
    """Open questions (`run/question`) by when they were asked; with `:for:<principal>` a decider's."""
    return f"{base(shard)}:open"


def run(run_id: str) -> str:
    """The run itself; what else belongs to it starts with the same name."""
    return f"{base(shard_of(run_id))}:run:{run_id}"


def events(run_id: str) -> str:
    """A run's events: a stream with entries `<seq>-0`."""
    return f"{run(run_id)}:events"


def journal(run_id: str) -> str:
    """What a run has done: by step, the result."""
    return f"{run(run_id)}:journal"


def asked(run_id: str) -> str:
    """The ids of a run's questions, in their order."""
    return f"{run(run_id)}:asked"


def question(run_id: str, question_id: str) -> str:
    """A question, its outcome, and its revision, which counts what was said and decided."""
    return f"{run(run_id)}:question:{question_id}"


def said(run_id: str) -> str:
    """Which question of a run each delivery has answered, by `<principal>/<key>`."""
    return f"{run(run_id)}:said"


def timers(shard: int) -> str:
    """Deadlines and reminders of questions, by when they are due."""
    return f"{base(shard)}:timers"


def responses(run_id: str, question_id: str) -> str:
    """What was said to a question, in order."""
    return f"{question(run_id, question_id)}:responses"


def shown(run_id: str, surface: str) -> str:
    """How far a run has been shown on a surface, and where its cards are."""
    return f"{run(run_id)}:shown:{surface}"


def troubles(shard: int, kind: str, surface: str) -> str:
    """A follower's runs that don't get through (`failing`), and its events that were given up (`failed`)."""
    return f"{base(shard)}:{kind}:{surface}"


def inbox(shard: int) -> str:
    """The stream of this shard's question events: which run, which event of it."""
    return f"{base(shard)}:inbox"


def inbox_trimmed(shard: int) -> str:
    """The newest position that is no longer kept in it."""
    return f"{inbox(shard)}:trimmed"


def askers(shard: int) -> str:
    """Which run asked each question."""
    return f"{base(shard)}:askers"


def noted(run_id: str) -> str:
    """Where things are kept outside of the shards that speak of a run."""
    return f"{run(run_id)}:noted"


def witness(key: str) -> str:
    """What is written so that the server of a key has something new to be waited for."""
    return f"{key}:witness" if "{" in key else f"{PREFIX}:witness:{{{key}}}"


def memory(key: str) -> str:
    """A small thing to remember for a while; belongs to no shard."""
    return f"{PREFIX}:memory:{key}"


def shelf(name: str) -> str:
    """Things to be done that must not be forgotten; belongs to no shard."""
    return f"{PREFIX}:shelf:{name}"
