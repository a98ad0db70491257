"""What the API can do, as a table: the one source for routing and for `/openapi.json`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from bot.core.access import Scope
from bot.core.event import encode
from bot.core.text import valid_json
from bot.surfaces.http.auth import CALLER, NOBODY, Caller
from bot.surfaces.http.problems import Problem, invalid

B = TypeVar("B")
Q = TypeVar("Q")
M = TypeVar("M")

UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
"""Ids in paths. Nothing else matches, so that `/{run_id}/...` hides no other route."""
MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class RequestContext(Generic[B, Q]):
    """One call of an operation: who calls, and what they sent, validated."""

    request: web.Request
    caller: Caller
    body: B
    query: Q

    def id(self, name: str) -> str:
        """An id in the path, as ids are written."""
        return self.request.match_info[name].lower()


@dataclass(frozen=True)
class ResponseSpec:
    """A way in which an operation can answer."""

    description: str
    model: type[BaseModel] | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation(Generic[B, Q]):
    """A method and a path, and all that is to be known about them."""

    method: str
    path: str
    name: str
    summary: str
    handler: Callable[[RequestContext[B, Q]], Awaitable[web.StreamResponse]]
    responses: Mapping[int, ResponseSpec]
    body: type[B] | None = None
    #: A request without a body will do.
    body_optional: bool = False
    query: type[Q] | None = None
    scope: Scope = Scope.READ
    #: Everybody may call it: who calls is not asked.
    public: bool = False
    #: Codes of problems beside those that every operation can have.
    problems: tuple[str, ...] = ()
    #: Request headers that it reads, with what they mean.
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = "runs"

    def route(self) -> web.RouteDef:
        path = self.path
        for name in ("run_id", "execution_id", "question_id"):
            path = path.replace(f"{{{name}}}", f"{{{name}:{UUID_PATTERN}}}")
        return web.RouteDef(self.method, path, self.serve, {})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Check and validate, then do it. Raises Problem and the errors of the core."""
        caller = NOBODY if self.public else request[CALLER]
        if not self.public:
            caller.require(self.scope)
        query = self._read_query(request)
        body = await self._read_body(request)
        return await self.handler(RequestContext(request, caller, body, query))

    def _read_query(self, request: web.Request) -> Q:
        if self.query is None:
            return cast("Q", None)
        given = dict(request.query)
        if request.path.startswith("/ws/"):
            given.pop("token", None)
        return _validated(self.query, given)

    async def _read_body(self, request: web.Request) -> B:
        if self.body is None or (self.body_optional and not await request.read()):
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
        return _validated(self.body, read_json(raw))


def read_json(raw: bytes | str) -> object:
    """Strict JSON: no NaN, not nested endlessly. Halves of surrogate pairs are replaced. Raises Problem."""
    try:
        try:
            return from_json(raw, allow_inf_nan=False)
        except ValueError as error:
            if "hex escape" not in str(error):
                raise
            # The strict parser takes no half of a pair; that of the standard library does.
            return valid_json(json.loads(raw, parse_constant=_no_number))
    except (ValueError, RecursionError) as error:
        raise Problem("invalid_json", f"This is not JSON: {error}.") from error


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number in JSON")


def _validated(model: type[M], given: object) -> M:
    try:
        return TypeAdapter(model).validate_python(given)
    except ValidationError as error:
        raise invalid(error) from error


def reply(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A model as the answer."""
    body = encode(model.model_dump(mode="json"))
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
