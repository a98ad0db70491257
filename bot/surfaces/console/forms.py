"""What the forms of the sign-in pages send."""

from __future__ import annotations

from urllib.parse import parse_qs

from aiohttp import web

CONTENT_TYPE = "application/x-www-form-urlencoded"
MOST_BYTES = 4096
MOST_FIELDS = 10


async def read_field(request: web.Request, name: str) -> str | None:
    """The value of a form's field, without space around it; None: no page of ours sends such a form."""
    if request.content_type != CONTENT_TYPE or len(body := await request.read()) > MOST_BYTES:
        return None
    try:
        # The forms are in UTF-8, as their pages are.
        fields = parse_qs(
            body.decode("ascii"), strict_parsing=bool(body), max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:
        return None
    values = fields.get(name, [""])
    return values[0].strip() if len(values) == 1 else None
