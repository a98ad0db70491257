"""An exception that a step failed with is raised again as what it was."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, ValidationError, field_validator

from crews.journal.exceptions import read_error, write_error

REQUEST = httpx.Request("POST", "http://127.0.0.1/v1")
REFUSED = httpx.Response(400, request=REQUEST)


class DeclinedError(RuntimeError):
    """One whose constructor wants more than its words."""

    def __init__(self, *, reason: str, amount: int) -> None:
        super().__init__(f"declined: {reason}")
        self.reason = reason
        self.amount = amount
        self.connection = REQUEST


class SpeakingError(Exception):
    def __str__(self) -> str:
        return f"{self.args[0]} of {self.connection}"

    connection = REQUEST


class MuteError(Exception):
    def __str__(self) -> str:
        raise LookupError("no words")


class OddError(Exception):
    def __str__(self) -> str:  # as other people's classes may do
        return 42  # type: ignore[return-value]  # noqa: PLE0307


class Answer(BaseModel):
    title: str
    pages: int

    @field_validator("title")
    @classmethod
    def _said(cls, title: str) -> str:
        if title == "none":
            raise ValueError("say {something}")
        return title


def raised(call: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        call()
    error: Exception = caught.value
    return error


def again(error: Exception) -> Exception:
    return read_error(json.loads(json.dumps(write_error(error))))


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (DeclinedError(reason="poor", amount=3), ("reason", "amount")),
        (SpeakingError("a part"), ()),
        (KeyError("x"), ()),
        (ValueError("a", 2), ()),
        (FileNotFoundError(2, "No such file", "a.txt"), ("errno", "strerror", "filename")),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), ("object", "start")),
        (raised(lambda: json.loads("{")), ("pos", "msg")),
        (raised(lambda: Answer.model_validate({"title": "none", "pages": "x"})), ()),
        (raised(lambda: Answer.model_validate({})), ()),
    ],
)
def test_it_is_of_the_same_type_says_the_same_and_has_the_same_attributes(
    error: Exception, attributes: tuple[str, ...]
) -> None:
    assert_same(again(error), error, attributes)


def assert_same(back: Exception, error: Exception, attributes: tuple[str, ...]) -> None:
    assert isinstance(back, type(error))
    assert str(back) == str(error)
    for name in attributes:
        assert getattr(back, name) == getattr(error, name)


def test_so_are_those_of_the_openai_client() -> None:
    import openai

    refused = openai.BadRequestError("bad", response=REFUSED, body={"code": "x"})
    assert_same(again(refused), refused, ("status_code", "body", "code"))
    unreachable = openai.APIConnectionError(request=REQUEST)
    assert_same(again(unreachable), unreachable, ("message",))


def test_what_pydantic_refuses_can_be_looked_at() -> None:
    error = raised(lambda: Answer.model_validate({"title": "a", "pages": "x"}))
    back = again(error)
    assert isinstance(back, ValidationError)
    assert isinstance(error, ValidationError)
    assert back.errors() == error.errors()


def test_where_the_class_is_not_there_any_more_the_nearest_base_stands_in() -> None:
    import openai

    class Local(openai.RateLimitError):
        pass

    back = again(Local("slow down", response=REFUSED, body=None))
    assert isinstance(back, openai.RateLimitError)
    assert (type(back).__name__, str(back)) == ("Local", "slow down")
    gone = write_error(DeclinedError(reason="poor", amount=3))
    gone["kinds"][0] = "tests.unit.crews.journal.test_exceptions:Gone"
    back = read_error(gone)
    assert isinstance(back, RuntimeError)
    assert (type(back).__name__, str(back)) == ("DeclinedError", "declined: poor")
    group = again(ExceptionGroup("several", [ValueError("a")]))
    assert (type(group).__name__, str(group)) == ("ExceptionGroup", "several (1 sub-exception)")


def test_nothing_but_exceptions_is_made() -> None:
    written = write_error(ValueError("a")) | {"kinds": ["builtins:SystemExit", "os:system", "builtins:eval"]}
    assert (type(read_error(written)), str(read_error(written))) == (Exception, "a")


def test_its_words_are_valid_text() -> None:
    back = again(ValueError("half \ud83d"))
    assert (type(back), str(back)) == (ValueError, "half \ufffd")


@pytest.mark.parametrize("kind", [MuteError, OddError])
def test_one_that_fails_to_say_anything_is_one_of_its_class(kind: type[Exception]) -> None:
    again = read_error(json.loads(json.dumps(write_error(kind("argument")))))
    assert isinstance(again, kind)
    assert (str(again), again.args) == ("", ("argument",))
