"""The names of keys in Redis.

The keys, queue, timers and lists of a run share one hash tag (`{s3}`), hence one slot of a Redis Cluster, so
that every transition is one script there as well. The scripts build the same names from the
shard's base; docs/redis-keys.md lists them all.
"""

from __future__ import annotations

import zlib

SCHEMA = 3
"""The version of the stored names. A process refuses a newer one, and upgrades an older one."""

RECORD = 3
"""The version of the record of a run and of a question; a record without one has version 1.

It is incremented with every change that an older release would misunderstand (a field of a policy, a kind of
question, a timer): older releases leave such records alone. The version of a run is the highest of its parts.
"""

SHARDS = 8
"""Part of the schema: with another number runs would not be found."""

PREFIX = "crewdeck"
WAKE = f"{PREFIX}:wake"
DIRECTORY = f"{PREFIX}:{{people}}"
"""The prefix of what is known about people, in one slot of a cluster."""
SCHEMA_KEY = f"{PREFIX}:schema"
PERMISSIONS = f"{PREFIX}:permissions"
"""Written and deleted when a process starts, to see whether its user may."""
CREWS = f"{PREFIX}:crews"
WORKERS = f"{PREFIX}:workers"
WORKER_CREWS = f"{PREFIX}:workers:crews"
DISABLED_WEBHOOKS = f"{PREFIX}:webhooks:disabled"


def shard_of(run_id: str) -> int:
    """The shard that a run lives in, for ever."""
    return zlib.crc32(run_id.encode()) % SHARDS


def base(shard: int) -> str:
    """The prefix of all keys of a shard."""
    return f"{PREFIX}:{{s{shard}}}"


BASES = tuple(map(base, range(SHARDS)))
"""The prefixes of all shards."""


def queues(shard: int) -> str:
    """The queues that hold runs (`<kind>:<crew>`), by the time of their last turn or of their creation."""
    return f"{base(shard)}:queues"


def queue(shard: int, name: str) -> str:
    """The requesters in a queue, by the time of their last turn or of their arrival."""
    return f"{base(shard)}:queue:{name}"


def queue_of(shard: int, name: str, requester: str) -> str:
    """The runs of a requester in a queue, by the time they were queued."""
    return f"{queue(shard, name)}:of:{requester}"


def queue_lengths(shard: int) -> str:
    """The number of runs in each queue."""
    return f"{base(shard)}:queue_lengths"


def delayed(shard: int) -> str:
    """Runs that are queued again later, by that time."""
    return f"{base(shard)}:delayed"


def slots(crew: str) -> str:
    """The concurrency slots of a crew: by run id, when the slot expires and the worker that holds it."""
    return f"{base(shard_of(crew))}:slots:{crew}"


def paused(shard: int) -> str:
    """The reason of each paused workspace."""
    return f"{base(shard)}:paused"


def followers(shard: int) -> str:
    """The surfaces that follow each run that starts."""
    return f"{base(shard)}:followers"


def ids(shard: int) -> str:
    """The ids of all runs, in lexicographic order."""
    return f"{base(shard)}:ids"


def at_place(shard: int, place: str) -> str:
    """The runs that live in a place."""
    return f"{base(shard)}:place:{place}"


def open_questions(shard: int) -> str:
    """Open questions (`run/question`) by when they were asked; with `:for:<principal>` a decider's."""
    return f"{base(shard)}:open"


def run(run_id: str) -> str:
    """The record of a run, and the prefix of all its other keys."""
    return f"{base(shard_of(run_id))}:run:{run_id}"


def events(run_id: str) -> str:
    """A run's events: a stream with entries `<seq>-0`."""
    return f"{run(run_id)}:events"


def journal(run_id: str) -> str:
    """The results of a run, by step."""
    return f"{run(run_id)}:journal"


def files(owner: str) -> str:
    """The records of the files of a run or an upload, by id: `+` (`-`: it is being written), size, JSON."""
    return f"{run(owner)}:files"


def file(owner: str, file_id: str) -> str:
    """The parts of a file, by number."""
    return f"{run(owner)}:file:{file_id}"


def asked(run_id: str) -> str:
    """The ids of a run's questions, in their order."""
    return f"{run(run_id)}:asked"


def question(run_id: str, question_id: str) -> str:
    """A question, its outcome, and its revision, which is incremented by each response and decision."""
    return f"{run(run_id)}:question:{question_id}"


def answered(run_id: str) -> str:
    """The question that each response key has answered, by `<principal>/<key>`."""
    return f"{run(run_id)}:answered"


def timers(shard: int) -> str:
    """Deadlines and reminders of questions, by when they are due."""
    return f"{base(shard)}:timers"


def responses(run_id: str, question_id: str) -> str:
    """The responses to a question, in order."""
    return f"{question(run_id, question_id)}:responses"


def versions(run_id: str, question_id: str) -> str:
    """What a question asked before each edit, oldest first."""
    return f"{question(run_id, question_id)}:versions"


def opened(run_id: str, question_id: str) -> str:
    """Who opened all of a question and when, by `<principal>/<digest>`."""
    return f"{question(run_id, question_id)}:opened"


def shown(run_id: str, surface: str) -> str:
    """The newest event that was shown on a surface, and the references of the posted messages."""
    return f"{run(run_id)}:shown:{surface}"


def webhook_failures(shard: int, kind: str, surface: str) -> str:
    """The runs that can't be delivered to a follower (`failing`), and the events given up (`failed`)."""
    return f"{base(shard)}:{kind}:{surface}"


def inbox(shard: int) -> str:
    """The stream of question events of a shard: run id and `seq`."""
    return f"{base(shard)}:inbox"


def inbox_trimmed(shard: int) -> str:
    """The newest position that was trimmed from it."""
    return f"{inbox(shard)}:trimmed"


def question_runs(shard: int) -> str:
    """The run of each question."""
    return f"{base(shard)}:question_runs"


def references(run_id: str) -> str:
    """The keys outside of the shards that mention a run."""
    return f"{run(run_id)}:references"


def write_marker(key: str) -> str:
    """The key of the marker write that `WAIT` follows, on the server that owns `key`."""
    return f"{key}:write_marker" if "{" in key else f"{PREFIX}:write_marker:{{{key}}}"


def identities() -> str:
    """The linked identities of each person, by each of their principals, with and without tenant."""
    return f"{DIRECTORY}:identities"


def link_code(digest: str) -> str:
    """Who got the code with this digest, and who has used it."""
    return f"{DIRECTORY}:code:{digest}"


def link_attempts(kind: str, principal: str) -> str:
    """How many codes somebody got (`offer`) or tried (`redeem`) lately."""
    return f"{DIRECTORY}:{kind}:{principal}"


def live_group(reference: str) -> str:
    """The members of a live group as they were last read."""
    return f"{DIRECTORY}:group:{reference}"


def wanted_groups() -> str:
    """The live groups whose members are kept in the store, by when somebody last needed them."""
    return f"{DIRECTORY}:wanted"


def key_value(key: str) -> str:
    """A remembered value; belongs to no shard."""
    return f"{PREFIX}:memory:{key}"


def pending(kind: str) -> str:
    """Pending work of a kind; belongs to no shard."""
    return f"{PREFIX}:pending:{kind}"
