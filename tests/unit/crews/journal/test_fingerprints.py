"""Steps are named by the values of what they are given, in every process."""

import copy
import dataclasses
import io
import json
import math
import threading
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, SecretStr

from crews.journal.fingerprints import fingerprint, messages_for_model
from tests.new_interpreter import output_of


class Tone(Enum):
    PLAIN = "plain"
    DRY = "dry"


class Level(IntEnum):
    LOW = 1


class Rights(Flag):
    READ = 1
    WRITE = 2


class Payment(BaseModel):
    id: int
    to: str = ""


class Refund(BaseModel):
    id: int
    to: str = ""


@dataclasses.dataclass(frozen=True)
class Order:
    id: int
    at: float = dataclasses.field(default=0.0, compare=False)


class Plain:
    def __init__(self, call_id: int) -> None:
        self.call_id = call_id


class Client:
    """Something with a connection."""

    def __init__(self, seconds: float) -> None:
        self.lock = threading.Lock()
        self.since = seconds


class Service:
    def __init__(self, url: str) -> None:
        self.url = url
        self.client = Client(1.0)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(UTC) | st.just(ZoneInfo("Europe/Berlin")))
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.sampled_from([*Tone, *Level, *Rights])
    | st.builds(Payment, id=st.integers(), to=st.text())
    | st.builds(Order, id=st.integers())
    | st.builds(PurePosixPath, st.sampled_from(["a", "b", "a/b"]))
)
HASHABLE = st.none() | st.booleans() | st.integers() | st.text() | st.dates() | st.sampled_from(Tone)
VALUES = st.recursive(
    LEAVES,
    lambda each: (
        st.lists(each, max_size=4)
        | st.lists(each, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(), each, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
    ),
    max_leaves=8,
)


def told(value: object) -> object:
    """What tells values apart, written down in another way than the code does it."""
    match value:
        case dict():
            parts: object = frozenset((told(name), told(each)) for name, each in value.items())
        case set() | frozenset():
            parts = frozenset(map(told, value))
        case list() | tuple():
            parts = tuple(map(told, value))
        case BaseModel():
            parts = told(dict(value))
        case Order():
            parts = value.id
        case datetime():
            parts = value.isoformat(), str(value.tzinfo), value.fold
        case _:
            parts = repr(value)
    return type(value).__qualname__, parts


@given(VALUES, VALUES)
def test_distinct_arguments_are_distinct_steps_and_equal_ones_are_the_same(
    one: object, other: object
) -> None:
    assert fingerprint("t", {"a": one}) == fingerprint("t", {"a": copy.deepcopy(one)})
    assert (fingerprint(one) == fingerprint(other)) == (told(one) == told(other))


NEIGHBOURS: list[tuple[Any, Any]] = [
    ({"id": 5}, {"id": 6}),
    ({"call_id": "a"}, {"call_id": "b"}),
    ({"tool_call_id": 1}, {"tool_call_id": 2}),
    ({"toolUseId": 1}, {"toolUseId": 2}),
    ({"raw_tool_call_parts": 1}, {"raw_tool_call_parts": 2}),
    (1, True),
    (1, 1.0),
    (1, "1"),
    (0, None),
    (0.0, -0.0),
    (math.nan, "nan"),
    (math.inf, -math.inf),
    (10**5000, 10**5000 + 1),
    ({1: "a"}, {"1": "a"}),
    ({True: "a"}, {1: "a"}),
    ([1, 2], [2, 1]),
    ([1, 2], (1, 2)),
    ({1, 2}, frozenset({1, 2})),
    ([[1], [2]], [[1, 2]]),
    (["a", "b"], ["a,b"]),
    ("a\ud800", "a\ud801"),
    (b"a", "a"),
    (b"a", bytearray(b"a")),
    (date(2026, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001 - without one
    (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    (time(12), time(12, fold=1)),
    (Decimal("1.0"), Decimal("1.00")),
    (Decimal(1), 1),
    (Fraction(1, 2), Fraction(1, 3)),
    (Tone.PLAIN, "plain"),
    (Tone.PLAIN, Tone.DRY),
    (Level.LOW, 1),
    (Rights.READ, Rights.READ | Rights.WRITE),
    (UUID(int=1), UUID(int=2)),
    (UUID(int=1), str(UUID(int=1))),
    (Payment(id=1), Payment(id=2)),
    (Payment(id=1), Refund(id=1)),
    (Payment(id=1), {"id": 1, "to": ""}),
    (Order(1), Order(2)),
    (Plain(1), Plain(2)),
    (Service("a"), Service("b")),
    (SecretStr("a"), SecretStr("b")),
    (AnyUrl("http://x/a"), AnyUrl("http://x/b")),
    (PurePosixPath("a"), "a"),
    (range(3), range(4)),
    (len, sum),
    (Payment, Refund),
]


@pytest.mark.parametrize(("one", "other"), NEIGHBOURS, ids=map(str, range(len(NEIGHBOURS))))
def test_neighbours_are_told_apart(one: object, other: object) -> None:
    assert fingerprint({"x": one}) != fingerprint({"x": other})


def test_what_equals_is_the_same() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({3, 1, 2}) == fingerprint({2, 3, 1})
    assert fingerprint(Order(1, at=1.0)) == fingerprint(Order(1, at=2.0)), "as its author says"
    assert fingerprint(math.nan) == fingerprint(float("nan"))


def test_what_has_no_value_counts_as_its_class() -> None:
    assert fingerprint(Client(1.0)) == fingerprint(Client(2.0))
    assert fingerprint([threading.Lock()]) == fingerprint([threading.Lock()])
    assert fingerprint(threading.Lock()) != fingerprint(io.StringIO())
    assert fingerprint(char for char in "") == fingerprint(char for char in "a")
    around: list[Any] = []
    around.append(around)
    again: list[Any] = []
    again.append(again)
    assert fingerprint(around) == fingerprint(again)


IN_ANOTHER_PROCESS = """
import json
from crews.journal.fingerprints import fingerprint
from tests.unit.crews.journal.test_fingerprints import NEIGHBOURS, Client
print(json.dumps([fingerprint(each) for pair in (*NEIGHBOURS, (Client(3.0), {"a", "b"})) for each in pair]))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_they_are_the_same_in_another_process(seed: str) -> None:
    said = output_of(IN_ANOTHER_PROCESS, PYTHONHASHSEED=seed)
    pairs = (*NEIGHBOURS, (Client(3.0), {"a", "b"}))
    assert json.loads(said.splitlines()[-1]) == [fingerprint(each) for pair in pairs for each in pair]


def conversation(call: str, *, target: int = 5) -> list[dict[str, Any]]:
    """As OpenAI, Anthropic and Bedrock have it, all at once."""
    return [
        {"role": "user", "content": [{"type": "text", "text": "Delete it"}]},
        {
            "role": "assistant",
            "id": f"message-{call}",
            "content": [
                {"type": "tool_use", "id": call, "name": "delete", "input": {"id": target}},
                {"toolUse": {"toolUseId": call, "name": "delete", "input": {"toolUseId": target}}},
            ],
            "tool_calls": [
                {"id": call, "type": "function", "function": {"name": "delete", "arguments": {"id": target}}}
            ],
            "raw_tool_call_parts": [object()],
        },
        {
            "role": "tool",
            "tool_call_id": call,
            "content": [{"toolResult": {"toolUseId": call, "content": []}}],
        },
    ]


def test_of_messages_the_ids_that_providers_give_do_not_count() -> None:
    one, other = conversation("call_1"), conversation("140233")
    assert fingerprint(messages_for_model(one)) == fingerprint(messages_for_model(other))


def test_but_whose_result_is_whose_does_and_what_tools_are_given() -> None:
    one, other = conversation("call_1"), conversation("call_1", target=6)
    assert fingerprint(messages_for_model(one)) != fingerprint(messages_for_model(other))
    both = [{"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}]
    results = [{"role": "tool", "tool_call_id": each, "content": each} for each in "ab"]
    crossed = [{**results[0], "tool_call_id": "b"}, {**results[1], "tool_call_id": "a"}]
    assert fingerprint(messages_for_model([*both, *results])) != fingerprint(
        messages_for_model([*both, *crossed])
    )
