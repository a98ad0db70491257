"""A crew's inputs: what is given on the command line or in chat, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import JsonValue

from bot.core.errors import InvalidInputs, InvalidValues
from bot.core.forms import validation
from bot.core.forms.fields import Field
from bot.core.forms.validation import blank
from bot.core.locales import Locale
from bot.core.runs.crew import Crew


def gather(
    pieces: Iterable[tuple[str | None, str]], main_input: str | None, tidy: Callable[[str], str] = str
) -> dict[str, JsonValue]:
    """Collect typed inputs: `(name, value)` for each pair, `(None, word)` for each word of free text.

    Free text, processed by `tidy`, becomes the main input. Raises InvalidInputs for free text if there is no
    main input, and for an input that is given twice.
    """
    values: dict[str, JsonValue] = {}
    free: list[str] = []
    problems: dict[str, str] = {}
    for name, word in pieces:
        if name is None:
            free.append(word)
        elif name in values:
            problems[name] = "is given twice: give it once"
        else:
            values[name] = word
    if text := tidy(" ".join(free)):
        if main_input is None:
            problems["words"] = f"this crew takes no free text, so say what {text!r} is: name=value"
        elif main_input in values:
            problems[main_input] = (
                "is given twice, by name and as free text: write it once, a value of several words in quotes "
                f'({main_input}="two words")'
            )
        else:
            values[main_input] = text
    if problems:
        raise InvalidInputs(problems)
    return values


def missing(crew: Crew, given: dict[str, JsonValue]) -> tuple[Field, ...]:
    """The required inputs that have neither a value nor a default."""
    return tuple(f for f in crew.inputs if f.required and f.default is None and blank(given.get(f.name)))


def validate(
    crew: Crew, given: dict[str, JsonValue], *, locale: Locale | None = None
) -> dict[str, JsonValue]:
    """Validate the inputs, convert them to their types and add defaults.

    Raises InvalidInputs, which names each input that is unknown, missing or of the wrong type.
    """
    try:
        return validation.validate(crew.inputs, given, strict=False, locale=locale, what="input of this crew")
    except InvalidValues as error:
        raise InvalidInputs(error.problems) from None


def read(crew: Crew, given: dict[str, JsonValue], locale: Locale) -> dict[str, JsonValue]:
    """The inputs as their writer means them: values of their types, and "" for those that were left empty.

    Raises InvalidInputs, as `validate` does, which takes the result.
    """
    values = validate(crew, given, locale=locale)
    return {**dict.fromkeys((name for name, value in given.items() if value is not None), ""), **values}
