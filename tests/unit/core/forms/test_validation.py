"""Fields of forms: their definitions, what programs give, and what people write."""

from typing import Any

import pytest
from pydantic import JsonValue, ValidationError

from bot.core.errors import InvalidValues
from bot.core.forms.fields import Field, FieldType
from bot.core.forms.validation import check_field, check_form, parse, validate
from bot.core.locales import Locale

GERMAN = Locale(tag="de-DE", timezone="Europe/Berlin")
BRITISH = Locale(tag="en-GB", timezone="Europe/London")
SWISS = Locale(tag="de-CH")

FORM = (
    Field(name="topic", required=True),
    Field(name="note", type=FieldType.TEXT),
    Field(name="pages", type=FieldType.INTEGER, default=3, min=1, max=9),
    Field(name="tags", type=FieldType.MULTI_CHOICE, choices=("a", "b", "c")),
)


def problem(field: Field, given: JsonValue, *, strict: bool = False, locale: Locale | None = None) -> str:
    with pytest.raises(InvalidValues) as refused:
        validate([field], {field.name: given}, strict=strict, locale=locale)
    return refused.value.problems[field.name]


# ── all of a form ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(InvalidValues) as refused:
        validate(FORM, {"topic": " ", "pages": 10, "tags": ["d"], "toppic": "x"}, strict=True)
    assert refused.value.problems == {
        "toppic": "is no field of this form (it has: topic, note, pages, tags)",
        "topic": "is required",
        "pages": "must be at most 9",
        "tags": "must be one of a, b, c, not 'd'",
    }


def test_what_is_not_given_has_its_default_and_what_was_emptied_has_none() -> None:
    assert validate(FORM, {"topic": "x"}, strict=False) == {"topic": "x", "pages": 3}
    assert validate(FORM, {"topic": "x", "pages": None}, strict=False) == {"topic": "x", "pages": 3}
    assert validate(FORM, {"topic": "x", "pages": None, "note": None}, strict=True) == {"topic": "x"}
    assert validate(FORM, {"topic": "x", "pages": "", "note": " "}, strict=False) == {"topic": "x"}


def test_a_program_may_give_an_empty_text_where_it_is_not_required() -> None:
    assert validate(FORM, {"topic": "x", "note": ""}, strict=True)["note"] == ""
    assert validate(FORM, {"topic": "x", "tags": []}, strict=True)["tags"] == []
    assert problem(
        Field(name="tags", type=FieldType.MULTI_CHOICE, choices=("a",), required=True), [], strict=True
    )


def test_a_required_field_that_was_emptied_does_not_take_its_default() -> None:
    assert problem(Field(name="tone", required=True, default="plain"), "") == "is required"


# ── values of programs ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (FieldType.INTEGER, 3, 3),
        (FieldType.INTEGER, 3.0, 3),
        (FieldType.NUMBER, 3, 3),
        (FieldType.NUMBER, 0.1, 0.1),
        (FieldType.BOOLEAN, False, False),
        (FieldType.CHOICE, "b", "b"),
        (FieldType.MULTI_CHOICE, ["b", "a"], ["a", "b"]),
        (FieldType.DATE, "2024-02-29", "2024-02-29"),
        (FieldType.TIME, "09:30", "09:30"),
        (FieldType.TIME, "09:30:00", "09:30"),
        (FieldType.TIME, "23:59:59", "23:59:59"),
        (FieldType.DATETIME, "2026-03-31T09:30:00Z", "2026-03-31T09:30:00Z"),
        (FieldType.DATETIME, "2026-03-31T09:30:00+02:00", "2026-03-31T09:30:00+02:00"),
        (FieldType.EMAIL, "ada+crew@mail.example.com", "ada+crew@mail.example.com"),
        (FieldType.EMAIL, "ada@bücher.example", "ada@bücher.example"),
        (FieldType.URL, "https://example.com/a?b=c@d#e", "https://example.com/a?b=c@d#e"),
        (FieldType.URL, "HTTP://localhost:8080", "HTTP://localhost:8080"),
        (FieldType.URL, "https://[::1]/", "https://[::1]/"),
        (FieldType.STRING, "a\ud800", "a\ufffd"),
    ],
)
def test_values_of_programs(kind: FieldType, given: JsonValue, value: JsonValue) -> None:
    field = Field(name="it", type=kind, choices=("a", "b") if "choice" in kind else ())
    found = validate([field], {"it": given}, strict=True)["it"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (FieldType.STRING, 7),
        (FieldType.STRING, True),
        (FieldType.STRING, ["x"]),
        (FieldType.INTEGER, "3"),
        (FieldType.INTEGER, True),
        (FieldType.INTEGER, 1.5),
        (FieldType.INTEGER, 2**53),
        (FieldType.INTEGER, ""),
        (FieldType.NUMBER, "3"),
        (FieldType.NUMBER, False),
        (FieldType.NUMBER, float("nan")),
        (FieldType.NUMBER, float("inf")),
        (FieldType.BOOLEAN, 1),
        (FieldType.BOOLEAN, "true"),
        (FieldType.CHOICE, "B"),
        (FieldType.CHOICE, ["b"]),
        (FieldType.MULTI_CHOICE, "a"),
        (FieldType.MULTI_CHOICE, ["a", "a"]),
        (FieldType.MULTI_CHOICE, [["a"]]),
        (FieldType.DATE, "2023-02-29"),
        (FieldType.DATE, "20260331"),
        (FieldType.DATE, "2026-W14-2"),
        (FieldType.DATE, "٢٠٢٦-٠٣-٣١"),
        (FieldType.DATE, 20260331),
        (FieldType.TIME, "9:30"),
        (FieldType.TIME, "24:00"),
        (FieldType.TIME, "09:30+02:00"),
        (FieldType.DATETIME, "2026-03-31T09:30:00"),
        (FieldType.DATETIME, "2026-03-31 09:30:00Z"),
        (FieldType.DATETIME, "2026-03-31T09:30:00+99:00"),
        (FieldType.EMAIL, "ada"),
        (FieldType.EMAIL, "ada@localhost"),
        (FieldType.EMAIL, "a..b@example.com"),
        (FieldType.EMAIL, "ada@example.com\n"),
        (FieldType.EMAIL, "ada\u200b@example.com"),
        (FieldType.EMAIL, "Ada <ada@example.com>"),
        (FieldType.URL, "example.com"),
        (FieldType.URL, "javascript:alert(1)"),
        (FieldType.URL, "https://ada:pw@example.com/"),
        (FieldType.URL, "https://exa mple.com/"),
        (FieldType.URL, "https:///path"),
        (FieldType.URL, "https://example.com:99999/"),
        (FieldType.URL, "https://example.com\\@evil.example"),
        (FieldType.URL, "https://example.com/\u202egpj"),
    ],
)
def test_values_that_programs_may_not_give(kind: FieldType, given: JsonValue) -> None:
    assert problem(
        Field(name="it", type=kind, choices=("a", "b") if "choice" in kind else ()), given, strict=True
    )


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        (Field(name="it", type=FieldType.INTEGER, min=2), 1, "must be at least 2"),
        (Field(name="it", type=FieldType.NUMBER, max=0.5), 0.6, "must be at most 0.5"),
        (Field(name="it", min_length=3), "ab", "must have at least 3 characters, not 2"),
        (Field(name="it", max_length=1), "ab", "must have at most 1 character, not 2"),
        (
            Field(name="it", type=FieldType.MULTI_CHOICE, choices=("a", "b"), min_length=2),
            ["a"],
            "must have at least 2 choices, not 1",
        ),
        (
            Field(name="it", type=FieldType.DATE, min="2026-01-02"),
            "2026-01-01",
            "must be 2026-01-02 or later",
        ),
        (Field(name="it", type=FieldType.TIME, max="18:00"), "18:00:01", "must be 18:00 or earlier"),
        (
            Field(name="it", type=FieldType.DATETIME, min="2026-01-01T12:00:00Z"),
            "2026-01-01T12:59:59+01:00",
            "must be 2026-01-01T12:00:00Z or later",
        ),
    ],
)
def test_bounds(field: Field, given: JsonValue, said: str) -> None:
    check_field(field)
    assert problem(field, given, strict=True) == said


# ── what people write ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "written", "locale", "value"),
    [
        (FieldType.NUMBER, "1.5", None, 1.5),
        (FieldType.NUMBER, "1,5", GERMAN, 1.5),
        (FieldType.NUMBER, "1.5", GERMAN, 1.5),
        (FieldType.NUMBER, "0,125", GERMAN, 0.125),
        (FieldType.NUMBER, "1.500", None, 1.5),
        (FieldType.NUMBER, "1.234.567,8", GERMAN, 1234567.8),
        (FieldType.NUMBER, "1,234,567.8", BRITISH, 1234567.8),
        (FieldType.NUMBER, "1'500.5", SWISS, 1500.5),
        (FieldType.NUMBER, "1 500", None, 1500),
        (FieldType.NUMBER, "−3", None, -3),
        (FieldType.NUMBER, "1e3", None, 1000.0),
        (FieldType.INTEGER, " +12 ", None, 12),
        (FieldType.INTEGER, "1.234.567", GERMAN, 1234567),
        (FieldType.BOOLEAN, "Yes", None, True),
        (FieldType.CHOICE, "PLAIN", None, "plain"),
        (FieldType.MULTI_CHOICE, "plain; Playful", None, ["plain", "playful"]),
        (FieldType.DATE, "2026-03-31", None, "2026-03-31"),
        (FieldType.DATE, "3.4.2026", GERMAN, "2026-04-03"),
        (FieldType.DATE, "31/03/2026", None, "2026-03-31"),
        (FieldType.DATE, "04/04/2026", None, "2026-04-04"),
        (FieldType.TIME, "9:30", None, "09:30"),
        (FieldType.TIME, "9 pm", None, "21:00"),
        (FieldType.TIME, "12:05 AM", None, "00:05"),
        (FieldType.DATETIME, "2026-03-31 9:30", GERMAN, "2026-03-31T09:30:00+02:00"),
        (FieldType.DATETIME, "31.3.2026, 09:30", GERMAN, "2026-03-31T09:30:00+02:00"),
        (FieldType.DATETIME, "2026-03-31T09:30Z", None, "2026-03-31T09:30:00Z"),
        (FieldType.EMAIL, " ada@example.com ", None, "ada@example.com"),
        (FieldType.STRING, 7, None, "7"),
    ],
)
def test_what_people_write(
    kind: FieldType, written: JsonValue, locale: Locale | None, value: JsonValue
) -> None:
    field = Field(name="it", type=kind, choices=("plain", "playful") if "choice" in kind else ())
    assert parse(field, written, locale=locale) == value


@pytest.mark.parametrize(
    ("kind", "written", "locale", "said"),
    [
        (FieldType.NUMBER, "1,5", None, "must be a number, not '1,5'"),
        (FieldType.NUMBER, "1,500", BRITISH, "may be 1500 or 1.5: write it as one of them"),
        (FieldType.NUMBER, "1.500", GERMAN, "may be 1500 or 1,5: write it as one of them"),
        (FieldType.NUMBER, "1.234", GERMAN, "may be 1234 or 1,2340: write it as one of them"),
        (FieldType.NUMBER, "1_000", None, "must be a number"),
        (FieldType.NUMBER, "0.1234567890123456789", None, "has more digits than can be kept exactly"),
        (FieldType.NUMBER, "1e999", None, "must be a number"),
        (FieldType.INTEGER, "9007199254740993", None, "has more digits than can be kept exactly"),
        (FieldType.INTEGER, "1,5", GERMAN, "must be a whole number"),
        (FieldType.DATE, "03/04/2026", BRITISH, "may be 2026-03-04 or 2026-04-03: write it as one of them"),
        (FieldType.DATE, "31.3.2026", None, "must be a date such as 2026-03-31"),
        (FieldType.DATE, "31.4.2026", GERMAN, "must be a date such as 2026-03-31"),
        (FieldType.DATE, "31.3.26", GERMAN, "must be a date such as 2026-03-31"),
        (FieldType.DATE, "13/13/2026", None, "must be a date such as 2026-03-31"),
        (FieldType.TIME, "9", None, "must be a time such as 09:30"),
        (FieldType.TIME, "13 pm", None, "must be a time such as 09:30"),
        (
            FieldType.DATETIME,
            "2026-03-31 9:30",
            None,
            "needs an offset from UTC, such as 2026-03-31T09:30:00+02:00",
        ),
        (FieldType.DATETIME, "2026-03-29 02:30", GERMAN, "doesn't exist: the clocks are put forward then"),
        (FieldType.DATETIME, "2026-10-25 02:30", GERMAN, "happens twice, as the clocks are put back then"),
        (FieldType.DATETIME, "tomorrow", GERMAN, "must be a date and time such as"),
    ],
)
def test_what_has_two_meanings_or_none_is_refused_with_the_way_to_write_it(
    kind: FieldType, written: JsonValue, locale: Locale | None, said: str
) -> None:
    assert problem(Field(name="it", type=kind), written, locale=locale).startswith(said)


@pytest.mark.parametrize(
    ("tag", "comma"),
    [
        ("de-DE", True), ("de", True), ("de_AT", True), ("de-CH", False), ("fr-FR", True), ("pt-BR", True),
        ("es-ES", True), ("es-MX", False), ("es-LA", False), ("en-US", False), ("ja-JP", False), ("", False),
        ("zh-Hans-CN", False), ("sr-Latn-RS", True), ("nonsense", False),
    ],
)  # fmt: skip
def test_where_a_comma_is_the_decimal_sign(tag: str, comma: bool) -> None:  # noqa: FBT001
    assert Locale(tag=tag).decimal_comma is comma


@pytest.mark.parametrize("name", ["", "Nowhere/Atlantis", "../../etc/passwd", "/etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_none(name: str) -> None:
    assert Locale(timezone=name).zone is None


# ── definitions ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (Field(name=" "), "it needs a name"),
        (Field(name="n" * 201), "its name has more than 200 characters"),
        (Field(name="it", type=FieldType.CHOICE), "`choices` belongs to"),
        (Field(name="it", choices=("a",)), "`choices` belongs to"),
        (Field(name="it", type=FieldType.CHOICE, choices=("a", "A")), "its choices 'a' and 'A' look alike"),
        (Field(name="it", type=FieldType.CHOICE, choices=("a", " ")), "each of its choices needs words"),
        (Field(name="it", min=3), "`min` belongs to numbers, dates and times"),
        (Field(name="it", type=FieldType.INTEGER, min_length=3), "`min_length` belongs to texts"),
        (Field(name="it", type=FieldType.INTEGER, min="3"), "its `min` must be a whole number, not '3'"),
        (Field(name="it", type=FieldType.INTEGER, min=3, max=2), "its `min` is greater than its `max`"),
        (Field(name="it", type=FieldType.DATE, max="soon"), "its `max` must be a date such as"),
        (Field(name="it", min_length=3, max_length=2), "its `min_length` is greater than its `max_length`"),
        (Field(name="it", max_length=0), "its `max_length` is too small"),
        (
            Field(name="it", type=FieldType.MULTI_CHOICE, choices=("a",), min_length=2),
            "its `min_length` can't be reached",
        ),
        (Field(name="it", type=FieldType.INTEGER, default="many"), "its default must be a whole number"),
        (Field(name="it", type=FieldType.INTEGER, max=3, default=4), "its default must be at most 3"),
        (Field(name="it", default="x" * 3001), "its default has more than 3000 characters"),
    ],
)
def test_a_wrong_definition_is_refused(field: Field, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said.replace('(', '[(]')}"):
        check_field(field)


def test_a_form_needs_fields_that_can_be_told_apart() -> None:
    with pytest.raises(ValueError, match="at least one field"):
        check_form([])
    with pytest.raises(ValueError, match="two fields look alike: 'sum' and 'Sum'"):
        check_form([Field(name="sum"), Field(name="Sum")])
    with pytest.raises(ValueError, match="two fields look alike: 'Sum' and 'sum'"):
        check_form([Field(name="one", label="Sum"), Field(name="sum", label="sum")])
    with pytest.raises(ValueError, match="at most 60 fields"):
        check_form([Field(name=f"field{number}") for number in range(61)])
    with pytest.raises(ValueError, match="the field 'count': its `min` is greater"):
        check_form([Field(name="count", type=FieldType.INTEGER, min=2, max=1)])


@pytest.mark.parametrize("name", ["min", "max", "min_length", "max_length"])
def test_true_and_false_bound_nothing(name: str) -> None:
    with pytest.raises(ValidationError, match="true and false bound nothing"):
        Field.model_validate({"name": "amount", "type": "number", name: True})


def test_a_field_with_an_attribute_of_another_release_is_not_read() -> None:
    with pytest.raises(ValidationError):
        Field.model_validate({"name": "it", "pattern": "x"})


def test_a_field_stored_by_the_first_release_is_read() -> None:
    stored = {
        "name": "it",
        "type": "integer",
        "required": True,
        "description": "",
        "choices": [],
        "default": 3,
    }
    assert Field.model_validate(stored) == Field(name="it", type=FieldType.INTEGER, required=True, default=3)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────

UPLOAD = "6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31"
DOC = Field(name="doc", type=FieldType.FILE)


def test_the_value_of_a_file_is_the_id_of_an_upload() -> None:
    for strict in (True, False):
        assert validate([DOC], {"doc": UPLOAD.upper()}, strict=strict) == {"doc": UPLOAD}
        assert validate([DOC], {}, strict=strict) == {}
    others: tuple[JsonValue, ...] = ("plan.pdf", "/etc/passwd", 5, {"file": {"id": UPLOAD}}, [UPLOAD])
    for wrong in others:
        with pytest.raises(InvalidValues, match="upload it in the form"):
            validate([DOC], {"doc": wrong}, strict=False)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"default": UPLOAD}, "has no default"),
        ({"choices": ("a",)}, "choices"),
        ({"min_length": 1}, "min_length"),
        ({"min": 1}, "min"),
        ({"accept": ("*.pdf",)}, "suffixes"),
        ({"accept": ("PDF",)}, "suffixes"),
        ({"max_size": 0}, "20 MB at most"),
        ({"max_size": 21 * 1024 * 1024}, "20 MB at most"),
        ({"type": FieldType.STRING, "accept": ("pdf",)}, "belong to `type: file`"),
        ({"type": FieldType.URL, "max_size": 5}, "belong to `type: file`"),
    ],
)
def test_a_file_has_keys_of_its_own(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_field(DOC.model_copy(update=keys))


def test_a_question_can_not_ask_for_a_file() -> None:
    check_field(DOC)
    with pytest.raises(ValueError, match="can't ask for a file"):
        check_form([DOC])


def test_other_fields_are_written_as_releases_without_files_read_them() -> None:
    for kind in FieldType:
        written = Field(name="x", type=kind).model_dump(mode="json")
        assert ({"accept", "max_size"} <= written.keys()) is (kind is FieldType.FILE)
