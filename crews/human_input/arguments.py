"""The arguments of a tool call that people decide on: validated, complete, and without secrets.

What people approve is JSON, and it is exactly what the tool is called with: arguments that would come out of
the tool's own schema differently the second time are refused.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - arguments of any kind
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from pydantic import AliasChoices, BaseModel, JsonValue, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from bot.core.json_text import MAX_DEPTH, too_deep
from bot.core.questions.tool_call import SEPARATOR
from bot.core.text import valid_json
from crews.human_input.secret_arguments import resolve_hidden, secrets_in, without_secret_values

MAX_ARGUMENTS_BYTES = 100_000
"""Of all arguments of a call, as JSON."""


MIN_SIMILARITY = 0.75
"""How similar a name that is no argument is to the argument that it means, at least."""


class InvalidArguments(ValueError):  # noqa: N818 - says what is wrong
    """The tool can't be called with these arguments; the message is for the model."""


def check_depth(tool: str, given: object) -> None:
    """Raises InvalidArguments for arguments that are nested too deeply to be shown, or told from others."""
    if too_deep(given):
        raise InvalidArguments(f"The arguments of {tool} are nested more than {MAX_DEPTH} levels deep.")


@dataclass(frozen=True)
class Arguments:
    """The validated arguments of one call."""

    #: With them the tool is called.
    actual: dict[str, JsonValue]
    #: What people see: all but the secrets.
    shown: dict[str, JsonValue]
    #: A keyed digest of each secret.
    secrets: dict[str, str]


@dataclass(frozen=True)
class Parameters:
    """The parameters of a tool: which arguments it takes, and which of them nobody sees."""

    tool: str
    #: The tool's schema; None, or one without fields: it takes anything.
    schema: type[BaseModel] | None
    hide: tuple[str, ...] = ()

    @cached_property
    def json_schema(self) -> dict[str, JsonValue]:
        """The JSON Schema of the arguments, without values of secrets."""
        if not self._fields:
            return {}
        schema: dict[str, Any] = self.schema.model_json_schema() if self.schema is not None else {}
        cleaned: dict[str, JsonValue] = valid_json(without_secret_values(schema))  # type: ignore[assignment]
        return cleaned

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The names of secret arguments: those to hide, and those that the schema declares as secret."""
        whole = self.json_schema
        hidden = (resolve_hidden(self._as_declared(name), whole)[0] for name in self.hide)
        return tuple(dict.fromkeys([*hidden, *secrets_in(whole, whole)]))

    @property
    def misspelt_hidden(self) -> dict[str, str]:
        """Names to hide that are no argument, and the argument that each of them probably means."""
        firsts = {name: self._as_declared(name).partition(SEPARATOR)[0] for name in self.hide}
        return {name: meant for name, first in firsts.items() if (meant := self.probably_meant(first))}

    def probably_meant(self, name: str) -> str:
        """The argument that a name which is none of them probably means; empty if it may mean nothing."""
        if name in self.names:
            return ""
        return next(iter(get_close_matches(name, self.names, 1, MIN_SIMILARITY)), "")

    def _as_declared(self, name: str) -> str:
        """A name to hide as the schema has it: authors also write the field's, or other capitals."""
        first, *inner = name.split(SEPARATOR)
        fields = self.schema.model_fields if self.schema is not None else {}
        if first not in self.names and first in fields:
            first = _wanted(first, fields[first])
        elif first not in self.names:
            same = [each for each in self.names if _folded(each) == _folded(first)]
            first = same[0] if len(same) == 1 else first
        return SEPARATOR.join([first, *inner])

    @property
    def unknown_hidden(self) -> dict[str, str]:
        """Names to hide of which a part isn't there, and that part."""
        found = {name: resolve_hidden(name, self.json_schema) for name in self.hide}
        return {name: part for name, (place, part) in found.items() if part and place != name}

    @property
    def names(self) -> frozenset[str]:
        """The arguments that there are; empty if it takes anything."""
        properties = self.json_schema.get("properties")
        return frozenset(properties) if isinstance(properties, dict) else frozenset()

    def read(self, given: Mapping[str, Any], key: Callable[[], bytes]) -> Arguments:
        """Validate the arguments of a call. `key` is the run's, for digests of secrets.

        Raises InvalidArguments.
        """
        check_depth(self.tool, given)
        first, set_by_caller = self._validated(given)
        # The second time defaults are given, so that they are what the schema makes of them.
        actual, _ = self._validated(first)
        changing = _different(first, actual) and _different(actual, self._validated(actual)[0])
        if changing or not _agrees(set_by_caller, actual):
            why = f" Its schema makes another value of {changing} each time." if changing else ""
            raise InvalidArguments(
                f"The arguments of {self.tool} can't be shown to people exactly as the tool would get "
                f"them.{why}"
            )
        shown, secrets = json.loads(json.dumps(actual)), {}
        for name in self.secrets:
            place, value = _take(shown, name.split(SEPARATOR))
            if place is not None:
                secrets[place] = _keyed_digest(key(), place, value)
        return Arguments(actual, shown, secrets)

    def with_secrets(self, shown: Mapping[str, JsonValue], of: Arguments) -> dict[str, JsonValue]:
        """Arguments that people decided on, with the secrets of the call that asked.

        Without one whose place an edit has removed: that makes another call, which is asked about anew.
        """
        whole: dict[str, JsonValue] = json.loads(json.dumps(shown))
        for name in of.secrets:
            path = name.split(SEPARATOR)
            _, value = _take(json.loads(json.dumps(of.actual)), path)
            _put(whole, path, value)
        return whole

    def without_secrets(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments that may not be valid, for people to see."""
        shown: dict[str, Any] = json.loads(json.dumps(dict(given), default=str))
        fields = self.schema.model_fields if self.schema is not None else {}
        given_as = {_wanted(name, field): _accepted(name, field) for name, field in fields.items()}
        for secret in (*self.secrets, *self.hide):
            first, *inner = secret.split(SEPARATOR)
            for name in (first, *given_as.get(first, ())):
                _take(shown, [name, *inner])
        return shown

    def as_values(self, actual: Mapping[str, JsonValue]) -> dict[str, Any]:
        """The arguments as the tool's `_run` gets them, which CrewAI has validated."""
        if not self._fields or self.schema is None:
            return dict(actual)
        return dict(self.schema.model_validate(self.accepted(actual)).model_dump(warnings=False))

    def accepted(self, actual: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The arguments without defaults that the schema doesn't accept when they are given.

        Left out they have the same value: `limit: int = None`.
        """
        try:
            return self._parsed(actual)[1]
        except ValidationError:
            return dict(actual)

    @property
    def _fields(self) -> bool:
        return self.schema is not None and bool(self.schema.model_fields)

    def _validated(self, given: Mapping[str, Any]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
        """The arguments as the schema has them, and those of them that aren't its defaults."""
        if not self._fields:
            read = self._as_json(given)
            return read, read
        try:
            model, _ = self._parsed(given)
        except ValidationError as error:
            raise InvalidArguments(self._objections(error)) from None
        except Exception as error:  # authors' validators may raise anything
            raise InvalidArguments(
                f"Tool '{self.tool}' arguments validation failed: {type(error).__name__}"
            ) from error
        return self._as_json(_by_alias(model)), self._as_json(_by_alias(model, exclude_unset=True))

    def _parsed(self, given: Mapping[str, Any]) -> tuple[BaseModel | None, dict[str, Any]]:
        """The arguments as an instance of the schema, and what it was made from. Raises ValidationError."""
        values = dict(given)
        if self.schema is None or not self._fields:
            return None, values
        try:
            return self.schema.model_validate(values), values
        except ValidationError as error:
            refused = {str(each["loc"][0]) for each in error.errors(include_input=False) if each["loc"]}
            if not refused or not all(self._is_default(name, values) for name in refused):
                raise
            values = {name: value for name, value in values.items() if name not in refused}
        return self.schema.model_validate(values), values

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        """The defaults that are the same each time, by the names of arguments."""
        fields = self.schema.model_fields.items() if self.schema is not None else ()
        return {
            each: field.default
            for name, field in fields
            if not field.is_required() and field.default_factory is None
            for each in (name, field.alias, _wanted(name, field))
            if each is not None
        }

    def _is_default(self, name: str, given: Mapping[str, Any]) -> bool:
        """Whether an argument is given as the default that it has anyway."""
        if name not in self._defaults or name not in given:
            return False
        try:
            return bool(_typed(to_jsonable_python(self._defaults[name])) == _typed(given[name]))
        except ValueError:
            return False

    def _as_json(self, given: Mapping[str, Any]) -> dict[str, JsonValue]:
        try:
            value = given if not self._fields else to_jsonable_python(_revealed(given))
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidArguments(
                f"The arguments of {self.tool} can't be shown to people: they are no JSON."
            ) from error
        if len(text) > MAX_ARGUMENTS_BYTES:
            raise InvalidArguments(
                f"The arguments of {self.tool} are longer than {MAX_ARGUMENTS_BYTES:,} bytes: too long to be "
                "decided on."
            )
        read: dict[str, JsonValue] = json.loads(text)
        if not self._fields and _typed(read) != _typed(value):
            raise InvalidArguments(
                f"The arguments of {self.tool} can't be shown to people: they are no JSON."
            )
        return read

    def _objections(self, error: ValidationError) -> str:
        """What is wrong with each argument, without the values, which may be secret."""
        lines = [
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors(include_input=False)
        ]
        schema = {name: self.json_schema.get(name, []) for name in ("properties", "required")}
        return (
            f"Tool '{self.tool}' arguments validation failed: {'; '.join(lines)}"
            f"\nExpected arguments: {json.dumps(schema['properties'])}"
            f"\nRequired: {json.dumps(schema['required'])}"
        )


def _folded(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _by_alias(model: BaseModel | None, *, exclude_unset: bool = False) -> dict[str, Any]:
    """The model's values under the names that its validation wants again."""
    if model is None:
        return {}
    values = model.model_dump(by_alias=True, exclude_unset=exclude_unset, warnings=False)
    for name, field in type(model).model_fields.items():
        dumped = field.serialization_alias or field.alias or name
        wanted = _wanted(name, field)
        if dumped != wanted and dumped in values:
            values[wanted] = values.pop(dumped)
    return values


def _wanted(name: str, field: FieldInfo) -> str:
    """The name of an argument in validation; the first one where it has several."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        alias = next((each for each in alias.choices if isinstance(each, str)), None)
    return alias if isinstance(alias, str) else field.alias or name


def _accepted(name: str, field: FieldInfo) -> list[str]:
    """All names under which an argument may be given."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return [name, *(each for each in (field.alias, *choices) if isinstance(each, str))]


def _revealed(value: Any) -> Any:
    """The value with the contents of secrets, which serialization would cover."""
    match value:
        case SecretStr() | SecretBytes():
            return value.get_secret_value()
        case dict():
            return {key: _revealed(each) for key, each in value.items()}
        case list() | tuple():
            return [_revealed(each) for each in value]
        case set() | frozenset():  # In an order that is the same in every process.
            return sorted((to_jsonable_python(_revealed(each)) for each in value), key=json.dumps)
    return value


def _agrees(part: JsonValue, whole: JsonValue) -> bool:
    """Whether the whole has all values of the part, and others only where the part has none."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and _agrees(value, whole[name]) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(_agrees, part, whole))
    return bool(_typed(part) == _typed(whole))


def _different(one: Mapping[str, JsonValue], other: Mapping[str, JsonValue]) -> str:
    """The names of which only one has a value, or another one than the other; empty if there are none."""
    names = {**one, **other}
    return ", ".join(each for each in names if _typed(one.get(each, ...)) != _typed(other.get(each, ...)))


def _typed(value: Any) -> Any:
    """The value for a comparison in which `1`, `1.0` and `true` differ."""
    match value:
        case dict():
            return {key: _typed(each) for key, each in value.items()}
        case list():
            return [_typed(each) for each in value]
    return (type(value), value)


def _keyed_digest(key: bytes, name: str, value: JsonValue) -> str:
    text = json.dumps([name, value], sort_keys=True)
    return f"hmac-sha256:{hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def _take(within: Any, path: list[str]) -> tuple[str | None, JsonValue]:
    """Remove what is at this place; the place where it was, None if nowhere, and what it was.

    All of a list or a text is removed in whose place an object was expected: the secret may be within.
    """
    for depth, name in enumerate(path, start=1):
        if not isinstance(within, dict) or name not in within:
            break
        inner = within[name]
        if depth == len(path) or not (inner is None or isinstance(inner, dict)):
            return SEPARATOR.join(path[:depth]), within.pop(name)
        within = inner
    return None, None


def _put(into: Any, path: list[str], value: JsonValue) -> None:
    for name in path[:-1]:
        into = into.setdefault(name, {})
        if not isinstance(into, dict):
            return
    into[path[-1]] = value
