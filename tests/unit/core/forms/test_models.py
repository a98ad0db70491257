"""Forms from pydantic models, and the instances that come back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Self

import pytest
from pydantic import BaseModel, Field, HttpUrl, JsonValue, SecretStr, field_validator, model_validator

from bot.core.errors import InvalidValues
from bot.core.forms import fields
from bot.core.forms.fields import FieldType
from bot.core.forms.models import fields_of_model, instance
from bot.core.forms.validation import validate


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Order(BaseModel):
    """An order."""

    customer: str = Field(title="Which customer?", max_length=40)
    amount: Decimal = Field(gt=0, description="In euros")
    pieces: int = Field(1, ge=1, lt=10)
    size: Size = Size.SMALL
    pace: Literal["fast", "slow"] | None = None
    extras: list[Literal["bow", "card"]] = []
    due: date
    at: time | None = None
    ordered: datetime | None
    page: HttpUrl | None = None
    gift: bool = False
    note: str = ""

    @field_validator("customer")
    @classmethod
    def _known(cls, name: str) -> str:
        if name == "nobody":
            raise ValueError("is no customer")
        return name

    @model_validator(mode="after")
    def _large_orders_are_slow(self) -> Self:
        if self.pieces > 5 and self.pace == "fast":
            raise ValueError("large orders are slow")
        return self


def test_a_model_becomes_a_form() -> None:
    assert fields_of_model(Order) == (
        fields.Field(name="customer", label="Which customer?", required=True, max_length=40),
        fields.Field(name="amount", type=FieldType.NUMBER, required=True, description="In euros", min=0.0),
        fields.Field(name="pieces", type=FieldType.INTEGER, required=True, default=1, min=1, max=9),
        fields.Field(
            name="size", type=FieldType.CHOICE, choices=("small", "large"), default="small", required=True
        ),
        fields.Field(name="pace", type=FieldType.CHOICE, choices=("fast", "slow")),
        fields.Field(name="extras", type=FieldType.MULTI_CHOICE, choices=("bow", "card"), default=()),
        fields.Field(name="due", type=FieldType.DATE, required=True),
        fields.Field(name="at", type=FieldType.TIME),
        fields.Field(name="ordered", type=FieldType.DATETIME),
        fields.Field(name="page", type=FieldType.URL, min_length=1, max_length=2083),
        fields.Field(name="gift", type=FieldType.BOOLEAN, default=False, required=True),
        fields.Field(name="note", default=""),
    )


GIVEN: dict[str, JsonValue] = {
    "customer": "Ada",
    "amount": 12.5,
    "due": "2026-03-31",
    "at": "09:30",
    "ordered": "2026-03-30T12:00:00Z",
    "extras": ["card"],
}


def test_the_values_of_its_form_become_an_instance() -> None:
    order = instance(Order, validate(fields_of_model(Order), GIVEN, strict=True))
    assert order == Order(
        customer="Ada",
        amount=Decimal("12.5"),
        due=date(2026, 3, 31),
        at=time(9, 30),
        ordered=datetime(2026, 3, 30, 12, tzinfo=UTC),
        extras=["card"],
    )


def test_what_a_person_emptied_is_none_and_not_the_default() -> None:
    class Trip(BaseModel):
        place: str | None = "Paris"

    form = fields_of_model(Trip)
    assert instance(Trip, validate(form, {}, strict=False)).place == "Paris"
    assert instance(Trip, validate(form, {"place": ""}, strict=False)).place is None


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"customer": "nobody"}, {"customer": "is no customer"}),
        ({"amount": 0}, {"amount": "Input should be greater than 0"}),
        ({"pieces": 6, "pace": "fast"}, {"": "large orders are slow"}),
    ],
)
def test_what_only_the_model_knows_is_a_problem_of_its_field(
    change: dict[str, JsonValue], problems: dict[str, str]
) -> None:
    values = validate(fields_of_model(Order), GIVEN | change, strict=True)
    with pytest.raises(InvalidValues) as refused:
        instance(Order, values)
    assert refused.value.problems == problems


class Nested(BaseModel):
    order: Order


class Login(BaseModel):
    phrase: SecretStr


class MaybeLogin(BaseModel):
    phrase: SecretStr | None = None


class Named(BaseModel):
    api_key: str


class Free(BaseModel):
    words: list[str]


class Either(BaseModel):
    it: int | date


class Nothing(BaseModel):
    pass


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Nested, "Nested is no form: the field 'order'"),
        (Login, "Login is no form: the field 'phrase': it asks for a secret"),
        (MaybeLogin, "MaybeLogin is no form: the field 'phrase': it asks for a secret"),
        (Named, "Named is no form: the field 'api_key': it asks for a secret"),
        (Free, "Free is no form: the field 'words': a list is a choice of several texts"),
        (Either, "Either is no form: the field 'it': a form asks for texts"),
        (Nothing, "Nothing is no form"),
    ],
)
def test_models_that_are_no_forms_are_refused(model: type[BaseModel], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        fields_of_model(model)
