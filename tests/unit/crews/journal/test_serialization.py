"""What a flow's methods return comes back as the same, or is refused."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, create_model

from crews.journal.serialization import (
    Unreadable,
    Unwritable,
    decode,
    encode,
    in_valid_text,
    read,
    write,
    write_fields,
)


def nested(levels: int) -> object:
    value: object = []
    for _ in range(levels):
        value = {"in": [value]}
    return value


@pytest.fixture(params=[1000, 2500], ids=["python", "raised"])
def recursion_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Python's own limit, and that to which the library for conditions raises it."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(request.param)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("recursion_limit")
def test_what_is_nested_too_deeply_is_recorded_as_text_or_not_exactly() -> None:
    assert decode(encode(nested(80))) == nested(80)
    assert decode(encode(nested(200))) == str(nested(200))
    assert decode(encode(nested(4000))) == "(dict, which can't be told as text)"
    with pytest.raises(Unwritable, match="nested too deeply"):
        write(nested(400))
    assert write(nested(80))
    with pytest.raises(Unwritable, match="nested too deeply"):
        write(nested(80), again=True)


def test_arguments_that_are_nested_too_deeply_are_left_as_they_are() -> None:
    given = nested(4000)
    assert in_valid_text(given) is given


class Tone(str, Enum):  # noqa: UP042 - people have both kinds
    PLAIN = "plain"


class Inner(BaseModel):
    when: datetime
    tone: Tone = Tone.PLAIN


class Outer(BaseModel):
    #: Declared as less than it holds: pydantic's own JSON would lose it.
    inner: BaseModel | None = None
    hidden: str = Field(default="", exclude=True)


@dataclass
class Said:
    output: Any
    words: list[str] = field(default_factory=list)


class Loud(str):
    """Not just a text."""

    __slots__ = ()


class Shouting(BaseModel):
    text: str

    def model_post_init(self, _context: object) -> None:
        self.text += "!"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": [1, 2.5, True, None], "of": ("b", {"model": "x"})},
        Tone.PLAIN,
        date(2026, 1, 2),
        time(12, 30),
        Decimal("1.10"),
        UUID(int=7),
        b"\x00\xff",
        {1: "a", "1": "b", None: 2.5},
        {frozenset({"b", "a"}), "c"},
        float("inf"),
        10**30,
        pytest.param(-(2**20000), id="huge"),
        Outer(inner=Inner(when=datetime(2026, 1, 2, 3, 4)), hidden="kept"),  # noqa: DTZ001 - it stays as it is
        Said(output=Inner(when=datetime(2026, 1, 2)), words=["a"]),  # noqa: DTZ001
    ],
)
def test_it_comes_back_as_the_same(value: object) -> None:
    back = read(json.loads(json.dumps(write(value))))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [object(), Path("a"), Shouting(text="a"), lambda: 1, Loud("a")])
def test_or_it_is_refused(value: object) -> None:
    with pytest.raises(Unwritable):
        write(value)


def test_a_class_of_a_function_is_refused() -> None:
    class Local(BaseModel):
        text: str = ""

    with pytest.raises(Unwritable):
        write(Local())
    assert read(write_fields(Local(text="a"))) == {"text": "a"}, "but its fields do, for a state"


def test_what_has_changed_meanwhile_is_told() -> None:
    written = write(Said(output=1))
    with pytest.raises(Unreadable, match="not installed"):
        read(written | {"of": f"{__name__}:Gone"})
    with pytest.raises(Unreadable, match="has changed"):
        read(written | {"dataclass": {"other": 1}})


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (Path("a"), "a"),
        ([object, Loud("b")], [str(object), "b"]),
        ({"a": Shouting(text="c")}, {"a": "text='c!'"}),
        ("half \ud83d", "half \ufffd"),
        ({"half \ud83d": ["\ud83d\ude00"]}, {"half \ufffd": ["\U0001f600"]}),
        (Outer(hidden="half \ud83d"), Outer(hidden="half \ufffd")),
    ],
)
def test_of_what_tools_and_models_say_there_is_always_something(value: object, back: object) -> None:
    assert decode(json.loads(json.dumps(encode(value)))) == back


def test_a_model_is_read_as_the_class_that_is_wanted() -> None:
    class Wanted(BaseModel):
        hidden: str

    assert decode(encode(Outer(hidden="x")), Wanted) == Wanted(hidden="x")
    with pytest.raises(Unreadable, match="Inner has changed"):
        decode(encode(Outer(hidden="x")), Inner)


def test_a_model_of_a_class_without_a_place_is_read_as_the_class_that_is_wanted() -> None:
    created = create_model("Created", said=(str, ...), inner=(Inner, ...))
    value = created(said="x", inner=Inner(when=datetime(2026, 1, 2, tzinfo=UTC)))
    written = json.loads(json.dumps(encode(value, created)))
    assert decode(written, created) == value
    with pytest.raises(Unreadable):
        decode(written)
    with pytest.raises(Unreadable, match="Created has changed"):
        decode(written, create_model("Created", said=(int, ...)))


def test_what_would_not_come_back_as_the_class_that_is_wanted_is_text() -> None:
    class Louder(Shouting): ...

    assert decode(encode(Louder(text="c"), Louder), Louder) == "text='c!'"


def test_arguments_stay_the_same_unless_their_text_is_not_valid() -> None:
    given = {"a": [1, datetime(2026, 1, 2), "x"]}  # noqa: DTZ001 - it stays as it is
    assert in_valid_text(given) is given
    assert in_valid_text(("half \ud83d", {"b": ["\ud83d"]})) == ("half \ufffd", {"b": ["\ufffd"]})
