"""Tool calls that wait for an approval: what is shown of them, what may be edited, and what is approved."""

from __future__ import annotations

import hashlib
import json
import math
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence

from pydantic import Field, JsonValue

from bot.core.json_text import MAX_DEPTH, too_deep, value_text
from bot.core.people.policy import Policy
from bot.core.text import ValidJson, ValidText
from bot.core.value import Strict


class ToolCall(Strict):
    """A tool call that waits for an approval. Secret arguments are described, never contained."""

    tool: str
    #: What the call does, in the author's words: `Pay {amount} to {recipient}`. May be empty; see `summary`.
    title: ValidText = ""
    #: In whose name it is made, as people read it: "as the app".
    on_behalf: ValidText = ""
    #: The validated arguments as they stand now, in the order of the tool's schema.
    arguments: dict[str, ValidJson]
    #: The arguments before anybody edited them.
    proposed: dict[str, ValidJson]
    #: The arguments that an approval may change.
    editable: tuple[str, ...] = ()
    #: Secret arguments: name -> a keyed digest of the value, which reveals nothing about it.
    secrets: dict[str, str] = Field(default_factory=dict)
    #: The JSON Schema of the tool's arguments.
    parameters: dict[str, ValidJson] = Field(default_factory=dict)

    def is_text(self, name: str) -> bool:
        """Whether an argument can only be a text, or nothing."""
        return takes_text_only(self.parameters, name)

    @property
    def text_only(self) -> tuple[str, ...]:
        """The arguments that can only be texts, or nothing."""
        return tuple(filter(self.is_text, self.arguments))

    @property
    def summary(self) -> str:
        """The title with the arguments as they stand now. A secret or an unknown name stays as it is.

        A text is quoted as in the list of the arguments, so that it is taken for no other value.
        """
        return _PLACEHOLDER.sub(self._filled_in, self.title)

    def _filled_in(self, placeholder: re.Match[str]) -> str:
        name = placeholder[1]
        if name not in self.arguments:
            return placeholder[0]
        value = self.arguments[name]
        if isinstance(value, float):
            return _as_written(value)
        if isinstance(value, str):
            return value_text(value, text_only=self.is_text(name))
        return json.dumps(value, ensure_ascii=False)

    def edited(self, changes: Mapping[str, JsonValue]) -> ToolCall:
        """The call with changed arguments. Check them with `edit_errors` before."""
        made = {name: _as_declared(self.parameters, name, value) for name, value in changes.items()}
        return self.model_copy(update={"arguments": {**self.arguments, **made}})


SEPARATOR = "."
"""Between the names of a secret inside of an object: `account.token`."""
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def edit_errors(call: ToolCall, changes: Mapping[str, JsonValue]) -> dict[str, str]:
    """What is wrong with these changes, by argument: all or some of the call's arguments.

    Values of other types and beyond the bounds that the tool's parameters have are refused here already; the
    worker validates them completely before the call.
    """
    errors: dict[str, str] = {}
    for name, value in changes.items():
        if name not in call.arguments:
            errors[name] = (
                "is no argument of this call"
                if name not in call.secrets
                else "is secret, so it can't be edited"
            )
        elif name not in call.editable:
            if not _same(value, call.proposed[name]):
                errors[name] = "can't be edited"
        elif too_deep(value, MAX_DEPTH - 1):
            errors[name] = f"is nested more than {MAX_DEPTH} levels deep"
        elif _gives_secret(call, name, value):
            errors[name] = "has a secret in it, which can't be edited: leave it out, and it stays as it is"
        elif wrong := _type_error(call.parameters, name, value):
            errors[name] = wrong
    return errors


def _gives_secret(call: ToolCall, name: str, value: JsonValue) -> bool:
    """Whether a value has something where the call has a secret, or where its parameters declare one."""
    paths = (each.split(SEPARATOR) for each in call.secrets)
    if any(path[0] == name and _is_at(path[1:], value) for path in paths):
        return True
    properties = call.parameters.get("properties")
    schema = properties.get(name) if isinstance(properties, dict) else None
    return _is_declared_secret(schema, value, call.parameters, 2 * _MAX_DEPTH)


def _is_at(path: Sequence[str], value: JsonValue) -> bool:
    """Whether there is something at this place."""
    for each in path:
        if not isinstance(value, dict) or each not in value:
            return False
        value = value[each]
    return True


def _is_declared_secret(
    schema: JsonValue, value: JsonValue, whole: Mapping[str, JsonValue], deepest: int
) -> bool:
    """Whether the value has something of which the schema says that nobody may read it."""
    if not isinstance(schema, dict) or not deepest:
        return False
    if schema.get("writeOnly") is True or schema.get("format") == "password":
        return True
    parts: list[tuple[JsonValue, JsonValue]] = [(_referred(schema, whole), value)]
    for kinds in (schema.get("anyOf"), schema.get("oneOf"), schema.get("allOf")):
        parts += [(each, value) for each in kinds] if isinstance(kinds, list) else []
    properties = schema.get("properties")
    if isinstance(value, dict) and isinstance(properties, dict):
        parts += [(properties.get(key), each) for key, each in value.items()]
    if isinstance(value, dict):
        parts += [(schema.get("additionalProperties"), each) for each in value.values()]
    if isinstance(value, list):
        parts += [(schema.get("items"), each) for each in value]
    return any(_is_declared_secret(each, held, whole, deepest - 1) for each, held in parts)


def _referred(schema: Mapping[str, JsonValue], whole: Mapping[str, JsonValue]) -> JsonValue:
    """The definition that the schema refers to; None if it doesn't refer to one."""
    reference, definitions = schema.get("$ref"), whole.get("$defs")
    if not isinstance(reference, str) or not isinstance(definitions, dict):
        return None
    return definitions.get(reference.removeprefix("#/$defs/"))


def call_digest(call: ToolCall, policy: Policy) -> str:
    """SHA-256 of what an approval of a call covers: tool, parameters, arguments, secrets and the policy.

    Computed again right before the call, from the arguments that it will have.
    """
    covered = call.model_dump(mode="json", include={"tool", "parameters", "arguments", "secrets"})
    return sha256_of(covered | {"policy": policy.model_dump(mode="json")})


def sha256_of(value: object) -> str:
    """The digest of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _same(one: object, other: object) -> bool:
    """Whether two JSON values are the same, types included: `1` is neither `1.0` nor `true`."""
    return sha256_of(one) == sha256_of(other)


_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "string": ("text", (str,)),
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("true or false", (bool,)),
    "array": ("a list", (list,)),
    "object": ("an object", (dict,)),
    "null": ("nothing", (type(None),)),
}


def _type_error(parameters: Mapping[str, JsonValue], name: str, value: JsonValue) -> str:
    schema = _schema_of(parameters, name)
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(_same(value, each) for each in choices):
        return f"must be one of {', '.join(value_text(each) for each in choices)}"
    named = schema.get("type")
    types = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    known = [_TYPES[each] for each in types if isinstance(each, str) and each in _TYPES]
    if known and not any(_is_a(value, accepted) for _, accepted in known):
        return f"must be {' or '.join(words for words, _ in known)}"
    return _bound_error(schema, value)


def _schema_of(parameters: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    """What the parameters say of one argument; nothing where they don't."""
    properties = parameters.get("properties")
    schema = properties.get(name) if isinstance(properties, dict) else None
    return _with_null(schema) if isinstance(schema, dict) else {}


def _with_null(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A schema that allows null besides one plain type, as that type with null: `float | None`."""
    kinds = schema.get("anyOf")
    if not isinstance(kinds, list) or {"type": "null"} not in kinds:
        return schema
    others = [each for each in kinds if each != {"type": "null"}]
    only = others[0] if len(others) == 1 else None
    if not isinstance(only, dict) or not isinstance(only.get("type"), str) or "enum" in only:
        return schema
    return {**schema, **only, "type": [only["type"], "null"]}


def takes_text_only(parameters: Mapping[str, JsonValue], name: str) -> bool:
    """Whether the parameters say that an argument is a text, or nothing. Unsure means no."""
    properties = parameters.get("properties")
    return isinstance(properties, dict) and _is_text_schema(properties.get(name), parameters, _MAX_DEPTH)


_MAX_DEPTH = 8
"""References and unions within each other that are followed."""


def _is_text_schema(schema: JsonValue, whole: Mapping[str, JsonValue], deepest: int) -> bool:
    if not isinstance(schema, dict) or not deepest:
        return False
    if "$ref" in schema:
        return _is_text_schema(_referred(schema, whole), whole, deepest - 1)
    if isinstance(kinds := schema.get("anyOf"), list):
        return all(_is_text_schema(each, whole, deepest - 1) for each in kinds)
    if isinstance(choices := schema.get("enum"), list):
        return all(each is None or isinstance(each, str) for each in choices)
    named = schema.get("type")
    kinds = named if isinstance(named, list) else [named]
    return all(each in ("string", "null") for each in kinds)


_BOUNDS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("at least", operator.ge),
    "maximum": ("at most", operator.le),
    "exclusiveMinimum": ("more than", operator.gt),
    "exclusiveMaximum": ("less than", operator.lt),
}


def _bound_error(schema: Mapping[str, JsonValue], value: JsonValue) -> str:
    """The first bound that a number, or the length of a text, isn't within."""
    if isinstance(value, str):
        length = {"minimum": schema.get("minLength"), "maximum": schema.get("maxLength")}
        return _beyond(length, len(value), " characters long")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _beyond(schema, value, "")
    return ""


def _beyond(bounds: Mapping[str, JsonValue], number: float, unit: str) -> str:
    for key, (words, within) in _BOUNDS.items():
        bound = bounds.get(key)
        if isinstance(bound, int | float) and not isinstance(bound, bool) and not within(number, bound):
            return f"must be {words} {_as_written(bound)}{unit}"
    return ""


def _as_written(number: float) -> str:
    """A number with all of its digits, as people write it: 1200 for 1200.0. -0.0 is not written as 0."""
    whole = int(number)
    negative_zero = whole == number == 0 and math.copysign(1, number) < 0
    return json.dumps(whole if whole == number and not negative_zero else number)


def _as_declared(parameters: Mapping[str, JsonValue], name: str, value: JsonValue) -> JsonValue:
    """The value as the tool will read it: to JSON `900` is a number like `900.0`, to digests it isn't."""
    kind = _schema_of(parameters, name).get("type")
    if "number" not in (kind if isinstance(kind, list) else [kind]) or isinstance(value, bool):
        return value
    if not isinstance(value, int) or abs(value) > sys.float_info.max:
        return value
    return float(value) if float(value) == value else value


def _is_a(value: JsonValue, accepted: tuple[type, ...]) -> bool:
    return isinstance(value, accepted) and (not isinstance(value, bool) or bool in accepted)
