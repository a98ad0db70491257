"""Generates `/openapi.json` from the table of operations and their models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.surfaces.http.operations import AnyOperation, ResponseSpec
from bot.surfaces.http.problems import CONTENT_TYPE, STATUS
from bot.surfaces.http.views import ProblemView

ALWAYS = (
    "unauthenticated",
    "missing_scope",
    "keys_required",
    "not_local",
    "forwarded",
    "wrong_host",
    "wrong_origin",
    "expectation_failed",
    "rate_limited",
    "store_unavailable",
    "unrecognised",
)
WITH_BODY = (
    "bad_request",
    "invalid_json",
    "invalid_request",
    "too_large",
    "unsupported_media_type",
    "request_timeout",
)
REF = "#/components/schemas/{model}"
PROBLEM = {"$ref": REF.format(model=ProblemView.__name__)}

SSE_EVENT = {
    "description": "One event of the stream; its data is the event's object.",
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "Come back with it as `Last-Event-ID`."},
        "event": {"type": "string"},
        "retry": {"type": "integer"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}


def document(operations: Iterable[AnyOperation], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document for these operations."""
    table = tuple(operations)
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for operation in table:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Crewdeck",
            "version": version,
            "description": "Start, follow and answer runs of crews.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": dict(paths),
        "components": {"schemas": _schemas(table), "securitySchemes": _SECURITY},
        "security": [{}, {"key": []}],
    }


_SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key; without keys, only this machine may call.",
    },
    "token": {"type": "apiKey", "in": "query", "name": "token", "description": "To open a WebSocket."},
}


def _operation(operation: AnyOperation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        **({} if operation.public else {"x-scope": operation.scope.value}),
        "parameters": [*_in_path(operation), *_in_query(operation), *_in_headers(operation)],
        "responses": {**_answers(operation), **_problems(operation)},
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": not operation.body_optional,
            "content": {"application/json": {"schema": _ref(operation.body)}},
        }
    if operation.takes_bytes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        described["requestBody"] = {"required": True, "content": {"application/octet-stream": binary}}
    if operation.public:
        described["security"] = []
    if operation.path.startswith("/ws/"):
        described["security"] = [{}, {"key": []}, {"token": []}]
    return described


def _in_path(operation: AnyOperation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]


def _in_query(operation: AnyOperation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema(ref_template=REF)
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in field.items() if key not in {"title", "description"}},
            **({"description": field["description"]} if "description" in field else {}),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _in_headers(operation: AnyOperation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": words}
        for name, words in operation.headers.items()
    ]


def _answers(operation: AnyOperation) -> dict[str, Any]:
    return {str(status): _answer(answer) for status, answer in operation.responses.items()}


def _answer(answer: ResponseSpec) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.model is not None:
        described["content"] = {answer.content_type: {"schema": _ref(answer.model)}}
    elif answer.content_type == "text/event-stream":
        described["content"] = {answer.content_type: {"schema": SSE_EVENT}}
    return described


def codes(operation: AnyOperation) -> tuple[str, ...]:
    """The problem codes that an operation can return."""
    found = [*(() if operation.public else ALWAYS), *operation.problems]
    if operation.tag == "streams":
        found.append("too_many_streams")
    if operation.may_have_body:
        found += WITH_BODY
    if not operation.public:
        found.append("invalid_request")
    if "{" in operation.path:
        found.append("not_found")
    return tuple(dict.fromkeys(found))


def _problems(operation: AnyOperation) -> dict[str, Any]:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes(operation):
        by_status[STATUS[code]].append(code)
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in found),
            "content": {CONTENT_TYPE: {"schema": PROBLEM}},
        }
        for status, found in sorted(by_status.items())
    }


def _schemas(table: Iterable[AnyOperation]) -> Mapping[str, Any]:
    """The schemas of all models: requests in validation mode, responses in serialization mode."""
    bodies = {operation.body for operation in table if operation.body is not None}
    answers = {a.model for operation in table for a in operation.responses.values() if a.model is not None}
    modes = [(model, "validation") for model in bodies] + [
        (model, "serialization") for model in answers | {ProblemView}
    ]
    _, schema = models_json_schema(sorted(modes, key=lambda each: each[0].__name__), ref_template=REF)  # type: ignore[arg-type]
    return dict(schema["$defs"])


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}
