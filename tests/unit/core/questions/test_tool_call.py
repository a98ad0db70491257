"""Calls that wait for an approval: what may be edited, and what an approval covers."""

import json
from typing import Any

import pytest
from hypothesis import given
from pydantic import JsonValue

from bot.core.json_text import value_text
from bot.core.people.policy import Policy
from bot.core.questions.tool_call import ToolCall, call_digest, edit_errors, takes_text_only
from tests.unit.core.test_json_text import TEXTS, VALUES

CALL = ToolCall(
    tool="pay",
    title="Pay {amount} to {to} with {pin}",
    arguments={
        "amount": 1200.0,
        "count": 1,
        "note": "Hi",
        "to": "Acme",
        "speed": "slow",
        "other": None,
        "tax": 5.0,
    },
    proposed={
        "amount": 1200.0,
        "count": 1,
        "note": "Hi",
        "to": "Acme",
        "speed": "slow",
        "other": None,
        "tax": 5.0,
    },
    editable=("amount", "count", "note", "speed", "other", "tax"),
    secrets={"pin": "hmac-sha256:0"},
    parameters={
        "properties": {
            "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 5000},
            "count": {"type": "integer", "minimum": 1},
            "note": {"type": "string", "minLength": 1, "maxLength": 5},
            "speed": {"type": "string", "enum": ["slow", "fast"]},
            "to": {"type": "string"},
            "tax": {"anyOf": [{"type": "number", "maximum": 50}, {"type": "null"}]},
            "other": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        }
    },
)
POLICY = Policy(deciders=("slack:T1:U1",))


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"amount": 900}, {}),
        ({"amount": 900.5, "note": "there", "speed": "fast", "other": "x"}, {}),
        ({"amount": 0}, {"amount": "must be more than 0"}),
        ({"amount": 5000.5}, {"amount": "must be at most 5000"}),
        ({"amount": "900"}, {"amount": "must be a number"}),
        ({"amount": True}, {"amount": "must be a number"}),
        ({"tax": 7}, {}),
        ({"tax": None}, {}),
        ({"tax": 51}, {"tax": "must be at most 50"}),
        ({"tax": "7"}, {"tax": "must be a number or nothing"}),
        ({"other": 7}, {"other": "must be text or nothing"}),
        ({"count": 1.5}, {"count": "must be a whole number"}),
        ({"count": 0}, {"count": "must be at least 1"}),
        ({"note": ""}, {"note": "must be at least 1 characters long"}),
        ({"note": "longer"}, {"note": "must be at most 5 characters long"}),
        ({"speed": "now"}, {"speed": "must be one of slow, fast"}),
        ({"to": "Eve"}, {"to": "can't be edited"}),
        ({"to": "Acme"}, {}),
        ({"pin": "0815"}, {"pin": "is secret, so it can't be edited"}),
        ({"more": 1}, {"more": "is no argument of this call"}),
        ({"amount": 0, "count": 0}, {"amount": "must be more than 0", "count": "must be at least 1"}),
    ],
)
def test_what_may_be_edited(changes: dict[str, Any], errors: dict[str, str]) -> None:
    assert edit_errors(CALL, changes) == errors


DEFINITIONS: dict[str, Any] = {
    "Tone": {"enum": ["plain", "loud"], "type": "string"},
    "Mixed": {"enum": ["5", 5]},
    "Loop": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Loop"}]},
}
TAKES_TEXT: list[tuple[dict[str, Any], bool]] = [
    ({"type": "string"}, True),
    ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, True),
    ({"type": ["string", "null"]}, True),
    ({"$ref": "#/$defs/Tone", "default": "plain"}, True),
    ({"anyOf": [{"$ref": "#/$defs/Tone"}, {"type": "null"}]}, True),
    ({}, False),
    ({"title": "Anything"}, False),
    ({"type": ["string", "integer"]}, False),
    ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, False),
    ({"anyOf": [{"type": "string"}, {}]}, False),
    ({"$ref": "#/$defs/Mixed"}, False),
    ({"$ref": "#/$defs/Missing"}, False),
    ({"$ref": "#/$defs/Loop"}, False),
]


@pytest.mark.parametrize(("schema", "text"), TAKES_TEXT)
def test_whether_an_argument_can_be_nothing_but_a_text(schema: dict[str, Any], text: bool) -> None:  # noqa: FBT001
    parameters = {"properties": {"it": schema}, "$defs": DEFINITIONS}
    assert takes_text_only(parameters, "it") is text
    assert not takes_text_only(parameters, "other")


def test_a_whole_number_is_the_number_that_the_tool_reads() -> None:
    """Otherwise the call that was approved would be another one than the call that is made."""
    assert call_digest(CALL.edited({"amount": 900}), POLICY) == call_digest(
        CALL.edited({"amount": 900.0}), POLICY
    )
    assert isinstance(CALL.edited({"tax": 7}).arguments["tax"], float)
    assert CALL.edited({"tax": None}).arguments["tax"] is None
    assert CALL.edited({"count": 2}).arguments["count"] == 2
    assert isinstance(CALL.edited({"count": 2}).arguments["count"], int)


@pytest.mark.parametrize("number", [2**53 + 1, -(10**400), 10**400], ids=["odd", "low", "high"])
def test_a_number_that_the_tool_would_round_stays_as_it_is_shown(number: int) -> None:
    anything = CALL.model_copy(update={"parameters": {"properties": {"amount": {"type": "number"}}}})
    assert edit_errors(anything, {"amount": number}) == {}
    assert anything.edited({"amount": number}).arguments["amount"] == number
    assert isinstance(anything.edited({"amount": number}).arguments["amount"], int)


@pytest.mark.parametrize("bound", [1234567, 10**400, 0.1234567], ids=["whole", "high", "decimals"])
def test_a_bound_is_said_with_all_its_digits(bound: float) -> None:
    bounded = CALL.model_copy(update={"parameters": {"properties": {"amount": {"minimum": bound}}}})
    assert edit_errors(bounded, {"amount": 0.001}) == {"amount": f"must be at least {bound}"}


def test_the_title_says_what_stands_there_now() -> None:
    assert CALL.summary == "Pay 1200 to Acme with {pin}"
    assert CALL.edited({"amount": 0.5}).summary == "Pay 0.5 to Acme with {pin}"
    assert CALL.edited({"amount": 0.0}).summary == "Pay 0 to Acme with {pin}"
    assert CALL.edited({"amount": -0.0}).summary == "Pay -0.0 to Acme with {pin}"


@pytest.mark.parametrize("levels", [99, 100, 250])
def test_an_edit_is_not_nested_more_deeply_than_arguments_may_be(levels: int) -> None:
    """It would be approved, and then refused by the worker."""
    anything = CALL.model_copy(update={"parameters": {}})
    value = json.loads("[" * levels + "]" * levels)
    too_deep = {} if levels == 99 else {"amount": "is nested more than 100 levels deep"}
    assert edit_errors(anything, {"amount": value}) == too_deep


TITLED: list[tuple[JsonValue, str, str]] = [
    ("12", '"12"', "12"),
    (12, "12", "12"),
    ("true", '"true"', '"true"'),
    (True, "true", "true"),
    ("[1]", '"[1]"', "[1]"),
    ([1], "[1]", "[1]"),
    ("null", '"null"', '"null"'),
    (None, "null", "null"),
    ("Acme ", '"Acme "', '"Acme "'),
    ("", '""', '""'),
    ("Acme", "Acme", "Acme"),
]


@pytest.mark.parametrize(("value", "anything", "text"), TITLED)
def test_a_title_quotes_a_text_as_the_list_below_it(value: JsonValue, anything: str, text: str) -> None:
    assert _titled(value, {}).summary == f"Pay {anything}"
    assert _titled(value, {"type": ["string", "null"]}).summary == f"Pay {text}"


@given(VALUES | TEXTS | VALUES.map(value_text), VALUES)
def test_in_a_title_no_two_values_look_the_same(one: JsonValue, other: JsonValue) -> None:
    """But for equal numbers: 1200.0 is written 1200 there."""
    for value in (other, value_text(other), value_text(value_text(other))):
        if _titled(one, {}).summary == _titled(value, {}).summary:
            assert one == value
            assert isinstance(one, str) is isinstance(value, str)


def _titled(value: JsonValue, schema: dict[str, JsonValue]) -> ToolCall:
    arguments = {"amount": value}
    parameters: dict[str, JsonValue] = {"properties": {"amount": schema}}
    return ToolCall(
        tool="pay", title="Pay {amount}", arguments=arguments, proposed=arguments, parameters=parameters
    )


@pytest.mark.parametrize(
    "changed",
    [
        CALL.model_copy(update={"tool": "pay_all"}),
        CALL.model_copy(update={"parameters": {}}),
        CALL.model_copy(update={"secrets": {"pin": "hmac-sha256:1"}}),
        CALL.edited({"amount": 1200.01}),
        CALL.edited({"other": ""}),
    ],
)
def test_an_approval_covers_tool_parameters_arguments_and_secrets(changed: ToolCall) -> None:
    assert call_digest(changed, POLICY) != call_digest(CALL, POLICY)


def test_and_the_policy() -> None:
    assert call_digest(CALL, POLICY) != call_digest(CALL, Policy(deciders=("slack:T1:U2",)))


SECRET: dict[str, Any] = {"type": "string", "format": "password", "writeOnly": True}
ACCOUNT: dict[str, Any] = {"type": "object", "properties": {"iban": {"type": "string"}, "pin": SECRET}}
NULL: dict[str, Any] = {"type": "null"}


@pytest.mark.parametrize(
    "schema",
    [
        ACCOUNT,
        {"$ref": "#/$defs/Account"},
        {"anyOf": [{"$ref": "#/$defs/Account"}, NULL]},
        {"allOf": [{"$ref": "#/$defs/Account"}]},
        {"type": "object", "properties": {"iban": {}, "pin": {"anyOf": [SECRET, NULL]}}},
    ],
)
@pytest.mark.parametrize(
    ("wrap_schema", "wrap"),
    [
        (lambda schema: schema, lambda value: value),
        (lambda schema: {"type": "array", "items": schema}, lambda value: [value]),
        (lambda schema: {"additionalProperties": schema}, lambda value: {"main": value}),
        (lambda _schema: {"properties": {"one": {"$ref": "#/$defs/It"}}}, lambda value: {"one": value}),
    ],
    ids=["itself", "in a list", "by name", "in an object"],
)
def test_an_edit_gives_no_secret(schema: dict[str, Any], wrap_schema: Any, wrap: Any) -> None:  # noqa: ANN401
    """Whoever reads the question would read it; also where the call had none, and so no place for it."""
    parameters: dict[str, Any] = {
        "properties": {"account": wrap_schema(schema)},
        "$defs": {"Account": ACCOUNT, "It": schema},
    }
    shown: dict[str, Any] = {"account": None}
    call = ToolCall(tool="pay", arguments=shown, proposed=shown, editable=("account",), parameters=parameters)
    assert (
        "has a secret in it"
        in edit_errors(call, {"account": wrap({"iban": "DE1", "pin": "0815"})})["account"]
    )
    assert "account" not in edit_errors(call, {"account": wrap({"iban": "DE1"})})


@pytest.mark.parametrize("hidden", ["account.pin", "account.bank.pin"])
def test_an_edit_gives_no_argument_that_is_hidden_in_another(hidden: str) -> None:
    shown: dict[str, Any] = {"account": {"iban": "DE1", "bank": {"name": "A"}}}
    call = ToolCall(
        tool="pay", arguments=shown, proposed=shown, editable=("account",), secrets={hidden: "hmac-sha256:0"}
    )
    account: dict[str, Any] = {"iban": "DE2", "bank": {"name": "B"}}
    assert edit_errors(call, {"account": account}) == {}
    assert edit_errors(call, {"account": None}) == {}
    (account["bank"] if "bank" in hidden else account)["pin"] = None
    assert list(edit_errors(call, {"account": account})) == ["account"]
