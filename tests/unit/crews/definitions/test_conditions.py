"""Conditions of gates: what is refused when a crew is loaded, and when people are asked."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from crews.definitions.conditions import MAX_LENGTH, Condition, InvalidCondition, types_of

ARGS = {
    "amount": "number",
    "count": "integer",
    "to": "string",
    "urgent": "boolean",
    "tags": "array",
    "more": "any",
}
INPUTS = {"topic": "string", "limit": "number"}


def values(**args: Any) -> Mapping[str, Mapping[str, Any]]:
    given = {"amount": 1200.0, "count": 3, "to": "Acme", "urgent": False, "tags": ["a"], "more": {}, **args}
    return {
        "args": given,
        "inputs": {"topic": "tides"},
        "crew": {"name": "payments", "title": "Payments"},
        "requester": {"surface": "slack", "tenant": "T0", "user_id": "U0", "membership": "member"},
    }


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("args.amount > 1000", True),
        ("args.amount > 1200.5", False),
        ("args.amount > 1000 && args.amount < 1100.5", False),
        ("args.count >= 3 || args.urgent", True),
        ("args.to.startsWith('Ac')", True),
        ("args.tags.exists(tag, tag == 'b')", False),
        ("has(args.to) && !args.urgent", True),
        ("args['amount'] > 1000 && size(args) > 2", True),
        ("inputs.topic == 'tides'", True),
        ("crew.name == 'payments' && requester.surface == 'http'", False),
        ("has(inputs.limit) && args.amount > inputs.limit", False),
    ],
)
def test_people_are_asked_unless_the_condition_is_false(text: str, asks: object) -> None:
    assert Condition(text, INPUTS).with_args(ARGS).asks(values()) is asks


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ("args.count / 0 > 1", {}),
        ("args.more.deeper.still", {}),
        ("args.more > 3", {"more": "text"}),
        ("args.more > 3", {"more": None}),
        ("args.count > 3", {"count": 2**80}),
        ("args.amount > 1000", {"amount": "none"}),
        ("args.amount > inputs.limit", {}),
        ("args.to.matches('(')", {}),
        ("args.more", {"more": 7}),
    ],
)
def test_a_condition_without_an_answer_means_that_people_are_asked(text: str, args: dict[str, Any]) -> None:
    assert Condition(text, INPUTS).with_args(ARGS).asks(values(**args)) is True


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def texts_in(value: JsonValue) -> list[str]:
    inner = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [
        *([value] if isinstance(value, str) else []),
        *(text for each in inner for text in texts_in(each)),
    ]


@settings(max_examples=300, deadline=None)
@given(given=JSON)
@example(given="Acme\0 and somebody else")
@example(given=["Acme", "Acme\0"])
@example(given={"a\0b": 1})
@example(given={"a": {"b": ["\0"]}})
def test_nothing_is_compared_that_is_not_what_people_would_see(given: JsonValue) -> None:
    """CEL ends a text at a NUL: what it says of the beginning says nothing of the call."""
    if any("\0" in each for each in texts_in(given)):
        for always in ("true", "false", "args.to == 'Acme'", "args.to != 'Acme'"):
            assert Condition(always).asks(values(to=given))
    else:
        assert not Condition("false").asks(values(to=given))


@pytest.mark.parametrize("variable", ["inputs", "crew", "requester"])
def test_nor_with_anything_else_that_is_read_otherwise(variable: str) -> None:
    given = {**values(), variable: {"name": "Acme\0 and somebody else", "topic": "Acme\0"}}
    assert Condition("false").asks(given)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("args.amount >", "is no condition: Syntax error"),
        ("args.amuont > 3", "undeclared reference to 'args.amuont' (line 1, column 5)"),
        ("has(args.amuont)", "undeclared reference to 'args.amuont'"),
        ("inputs.topci == 'x'", "undeclared reference to 'inputs.topci'"),
        ("requester.id == 'x'", "undeclared reference to 'requester.id'"),
        ("crew.owner == 'x'", "undeclared reference to 'crew.owner'"),
        ("amount > 3", "undeclared reference to 'amount'"),
        ("true &&\n args.amuont", "(line 2, column 6)"),
        ("args.to > 3", "found no matching overload for '_>_'"),
        ("args.urgent == 'yes'", "found no matching overload for '_==_'"),
        ("args.amount > 'x'", "args.amount is a number, and is used as something else"),
        ("args.count.startsWith('1')", "args.count is a number, and is used as something else"),
        ("args.to", "must be true or false, and is of type string"),
        ("open('/etc/passwd')", "undeclared reference to 'open'"),
        ("", "is no condition"),
        ("true" + " " * MAX_LENGTH, "has 2,004 characters"),
    ],
)
def test_mistakes_are_found_when_the_crew_is_loaded(text: str, problem: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        Condition(text, INPUTS).with_args(ARGS)
    assert problem in str(refused.value)
    assert "\n" not in str(refused.value)


def test_types_that_are_not_known_are_not_checked() -> None:
    assert Condition("args.anything > 3 && inputs.anything == 'x'").asks(values()) is True


def test_an_expression_takes_no_more_time_than_its_text_allows() -> None:
    """CEL's regular expressions are linear: a text that a model makes up holds no worker up."""
    condition = Condition("args.to.matches('^(a+)+$')")
    assert condition.asks(values(to="a" * 50_000 + "!")) is False


def test_types_are_read_from_the_schema_of_a_tool() -> None:
    schema: dict[str, JsonValue] = {
        "properties": {
            "amount": {"type": "number", "minimum": 0},
            "to": {"type": "string"},
            "until": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "account": {"$ref": "#/$defs/Account"},
        }
    }
    assert types_of(schema) == {"amount": "number", "to": "string", "until": "any", "account": "any"}
