"""The descriptions of operations, from which routes and `/openapi.json` are generated."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import isfinite
from typing import Any, Generic, TypeVar, cast

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from bot.core.people.api_keys import Scope
from bot.core.text import valid_json
from bot.surfaces.http.bodies import NoParameters
from bot.surfaces.http.callers import CALLER, NOBODY, Caller
from bot.surfaces.http.problems import Problem, invalid

B = TypeVar("B")
Q = TypeVar("Q")
M = TypeVar("M")

UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
"""The pattern of ids in paths. It is strict, so that `/{run_id}/...` doesn't match other routes."""
MAX_BODY_BYTES = 1024 * 1024
MAX_KEY_LENGTH = 255
MAX_SHOWN = 20
"""Characters of a wrong number that are shown."""
IDEMPOTENCY_KEY_TTL_S = 24 * 3600.0
"""How long an `Idempotency-Key` is remembered."""


@dataclass(frozen=True)
class RequestContext(Generic[B, Q]):
    """The context of a request: its caller and its validated body and query."""

    request: web.Request
    caller: Caller
    body: B
    query: Q

    def id(self, name: str) -> str:
        """An id from the path, normalised."""
        return self.request.match_info[name].lower()

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key`; None if there is none. Raises Problem."""
        key = self.request.headers.get("Idempotency-Key")
        return None if key is None else _checked_key(key)


def _checked_key(key: str) -> str:
    if 0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable():
        return key
    raise Problem(
        "invalid_idempotency_key", f"An Idempotency-Key is 1 to {MAX_KEY_LENGTH} printable ASCII characters."
    )


@dataclass(frozen=True)
class ResponseSpec:
    """A possible response of an operation."""

    description: str
    model: type[BaseModel] | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation(Generic[B, Q]):
    """The method, path, models and documentation of an operation."""

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[RequestContext[B, Q]], Awaitable[web.StreamResponse]]
    responses: Mapping[int, ResponseSpec]
    body: type[B] | None = None
    #: The body is a file's bytes, which the handler reads.
    takes_bytes: bool = False
    #: Requests without a body are accepted, as always where there is nothing to say in one.
    body_optional: bool = False
    query: type[Q] | None = None
    scope: Scope = Scope.READ
    #: No authentication is needed.
    public: bool = False
    #: Problem codes in addition to the common ones.
    problems: tuple[str, ...] = ()
    #: Request headers that the operation reads, with their descriptions.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The response has no end, so that there is nothing to answer HEAD with.
    endless: bool = False
    tag: str = "runs"

    def __post_init__(self) -> None:
        if self.body is None:
            object.__setattr__(self, "body_optional", True)

    @property
    def may_have_body(self) -> bool:
        """Whether a body is read: one of an operation that takes none may only be an empty object."""
        return self.body is not None or not (self.takes_bytes or self.public or self.method == "GET")

    def route(self) -> web.RouteDef:
        path = self.path
        for name in ("run_id", "execution_id", "question_id", "file_id"):
            path = path.replace(f"{{{name}}}", f"{{{name}:{UUID_PATTERN}}}")
        return web.RouteDef(self.method, path, self.serve, {"allow_head": False} if self.endless else {})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Authorise, validate and handle a request. Raises Problem and errors of the core."""
        # Nothing is kept here: the handler of a stream may run for days.
        return await self.handler(await self._read(request))

    async def _read(self, request: web.Request) -> RequestContext[B, Q]:
        caller = NOBODY if self.public else request[CALLER]
        if not self.public:
            caller.require(self.scope)
        query = self._read_query(request)
        return RequestContext(request, caller, await self._read_body(request), query)

    def _read_query(self, request: web.Request) -> Q:
        if self.public or (self.query is None and not request.query_string):
            return cast("Q", None)
        given = dict(request.query)
        if len(given) < len(request.query):
            twice = sorted({name for name in given if len(request.query.getall(name)) > 1})
            raise Problem(
                "invalid_request",
                f"{', '.join(twice)}: give it once",
                errors=[(name, "Give it once") for name in twice],
            )
        if request.path.startswith("/ws/"):
            given.pop("token", None)
        return _validated(self.query or cast("type[Q]", NoParameters), given)

    async def _read_body(self, request: web.Request) -> B:
        if not self.may_have_body or (self.body_optional and not await request.read()):
            return cast("B", None)
        if request.content_type != "application/json":
            raise Problem(
                "unsupported_media_type", "Send a JSON object, with Content-Type: application/json."
            )
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Problem("unsupported_media_type", "Send the body as it is: without a Content-Encoding.")
        raw = await request.read()
        if len(raw) > MAX_BODY_BYTES:
            raise Problem("too_large", f"The body may have {MAX_BODY_BYTES} bytes at most.")
        return _validated(self.body or cast("type[B]", NoParameters), read_json(raw))


AnyOperation = Operation[Any, Any]


def read_json(raw: bytes | str) -> object:
    """Parse strict JSON: finite numbers, no name twice, limited depth; unpaired surrogates replaced.

    Raises Problem.
    """
    try:
        try:
            read = from_json(raw, allow_inf_nan=False)
            # Finds names that come twice, and numbers that are too large.
            json.loads(raw, parse_float=_finite, object_pairs_hook=_object)
        except ValueError as error:
            if "hex escape" not in str(error):
                raise
            # The strict parser refuses unpaired surrogates; the one of the standard library accepts them.
            return valid_json(
                json.loads(raw, parse_float=_finite, parse_constant=_no_number, object_pairs_hook=_object)
            )
    except (ValueError, RecursionError) as error:
        raise Problem("invalid_json", f"This is not JSON: {error}.") from error
    return read


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose names come once: readers disagree about which one of two values counts."""
    read: dict[str, object] = {}
    for name, value in pairs:
        if name in read:
            raise ValueError(f"{name!r} comes twice in an object")
        read[name] = value
    return read


def _finite(word: str) -> float:
    number = float(word)
    if not isfinite(number):
        raise ValueError(f"{word[:MAX_SHOWN]} is too large")
    return number


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


@cache  # making one takes longer than using it
def _adapter(model: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _validated(model: type[M], given: object) -> M:
    try:
        return cast("M", _adapter(cast("Hashable", model)).validate_python(given))
    except ValidationError as error:
        raise invalid(error) from error


def reply(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response with this model as its body."""
    body = model.model_dump_json().encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
