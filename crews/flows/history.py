"""What earlier workers recorded of a flow's methods.

For a method's call `m:<name>:<occurrence>` the journal holds

    m:draft:0/begun   it was begun, as the run's how-manieth
    m:draft:0/...     its steps, until it is done
    done/m:draft:0/   its result, the state at its end, and the number of that end
    fed/m:draft:0/    people have said what they think of it (`@human_feedback`), likewise
    state/3/          the state at this end, where a method had recorded it that isn't come to any more
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.core.ports.journal import BEGUN_SUFFIX, DONE_PREFIX, METHOD_PREFIX, SEEDED_PREFIX
from crews.journal.journal import Journal

if TYPE_CHECKING:
    from crews.run.identity import RunIdentity, TaskIdentity

FED_PREFIX, STATE_PREFIX = "fed/", "state/"


@dataclass
class MethodCall:
    """A method call that is under way."""

    identity: TaskIdentity
    #: The records of earlier workers.
    begun: bool = False
    done: dict[str, Any] | None = None
    fed: dict[str, Any] | None = None
    #: Whether it has its turn in the completion order.
    holding: bool = False

    @property
    def ends(self) -> list[int]:
        """The numbers of its recorded completions."""
        return [each["end"] for each in (self.done, self.fed) if each is not None]


class FlowHistory:
    """The records of one run's flow."""

    def __init__(self, journal: Journal, identities: RunIdentity) -> None:
        self._identities = identities
        self._done = {
            _scope(DONE_PREFIX, name): each for name, each in journal.records(f"{DONE_PREFIX}{METHOD_PREFIX}")
        }
        self._fed = {
            _scope(FED_PREFIX, name): each for name, each in journal.records(f"{FED_PREFIX}{METHOD_PREFIX}")
        }
        self._begun = {
            name.removesuffix(BEGUN_SUFFIX): each["number"]
            for name, each in journal.records(METHOD_PREFIX, BEGUN_SUFFIX)
        }
        self._numbers = self._begun | {scope: each["number"] for scope, each in self._done.items()}
        self.scope_of = {
            each["end"]: scope for record in (self._done, self._fed) for scope, each in record.items()
        }
        #: The calls of which this run itself has recorded something, not only the run that it retries.
        self.own = {
            _scope(what, name)
            for what in (DONE_PREFIX, FED_PREFIX, "")
            for name, _ in journal.own_records(f"{what}{METHOD_PREFIX}")
        }
        for name, state in journal.records(STATE_PREFIX):
            self._at(int(_scope(STATE_PREFIX, name)))["state"] = state

    @property
    def ends(self) -> list[int]:
        return list(self.scope_of)

    @property
    def scopes(self) -> set[str]:
        return set(self._numbers)

    @property
    def last_number(self) -> int:
        return max(self._numbers.values(), default=0)

    def call(self, identity: TaskIdentity) -> MethodCall:
        """The records of this call; its identity has no number if there are none."""
        scope = identity.scope
        known = self._identities.method(identity.method, identity.call, self._numbers.get(scope, 0))
        return MethodCall(known, scope in self._begun, self._done.get(scope), self._fed.get(scope))

    def name(self, scope: str) -> str:
        """The name of a recorded call's method, as people read it."""
        method, _, occurrence = scope.removeprefix(METHOD_PREFIX).rpartition(":")
        return self._identities.method(method, int(occurrence), 0).name

    def last_method_except(self, gone: Collection[str]) -> str | None:
        """The name of the method that ended last, apart from these calls."""
        ends = [end for end, scope in self.scope_of.items() if scope not in gone]
        return self.name(self.scope_of[max(ends)]) if ends else None

    def names(self, scopes: Collection[str]) -> list[str]:
        """The name prefixes of the records of these calls."""
        of_calls = [
            name
            for scope in scopes
            for name in (f"{scope}/", record_of(DONE_PREFIX, scope), record_of(FED_PREFIX, scope))
        ]
        of_states = [
            record_of(STATE_PREFIX, str(end)) for end, scope in self.scope_of.items() if scope in scopes
        ]
        return [f"{kept}{name}" for name in (*of_calls, *of_states) for kept in ("", SEEDED_PREFIX)]

    def forget(self, gone: Collection[str]) -> list[tuple[int, Any]]:
        """Drop the records of calls that are not made any more.

        Returns the states that they had recorded and that were still the flow's at a later end, by that end,
        which has them from now on.
        """
        states = list(self._inherited(gone))
        for of_calls in (self._done, self._fed, self._begun, self._numbers):
            for scope in gone:
                of_calls.pop(scope, None)
        self.scope_of = {end: scope for end, scope in self.scope_of.items() if scope not in gone}
        return states

    def _inherited(self, gone: Collection[str]) -> Iterator[tuple[int, Any]]:
        state: Any = None
        for end in sorted(self.scope_of):
            record = self._at(end)
            if self.scope_of[end] in gone:
                state = record.get("state", state)
                continue
            if state is not None and "state" not in record:
                record["state"] = state
                yield end, state
            state = None

    def _at(self, end: int) -> dict[str, Any]:
        """The record of this end; of one that nobody knows, an empty one."""
        scope = self.scope_of.get(end, "")
        both = (of_calls.get(scope) for of_calls in (self._done, self._fed))
        return next((each for each in both if each is not None and each["end"] == end), {})


def record_of(what: str, scope: str) -> str:
    """The name of such a record; no name is a prefix of another."""
    return f"{what}{scope}/"


def _scope(what: str, name: str) -> str:
    """The call, or the end, that a record is of."""
    return name.removeprefix(what).partition("/")[0]
