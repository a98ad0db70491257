"""The arguments of a tool call that people decide on: validated, complete, and without secrets.

What people approve is JSON, and it is exactly what the tool is called with: arguments that would come out of
the tool's own schema differently the second time are refused.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - arguments of any kind
import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, JsonValue, SecretBytes, SecretStr, ValidationError
from pydantic_core import to_jsonable_python

from bot.core.text import valid_json

MAX_ARGUMENTS_BYTES = 100_000
"""Of all arguments of a call, as JSON."""
SEPARATOR = "."
"""Between the names of a secret inside of an object: `account.token`."""


class InvalidArguments(ValueError):  # noqa: N818 - says what is wrong
    """The tool can't be called with these arguments; the message is for the model."""


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
        cleaned: dict[str, JsonValue] = valid_json(_without_secret_values(schema))  # type: ignore[assignment]
        return cleaned

    @cached_property
    def secrets(self) -> tuple[str, ...]:
        """The names of secret arguments: those to hide, and those that the schema declares as secret."""
        return tuple(dict.fromkeys([*self.hide, *_secrets_in(self.json_schema, self.json_schema)]))

    @property
    def names(self) -> frozenset[str]:
        """The arguments that there are; empty if it takes anything."""
        properties = self.json_schema.get("properties")
        return frozenset(properties) if isinstance(properties, dict) else frozenset()

    def read(self, given: Mapping[str, Any], key: Callable[[], bytes]) -> Arguments:
        """Validate the arguments of a call. `key` is the run's, for digests of secrets.

        Raises InvalidArguments.
        """
        actual = self._validated(given)
        if _typed(self._validated(actual)) != _typed(actual):
            raise InvalidArguments(
                f"The arguments of {self.tool} can't be shown to people exactly as the tool would get them."
            )
        shown, secrets = json.loads(json.dumps(actual)), {}
        for name in self.secrets:
            found, value = _take(shown, name.split(SEPARATOR))
            if found:
                secrets[name] = _keyed_digest(key(), name, value)
        return Arguments(actual, shown, secrets)

    def with_secrets(self, shown: Mapping[str, JsonValue], of: Arguments) -> dict[str, JsonValue]:
        """Arguments that people decided on, with the secrets of the call that asked."""
        whole: dict[str, JsonValue] = json.loads(json.dumps(shown))
        for name in of.secrets:
            path = name.split(SEPARATOR)
            _, value = _take(json.loads(json.dumps(of.actual)), path)
            _put(whole, path, value)
        return whole

    def without_secrets(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments that may not be valid, for people to see."""
        shown: dict[str, Any] = json.loads(json.dumps(dict(given), default=str))
        for name in self.secrets:
            _take(shown, name.split(SEPARATOR))
        return shown

    def as_values(self, actual: Mapping[str, JsonValue]) -> dict[str, Any]:
        """The arguments as the tool's `_run` gets them, which CrewAI has validated."""
        if not self._fields or self.schema is None:
            return dict(actual)
        return dict(self.schema.model_validate(actual).model_dump())

    @property
    def _fields(self) -> bool:
        return self.schema is not None and bool(self.schema.model_fields)

    def _validated(self, given: Mapping[str, Any]) -> dict[str, JsonValue]:
        if self._fields and self.schema is not None:
            try:
                model = self.schema.model_validate(dict(given))
            except ValidationError as error:
                raise InvalidArguments(self._objections(error)) from None
            except Exception as error:  # authors' validators may raise anything
                raise InvalidArguments(
                    f"Tool '{self.tool}' arguments validation failed: {type(error).__name__}"
                ) from error
            given = _by_alias(model)
        return self._as_json(given)

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


def _by_alias(model: BaseModel) -> dict[str, Any]:
    """The model's values under the names that its validation wants again."""
    values = model.model_dump(by_alias=True)
    for name, field in type(model).model_fields.items():
        dumped = field.serialization_alias or field.alias or name
        wanted = field.validation_alias if isinstance(field.validation_alias, str) else field.alias or name
        if dumped != wanted and dumped in values:
            values[wanted] = values.pop(dumped)
    return values


def _revealed(value: Any) -> Any:
    """The value with the contents of secrets, which serialization would cover."""
    match value:
        case SecretStr() | SecretBytes():
            return value.get_secret_value()
        case dict():
            return {key: _revealed(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_revealed(each) for each in value]
    return value


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


def _take(within: Any, path: list[str]) -> tuple[bool, JsonValue]:
    """Remove what is at this place; whether it was there, and what it was."""
    for name in path[:-1]:
        within = within.get(name) if isinstance(within, dict) else None
    if not isinstance(within, dict) or path[-1] not in within:
        return False, None
    return True, within.pop(path[-1])


def _put(into: Any, path: list[str], value: JsonValue) -> None:
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value


# ── secrets in a schema ─────────────────────────────────────────────────────────────────────────────────


def _secrets_in(schema: Mapping[str, Any], whole: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """The properties that are secret, or have something secret in them that has no name of its own."""
    properties = schema.get("properties")
    for name, each in properties.items() if isinstance(properties, dict) else ():
        prop, place = _only(_resolved(each, whole), whole), f"{at}{name}"
        if _declares_secret(prop):
            yield place
        elif isinstance(prop.get("properties"), dict) and place.count(SEPARATOR) < _DEEPEST:
            yield from _secrets_in(prop, whole, f"{place}{SEPARATOR}")
        elif _mentions_secret(prop, whole):
            yield place


_DEEPEST = 5
"""Objects in objects whose properties are looked at one by one."""


def _declares_secret(prop: Mapping[str, Any]) -> bool:
    return prop.get("writeOnly") is True or prop.get("format") == "password"


def _mentions_secret(part: Any, whole: Mapping[str, Any], seen: Collection[str] = ()) -> bool:
    """Whether anything within this part of a schema is secret."""
    match part:
        case dict():
            reference = part.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                target = _resolved(part, whole)
                if _mentions_secret(target, whole, {*seen, reference}):
                    return True
            return _declares_secret(part) or any(
                _mentions_secret(each, whole, seen) for key, each in part.items() if key != "$ref"
            )
        case list():
            return any(_mentions_secret(each, whole, seen) for each in part)
    return False


def _only(prop: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a property is if it isn't null."""
    kinds = prop.get("anyOf") or prop.get("oneOf")
    others = [each for each in kinds if each != {"type": "null"}] if isinstance(kinds, list) else []
    return {**prop, **_resolved(others[0], whole)} if len(others) == 1 else prop


def _resolved(part: Any, whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a schema that a reference stands for."""
    if not isinstance(part, dict):
        return {}
    reference = part.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return part
    target: Any = whole
    for step in reference[2:].split("/"):
        target = target.get(step) if isinstance(target, dict) else None
    return {**target, **part} if isinstance(target, dict) else part


def _without_secret_values(part: Any) -> Any:
    """The schema, in which secrets have no defaults and examples."""
    match part:
        case dict():
            left_out = {"default", "examples", "const", "enum"} if _declares_secret(part) else set()
            return {key: _without_secret_values(each) for key, each in part.items() if key not in left_out}
        case list():
            return [_without_secret_values(each) for each in part]
    return part
