"""What a flow's methods return comes back as the same, or is refused."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, Field

from crews.values import Unreadable, Unwritable, read, write, write_fields


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
        Outer(inner=Inner(when=datetime(2026, 1, 2, 3, 4)), hidden="kept"),  # noqa: DTZ001 - it stays as it is
        Said(output=Inner(when=datetime(2026, 1, 2)), words=["a"]),  # noqa: DTZ001
    ],
)
def test_it_comes_back_as_the_same(value: object) -> None:
    back = read(json.loads(json.dumps(write(value))))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {1}}, b"bytes", Shouting(text="a"), lambda: 1])
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
