"""The errors that the client raises.

ClientError
├── ApiError       the server answered, and said why not
└── Unreachable    there was no answer
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from crewdeck.client.values import Outcome, Value


class ClientError(Exception):
    """What this client raises."""


class Unreachable(ClientError):  # noqa: N818 - as one says it
    """Nobody answers, or not any more."""


class FieldError(Value):
    """What is wrong with a field of a request."""

    field: str
    reason: str


class ApiError(ClientError):
    """The server said no. `code` is stable (docs/api.md); `detail` is a sentence for people."""

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.detail = detail
        self.errors = errors
        #: The whole answer: some codes say more.
        self.problem: Mapping[str, Any] = dict(problem or {})

    @property
    def outcome(self) -> Outcome | None:
        """With `settled`: what had been decided, and by whom."""
        found = self.problem.get("outcome")
        try:
            return Outcome.model_validate(found) if found is not None else None
        except ValidationError:
            return None

    @classmethod
    def of(cls, status: int, body: object) -> ApiError:
        """The error that an answer of this status is; `body` is its JSON, if it had any."""
        problem = body if isinstance(body, dict) else {}
        listed = problem.get("errors")
        errors = [each for each in listed if _is_field_error(each)] if isinstance(listed, list) else []
        return cls(
            str(problem.get("code") or f"http_{status}"),
            status,
            str(problem.get("detail") or f"The server answered with status {status}."),
            tuple(FieldError.model_validate(each) for each in errors),
            problem,
        )


def _is_field_error(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ("field", "reason"))
