"""Errors as responses: `application/problem+json` (RFC 9457) with a stable `code`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from bot.core.errors import CrewdeckError, InvalidInputs, NotFound, NoWorker, Refused, StoreUnavailable
from bot.core.events.event import encode
from bot.core.ports.directory import CODE_TTL_S

CONTENT_TYPE = "application/problem+json"

STATUS: Mapping[str, int] = {
    "bad_request": 400,
    "invalid_json": 400,
    "invalid_idempotency_key": 400,
    "unauthenticated": 401,
    "missing_scope": 403,
    "keys_required": 403,
    "not_local": 403,
    "forwarded": 403,
    "wrong_host": 403,
    "wrong_origin": 403,
    "not_allowed": 403,
    "not_admitted": 403,
    "not_linkable": 403,
    "webhook_urls_off": 403,
    "not_found": 404,
    "unknown_crew": 404,
    "unknown_run": 404,
    "unknown_question": 404,
    "unknown_file": 404,
    "unknown_identity": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "settled": 409,
    "stale": 409,
    "run_over": 409,
    "run_live": 409,
    "run_completed": 409,
    "never_began": 409,
    "journal_expired": 409,
    "no_open_question": 409,
    "several_open_questions": 409,
    "idempotency_conflict": 409,
    "same_surface": 409,
    "already_linked": 409,
    "run_deleted": 410,
    "too_large": 413,
    "file_too_large": 413,
    "unsupported_media_type": 415,
    "expectation_failed": 417,
    "invalid_request": 422,
    "invalid_inputs": 422,
    "invalid_answer": 422,
    "invalid_code": 422,
    "rate_limited": 429,
    "too_many_attempts": 429,
    "too_many_streams": 429,
    "internal_error": 500,
    "journal_sealed": 500,
    "unreadable_record": 500,
    "no_worker": 503,
    "store_unavailable": 503,
    "unrecognised": 503,
}
"""All problem codes with their status. They are documented and must not change."""

RETRY_SOON_S = 2
RETRY_AFTER_S: Mapping[str, int] = {"too_many_attempts": CODE_TTL_S}
"""When to come back, where it takes longer than that."""
LATER = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
"""These say when to come back."""


class Problem(Exception):  # noqa: N818 - the term of RFC 9457
    """An error response. Handlers raise it."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = STATUS.get(code, 400)
        soon = {"Retry-After": str(RETRY_AFTER_S.get(code, RETRY_SOON_S))} if self.status in LATER else {}
        self.headers = {**soon, **(headers or {})}
        self.members = {
            **({"errors": [{"field": f, "reason": r} for f, r in errors]} if errors else {}),
            **members,
        }

    def body(self) -> dict[str, Any]:
        return {
            "type": f"/docs#{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": str(self),
            **self.members,
        }

    def response(self) -> web.Response:
        return web.Response(
            status=self.status, body=encode(self.body()), content_type=CONTENT_TYPE, headers=self.headers
        )


def of(error: Exception) -> Problem | None:
    """The problem for an error of ours or of aiohttp; None for unexpected errors."""
    match error:
        case Problem():
            return error
        case StoreUnavailable() | NoWorker():
            away = "The store is away for the moment. Try again."
            detail = str(error) if isinstance(error, NoWorker) else away
            return Problem(error.code, detail)
        case InvalidInputs():
            fields = [(f"inputs.{name}", why) for name, why in error.problems.items()]
            return Problem(error.code, str(error), errors=fields)
        case NotFound() | Refused() | CrewdeckError():
            return Problem(error.code, str(error))
        case web.HTTPException() if error.status >= HTTPStatus.BAD_REQUEST:
            return _of_http(error)
    return None


def invalid(error: ValidationError) -> Problem:
    """The problem of an invalid request, with an error per field. Values are not included."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    fields = [(".".join(map(str, each["loc"])), _reason(each["type"], each["msg"])) for each in found]
    detail = "; ".join(f"{field}: {why}" if field else why for field, why in fields)
    return Problem("invalid_request", detail, errors=fields)


_OBJECTS = {"model_type", "dict_type"}
"""What pydantic says of these names our classes, and Python's."""


def _reason(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "There is no such field"
    if kind in _OBJECTS:
        return "Input should be a JSON object"
    return message.removeprefix("Value error, ")


_CODES = {404: "not_found", 405: "method_not_allowed", 408: "request_timeout", 413: "too_large"}
_SENTENCES = {
    400: "This is not HTTP as it should be: it is malformed or too long, the body broke off, "
    "or it does not open a WebSocket.",
    404: "There is nothing at this address.",
    405: "This address doesn't take this method.",
    408: "The body did not arrive in time.",
    413: "The body may have 1048576 bytes at most.",
    417: "Of `Expect`, only 100-continue is understood.",
}


def _of_http(error: web.HTTPException) -> Problem:
    kept = {name: value for name, value in error.headers.items() if name in {"Allow", "Retry-After"}}
    return of_status(error.status, kept)


def of_status(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem of an HTTP status, of 400 or more."""
    phrase = HTTPStatus(status).phrase
    code = _CODES.get(status, phrase.lower().replace(" ", "_"))
    problem = Problem(code, _SENTENCES.get(status, f"{phrase}."), headers=headers)
    problem.status = status
    return problem
