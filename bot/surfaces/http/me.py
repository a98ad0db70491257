"""Who the caller is, as this server sees it."""

from __future__ import annotations

from aiohttp import web

from bot.core.access import Scope
from bot.surfaces.http.operations import Call, reply
from bot.surfaces.http.views import CallerView


async def me(call: Call[None, None]) -> web.Response:
    """The caller."""
    caller = call.caller
    return reply(
        CallerView(
            surface=caller.actor.surface,
            name=caller.actor.label,
            scopes=tuple(scope for scope in Scope if scope in caller.scopes),
            signed_in=caller.session is not None,
        )
    )
