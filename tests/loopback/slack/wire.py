"""The words every part of the loopback Slack uses about JSON bodies and refusals."""

from __future__ import annotations

from typing import Any, TypeAlias

#: JSON of a shape that is still to be found out.
Json: TypeAlias = Any

#: A JSON object as it crosses the wire.
Body = dict[str, Any]


class SlackError(Exception):
    """A Web API method refuses: `{"ok": false, "error": code, **details}`, with HTTP status 200."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details

    def body(self) -> Body:
        return {"ok": False, "error": self.code, **self.details}


def typed(text: str) -> str:
    """What Slack sends for words that a person typed: `&`, `<` and `>` escaped, mentions not resolved."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
