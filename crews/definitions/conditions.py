"""Conditions of gates (`when`), in CEL: compiled when a crew is loaded, evaluated before a tool is called.

A condition can only keep people from being asked by being false. Whatever else happens, they are asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import JsonValue

VARIABLES = ("args", "inputs", "crew", "requester")
"""What a condition may look at."""
MAX_LENGTH = 2_000
"""Characters of a condition."""

TEXT, NUMBER, INTEGER, BOOLEAN, LIST, ANY = "string", "number", "integer", "boolean", "array", "any"
"""Types of variables, in the words of JSON Schema."""

Fields = Mapping[str, str]
"""The type of each field of a variable, by its name."""

CREW_FIELDS: Fields = {"name": TEXT, "title": TEXT}
REQUESTER_FIELDS: Fields = {
    "surface": TEXT, "tenant": TEXT, "user_id": TEXT, "name": TEXT, "membership": TEXT, "admin": BOOLEAN,
}  # fmt: skip


class InvalidCondition(ValueError):  # noqa: N818 - says what is wrong, like yaml_nodes.Invalid
    """The condition is no CEL, or doesn't go with the types of its variables. The message is one line."""


@dataclass(frozen=True)
class Condition:
    """A condition that compiles. Raises InvalidCondition when it is made."""

    text: str
    #: The types of the crew's inputs; None: they are not known.
    inputs: Fields | None = None
    #: The types of the tool's arguments; None: they are not known.
    args: Fields | None = None

    def __post_init__(self) -> None:
        _check_length(self.text)
        _check_types(self.text, {"args": self.args, "inputs": self.inputs})
        _ = self._program

    def with_args(self, args: Fields) -> Condition:
        """The same for a tool whose arguments have these types. Raises InvalidCondition."""
        return Condition(self.text, self.inputs, args)

    def asks(self, values: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether people are asked about a call: unless the condition is false. `values`: by variable."""
        try:
            seen = {name: dict(values[name]) for name in VARIABLES}
            result = self._program.eval(data=seen)
            if _has_nul(seen):
                reason = "a NUL, at which CEL ends a text"
            elif result.type() == _cel().Type.BOOL:
                return bool(result.value())
            else:
                reason = str(result.value()).partition(":")[0]  # The rest may quote an argument.
        except Exception as error:  # noqa: BLE001 - any error means: ask
            reason = type(error).__name__
        _log().warning("a condition has no answer, so people are asked", when=self.text, reason=reason)
        return True

    @cached_property
    def _program(self) -> Any:  # noqa: ANN401 - the library's
        cel = _cel()
        anything = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
        return _compiled(self.text, dict.fromkeys(VARIABLES, anything))


def _cel() -> Any:  # noqa: ANN401 - a module
    """The library, which is only loaded for crews that have a condition."""
    try:
        from cel_expr_python import cel
    except ImportError as error:
        raise InvalidCondition(
            f'needs cel-expr-python, which can\'t be imported ({error}): pip install "crewdeck[worker]"'
        ) from error
    return cel


def _has_nul(value: object) -> bool:
    """Whether a text in this JSON value has a NUL, the names of objects included."""
    waiting: list[object] = [value]
    while waiting:
        match waiting.pop():
            case str(text) if "\0" in text:
                return True
            case dict() as named:
                waiting += [*named, *named.values()]
            case list() | tuple() as listed:
                waiting += listed
    return False


def _log() -> Any:  # noqa: ANN401 - the library's
    """The logger, which authors who only declare a condition don't need."""
    import structlog

    return structlog.get_logger(__name__)


def _check_length(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise InvalidCondition(f"has {len(text):,} characters; at most {MAX_LENGTH:,} are read")


def _compiled(text: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the library's
    """The program. Raises InvalidCondition."""
    cel = _cel()
    try:
        program = cel.NewEnv(variables=dict(variables)).compile(text)
    except Exception as error:
        raise InvalidCondition(_message(str(error))) from error
    came_to = program.return_type()
    if came_to not in (cel.Type.BOOL, cel.Type.DYN):
        raise InvalidCondition(f"must be true or false, and is of type {came_to.name().lower()}")
    return program


_WHERE = re.compile(r"<input>:(\d+):(\d+): ([^\n]*)")


def _message(said: str) -> str:
    """The first mistake in the words of the library, with its position."""
    found = _WHERE.search(said)
    if found is None:
        return f"is no condition: {said.splitlines()[0] if said else 'CEL refuses it'}"
    column, words = found[2], found[3].removesuffix(" (in container '')")
    return f"is no condition: {words} (line {found[1]}, column {column})"


# ── types ───────────────────────────────────────────────────────────────────────────────────────────────
#
# Fields are declared as variables with a dot in their name, so that an unknown one is a mistake. CEL can't
# compare a double with `1000` where it knows the type, and both are numbers to people: numbers are declared
# as anything, and a field that only goes together with something else than a number is found separately.


def _check_types(text: str, fields: Mapping[str, Fields | None]) -> None:
    """Raises InvalidCondition for fields that don't exist, or are used as something that they are not."""
    known = {"crew": CREW_FIELDS, "requester": REQUESTER_FIELDS, **fields}
    variables = _declared(text, known)
    checked = _without_has(text, variables)
    _compiled(checked, variables)
    numbers = [
        f"{name}.{each}" for name, types in known.items() for each, kind in (types or {}).items()
        if kind in {NUMBER, INTEGER}
    ]  # fmt: skip
    for name in numbers:
        if name in variables and not _compares_numbers(checked, variables, name):
            raise InvalidCondition(f"{name} is a number, and is used as something else")


def _declared(text: str, known: Mapping[str, Fields | None]) -> dict[str, Any]:
    cel = _cel()
    anything = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    variables: dict[str, Any] = {}
    for name, fields in known.items():
        whole = re.search(rf"(?<![\w.]){name}\b(?!\s*\.)", text) is not None
        if fields is None or whole:
            variables[name] = anything
        for each, kind in (fields or {}).items():
            if each.isidentifier():
                variables[f"{name}.{each}"] = _type(kind)
    return variables


def _type(kind: str) -> Any:  # noqa: ANN401 - the library's
    cel = _cel()
    return {
        TEXT: cel.Type.STRING,
        BOOLEAN: cel.Type.BOOL,
        LIST: cel.Type.List(cel.Type.DYN),
    }.get(kind, cel.Type.DYN)


_HAS = re.compile(r"\bhas\(\s*([A-Za-z_]\w*\.[A-Za-z_]\w*)\s*\)")


def _without_has(text: str, variables: Mapping[str, Any]) -> str:
    """The text for the check of types, in which `has(args.x)` of a field that exists is true."""
    return _HAS.sub(lambda found: "true" if found[1] in variables else found[0], text)


def _compares_numbers(text: str, variables: Mapping[str, Any], name: str) -> bool:
    cel = _cel()
    numbers = (cel.Type.INT, cel.Type.DOUBLE)
    others = (cel.Type.STRING, cel.Type.BOOL, cel.Type.LIST, cel.Type.MAP, cel.Type.TIMESTAMP)
    if any(_compiles(text, {**variables, name: kind}) for kind in numbers):
        return True
    return not any(_compiles(text, {**variables, name: kind}) for kind in others)


def _compiles(text: str, variables: Mapping[str, Any]) -> bool:
    try:
        _compiled(text, variables)
    except InvalidCondition:
        return False
    return True


def invalid(text: str, inputs: Fields | None = None, args: Fields | None = None) -> str:
    """What is wrong with a condition; empty if nothing is."""
    try:
        Condition(text, inputs, args)
    except InvalidCondition as error:
        return str(error)
    return ""


def type_of_input(kind: str) -> str:
    """The type of a crew's input, from what `inputs` says. What isn't known is not checked."""
    return {"text": TEXT, "choice": TEXT, "date": TEXT, "email": TEXT, "url": TEXT}.get(
        kind, kind if kind in {TEXT, NUMBER, INTEGER, BOOLEAN} else ANY
    )


def types_of(schema: Mapping[str, JsonValue]) -> Fields:
    """The types of an object's properties, from its JSON Schema."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: _type_in(each) for name, each in properties.items()}


def _type_in(prop: JsonValue) -> str:
    """One plain type, or `any`. Dates are timestamps to CEL only where they are parsed."""
    kind = prop.get("type") if isinstance(prop, dict) else None
    return kind if isinstance(kind, str) and kind in {TEXT, NUMBER, INTEGER, BOOLEAN, LIST} else ANY
