"""Arguments that people decide on: complete, exact, and without secrets."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    create_model,
)
from typing_extensions import Annotated  # noqa: UP035 - as tools' authors may write it

from bot.core.questions.tool_call import ToolCall
from crews.human_input.arguments import MAX_ARGUMENTS_BYTES, InvalidArguments, Parameters

KEY = b"k" * 32


class Account(BaseModel):
    iban: str
    pin: SecretStr


class Pay(BaseModel):
    amount: float = Field(gt=0)
    recipient: str
    due: date | None = None
    token: SecretStr = SecretStr("none")
    account: Account | None = None
    tags: list[str] = []


PAY = Parameters("pay", Pay)
GIVEN = {
    "amount": "1200", "recipient": "Acme", "due": "2026-12-01", "token": "s3cret",
    "account": {"iban": "DE1", "pin": "0815"}, "surplus": True,
}  # fmt: skip


def key() -> bytes:
    return KEY


def test_arguments_are_validated_and_complete() -> None:
    read = PAY.read(GIVEN, key)
    assert read.shown == {
        "amount": 1200.0,
        "recipient": "Acme",
        "due": "2026-12-01",
        "account": {"iban": "DE1"},
        "tags": [],
    }
    assert read.actual == {**read.shown, "token": "s3cret", "account": {"iban": "DE1", "pin": "0815"}}


class Anything(BaseModel):
    what: Any = None


def nested(levels: int, *, lists: bool = False) -> object:
    value: object = []
    for _ in range(levels):
        value = [value] if lists else {"in": value}
    return value


ENDLESS: dict[str, Any] = {}
ENDLESS["in"] = [ENDLESS]


@pytest.mark.parametrize("schema", [Anything, None])
@pytest.mark.parametrize(
    "what", [nested(100), nested(100, lists=True), nested(5000), nested(5000, lists=True), ENDLESS]
)
def test_what_is_nested_too_deeply_is_refused(schema: type[BaseModel] | None, what: object) -> None:
    """A question with deeper ones could not be read again everywhere."""
    with pytest.raises(InvalidArguments, match="nested more than 100 levels"):
        Parameters("take", schema).read({"what": what}, key)


@pytest.mark.parametrize("what", [nested(98), nested(98, lists=True), [[1] * 10_000], {"a" * 5000: 1}])
def test_what_is_nested_less_is_read_and_recorded(what: object) -> None:
    read = Parameters("take", Anything).read({"what": what}, key)
    call = ToolCall(tool="take", arguments=read.shown, proposed=read.shown)
    assert ToolCall.model_validate_json(call.model_dump_json()) == call


def test_secrets_are_nowhere_but_in_what_the_tool_gets() -> None:
    read = PAY.read(GIVEN, key)
    seen = json.dumps([read.shown, read.secrets, PAY.json_schema])
    assert "s3cret" not in seen
    assert "0815" not in seen
    assert set(read.secrets) == {"token", "account.pin"}


def test_another_secret_has_another_digest_and_another_key_too() -> None:
    first, same = PAY.read(GIVEN, key), PAY.read(GIVEN, key)
    assert first.secrets == same.secrets
    assert PAY.read({**GIVEN, "token": "s3cret2"}, key).secrets["token"] != first.secrets["token"]
    assert PAY.read(GIVEN, lambda: b"l" * 32).secrets["token"] != first.secrets["token"]
    assert len(set(first.secrets.values())) == 2, "equal secrets of two arguments can't be told to be equal"


def test_hidden_arguments_are_secret_whatever_their_type() -> None:
    read = Parameters("pay", Pay, ("recipient", "account.iban")).read(GIVEN, key)
    assert "Acme" not in json.dumps(read.shown)
    assert read.shown["account"] == {}
    assert {"recipient", "account.iban"} <= set(read.secrets)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (SecretStr | None, "s3cret"),
        (list[SecretStr], ["s3cret"]),
        (dict[str, SecretStr], {"a": "s3cret"}),
        (list[Account], [{"iban": "DE1", "pin": "s3cret"}]),
        (Annotated[str, Field(json_schema_extra={"writeOnly": True})], "s3cret"),
        (Annotated[str, Field(json_schema_extra={"format": "password"})], "s3cret"),
    ],
)
def test_a_secret_inside_of_something_hides_all_of_it(field: object, value: object) -> None:
    schema = type("Schema", (BaseModel,), {"__annotations__": {"secret": field, "plain": str}})
    read = Parameters("tool", schema).read({"secret": value, "plain": "x"}, key)
    assert read.shown == {"plain": "x"}
    assert read.actual["secret"] == value
    assert [*read.secrets] == ["secret"]


class Person(BaseModel):
    iban: str
    pin: str


class Unset(BaseModel):
    """No pin is given here."""

    iban: str = ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (list[Person], [{"iban": "DE1", "pin": "s3cret"}]),
        (dict[str, Person], {"ada": {"iban": "DE1", "pin": "s3cret"}}),
        (Person | str, "DE1, s3cret"),
        (Person | list[Person], [{"iban": "DE1", "pin": "s3cret"}]),
        (dict[str, Any], {"iban": "DE1", "pin": "s3cret"}),
        (Any, {"iban": "DE1", "pin": "s3cret"}),
        (Any, "s3cret"),
        (Unset, {"iban": "s3cret"}),
    ],
)
def test_what_has_no_place_of_its_own_is_hidden_with_all_around_it(field: object, value: object) -> None:
    schema = type("Schema", (BaseModel,), {"__annotations__": {"account": field, "plain": str}})
    for parameters in (
        Parameters("tool", schema, ("account.pin",)),
        Parameters("tool", None, ("account.pin",)),
    ):
        given = {"account": value, "plain": "x"}
        if parameters.schema is None and isinstance(value, dict) and "pin" not in value:
            continue  # Without a schema nothing says where the pin would be.
        read = parameters.read(given, key)
        assert "s3cret" not in json.dumps([read.shown, read.secrets])
        assert "s3cret" not in json.dumps(parameters.without_secrets(given))
        assert read.actual == given
        assert read.shown["plain"] == "x"
        assert parameters.read(parameters.with_secrets(read.shown, read), key) == read


def test_no_secret_is_made_of_what_is_left_out() -> None:
    for field in (Person | None, Any):
        schema = type("Schema", (BaseModel,), {"__annotations__": {"account": field}, "account": None})
        read = Parameters("tool", schema, ("account.pin",)).read({}, key)
        assert read.actual == {"account": None}


def test_decided_arguments_get_their_secrets_back() -> None:
    read = PAY.read(GIVEN, key)
    whole = PAY.with_secrets({**read.shown, "amount": 900.0}, read)
    assert whole == {**read.actual, "amount": 900.0}
    assert PAY.read(whole, key).secrets == read.secrets


@pytest.mark.parametrize("account", [None, "DE1", ["DE1"], 5])
def test_an_edit_may_leave_no_place_for_a_secret(account: JsonValue) -> None:
    read = PAY.read(GIVEN, key)
    whole = PAY.with_secrets({**read.shown, "account": account}, read)
    assert whole == {**read.actual, "account": account}
    if account is None:
        assert PAY.read(whole, key).secrets.keys() == read.secrets.keys() - {"account.pin"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"recipient": "Acme"}, "amount: Field required"),
        ({"amount": -1, "recipient": "Acme"}, "amount: Input should be greater than 0"),
        ({"amount": "much", "recipient": "Acme"}, "amount: Input should be a valid number"),
        ({"amount": float("nan"), "recipient": "Acme"}, "amount"),
        ({"amount": float("inf"), "recipient": "Acme"}, "no JSON"),
        ({"amount": 1, "recipient": "x" * MAX_ARGUMENTS_BYTES}, "too long to be decided on"),
        ({"amount": 1, "recipient": "A", "token": {"s3cret": 1}}, "token: Input should be a valid string"),
    ],
)
def test_what_is_wrong_is_told_to_the_model_without_values(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidArguments) as refused:
        PAY.read(given, key)
    assert problem in str(refused.value)
    assert "s3cret" not in str(refused.value)


class Odd(BaseModel):
    grows: Annotated[str, AfterValidator(lambda text: text + "!")]


class Stripped(BaseModel):
    text: Annotated[str, BeforeValidator(str.strip)]
    price: Decimal = Decimal(1)


class Aliased(BaseModel):
    model_config = ConfigDict(extra="allow")
    sender: str = Field(alias="from")
    subject: str = Field(validation_alias="topic")


def test_what_would_come_out_differently_the_second_time_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="exactly as the tool would get them"):
        Parameters("odd", Odd).read({"grows": "a"}, key)


TURNS = iter(range(100))


class Inner(BaseModel):
    count: Annotated[int, AfterValidator(lambda value: value + 1)] = 1


class Unstable(BaseModel):
    """Defaults are validated only when they are given: no approval of these would ever be what is called."""

    model_config = ConfigDict(extra="allow")
    calm: float = 0
    count: Annotated[int, AfterValidator(lambda value: value + 1)] = 5
    flips: Annotated[bool, AfterValidator(lambda value: not value)] = False
    inner: Inner = Inner()
    turn: Annotated[int, AfterValidator(lambda _: next(TURNS))] = 0
    secret: Annotated[SecretStr, AfterValidator(lambda value: SecretStr(value.get_secret_value() + "x"))] = (
        SecretStr("s3cret")
    )


def test_a_default_of_which_each_validation_makes_another_value_is_refused_by_name() -> None:
    with pytest.raises(InvalidArguments) as refused:
        Parameters("odd", Unstable).read({}, key)
    assert "makes another value of count, flips, inner, turn, secret each time" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_what_the_schema_makes_of_arguments_is_what_people_see() -> None:
    read = Parameters("stripped", Stripped).read({"text": " a ", "price": "1.50"}, key)
    assert read.shown == {"text": "a", "price": "1.50"}


def test_names_that_the_schema_wants_are_used_and_what_it_allows_besides_is_shown() -> None:
    read = Parameters("mail", Aliased).read({"from": "ada", "topic": "Hi", "more": 1}, key)
    assert read.shown == {"from": "ada", "topic": "Hi", "more": 1}
    assert Parameters("mail", Aliased).as_values(read.actual) == {"sender": "ada", "subject": "Hi", "more": 1}


class Lax(BaseModel):
    """Defaults of another type than their field's, as many signatures have them."""

    amount: float = 0
    limit: int = None  # type: ignore[assignment]
    tags: list[str] = ()  # type: ignore[assignment]
    due: date = "2026-12-01"  # type: ignore[assignment]
    stripped: Stripped = Stripped(text="a")
    several: list[Stripped] = []


def test_defaults_are_what_the_schema_makes_of_them() -> None:
    lax = Parameters("lax", Lax)
    read = lax.read({"several": [{"text": "b"}]}, key)
    assert read.shown == {
        "amount": 0.0,
        "limit": None,
        "tags": [],
        "due": "2026-12-01",
        "stripped": {"text": "a", "price": "1"},
        "several": [{"text": "b", "price": "1"}],
    }
    assert lax.read(read.actual, key) == read
    assert lax.accepted(read.actual) == {name: each for name, each in read.actual.items() if name != "limit"}
    assert lax.as_values(read.actual)["limit"] is None
    with pytest.raises(InvalidArguments, match="limit: Input should be a valid integer"):
        lax.read({"limit": "many"}, key)


class Several(BaseModel):
    names: set[str]
    topic: str = Field(validation_alias=AliasChoices("subject", "title"))  # type: ignore[pydantic-alias]


def test_a_set_has_the_same_order_in_every_process() -> None:
    several = Parameters("several", Several)
    for names in (["c", "a", "b"], ["b", "c", "a"]):
        read = several.read({"names": names, "title": "x"}, key)
        assert read.shown == {"names": ["a", "b", "c"], "subject": "x"}
        assert several.as_values(read.actual) == {"names": {"a", "b", "c"}, "topic": "x"}


def test_a_tool_without_a_schema_takes_what_is_json() -> None:
    anything = Parameters("anything", None)
    assert anything.read({"a": [1, {"b": None}]}, key).shown == {"a": [1, {"b": None}]}
    for value in (date(2026, 1, 1), (1, 2), {1: 2}, object(), b"x", float("nan")):
        with pytest.raises(InvalidArguments):
            anything.read({"a": value}, key)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), JSON, max_size=4))
def test_reading_what_was_read_changes_nothing(given: dict[str, Any]) -> None:
    anything = Parameters("anything", None, hide=tuple(given)[:1])
    try:
        read = anything.read(given, key)
    except InvalidArguments:
        return
    again = anything.read(anything.with_secrets(read.shown, read), key)
    assert again == read


class Renamed(BaseModel):
    pin: str = Field(alias="PIN")
    access_token: str = "t"
    to: str = "x"


@pytest.mark.parametrize(
    ("hide", "shown"),
    [
        (("pin",), {"access_token": "t", "to": "x"}),
        (("PIN",), {"access_token": "t", "to": "x"}),
        (("Pin", "accessToken"), {"to": "x"}),
        (("ACCESS-TOKEN",), {"PIN": "0815", "to": "x"}),
        (("other",), {"PIN": "0815", "access_token": "t", "to": "x"}),
    ],
)
def test_what_is_hidden_is_meant_by_any_name_of_it(hide: tuple[str, ...], shown: dict[str, Any]) -> None:
    parameters = Parameters("t", Renamed, hide)
    assert parameters.read({"PIN": "0815"}, key).shown == shown
    assert parameters.misspelt_hidden == {}


@pytest.mark.parametrize(
    ("hide", "misspelt"),
    [
        ("acces_token", {"acces_token": "access_token"}),
        ("access_tokn.inner", {"access_tokn.inner": "access_token"}),
        ("account", {}),
        ("access_token.inner", {}),
    ],
)
def test_a_name_that_hides_nothing_but_means_something_is_noticed(
    hide: str, misspelt: dict[str, str]
) -> None:
    assert Parameters("t", Renamed, (hide,)).misspelt_hidden == misspelt
    assert Parameters("t", None, (hide,)).misspelt_hidden == {}


@pytest.mark.parametrize("name", ["pin", "PIN", "code"])
@pytest.mark.parametrize("hide", [("pin",), ("PIN",), ()])
def test_a_secret_is_left_out_by_whatever_name_it_is_given(name: str, hide: tuple[str, ...]) -> None:
    kind = str if hide else SecretStr
    field = Field(validation_alias=AliasChoices("PIN", "code"))
    schema = create_model("S", __config__=ConfigDict(populate_by_name=True), pin=(kind, field), to=(str, "x"))
    assert Parameters("t", schema, hide).without_secrets({name: "0815", "to": "Acme"}) == {"to": "Acme"}
