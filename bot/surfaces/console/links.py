"""Single-use sign-in links, which are created where people are known already, as in Slack."""

from __future__ import annotations

from aiohttp import web

from bot.core import sessions
from bot.core.access import Scope
from bot.core.ports import Memory
from bot.surfaces.console import pages
from bot.surfaces.console.authenticator import Cookies
from bot.surfaces.console.files import HOME
from bot.surfaces.trust import is_own_origin

ADDRESS = sessions.LINK_PATH + "{token:[A-Za-z0-9_-]{20,100}}"
SCOPES = (Scope.READ, Scope.START, Scope.ANSWER)
"""The scopes of a session by link. The policies of runs and crews apply in addition."""


class Links:
    """GET shows a confirmation page; POST uses the link."""

    def __init__(self, memory: Memory, cookies: Cookies, public_url: str) -> None:
        self._memory = memory
        self._cookies = cookies
        self._public_url = public_url

    def routes(self) -> list[web.RouteDef]:
        return [web.get(ADDRESS, self.show), web.post(ADDRESS, self.use)]

    async def show(self, request: web.Request) -> web.Response:
        if await sessions.link_works(self._memory, request.match_info["token"]):
            return pages.confirm(request.path)
        return pages.stale()

    async def use(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return pages.confirm(request.path)
        person = await sessions.use_link(self._memory, request.match_info["token"])
        if person is None:
            return pages.stale()
        actor = sessions.person_at_console(person)
        token = await sessions.open_session(self._memory, actor, SCOPES)
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.give(request, response, token)
        return response
