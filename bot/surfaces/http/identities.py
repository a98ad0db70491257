"""The caller's identities on all surfaces: list, link by a code, unlink."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from pydantic import Field

from bot.core import unlinking
from bot.core.errors import NotFound
from bot.core.people.actor import Actor, actor_named
from bot.core.ports.directory import CODE_TTL_S
from bot.core.ports.store import Store
from bot.core.sessions import account_of
from bot.surfaces.http.bodies import LinkBody, UnlinkQuery
from bot.surfaces.http.operations import RequestContext, reply
from bot.surfaces.http.views import View


class IdentityView(View):
    """An identity: an account on a surface, or an API key."""

    id: str
    surface: str
    name: str
    current: bool = Field(description="The caller uses it now.")

    @classmethod
    def of(cls, identity: Actor, caller: Actor) -> IdentityView:
        account = actor_named(account_of(identity), identity.label)
        return cls(
            id=account.principal,
            surface=account.surface,
            name=account.label,
            current=account.principal in caller.authenticated,
        )


class IdentitiesView(View):
    """The caller's identities, which count as one person in every policy."""

    identities: tuple[IdentityView, ...]

    @classmethod
    def of(cls, found: Sequence[Actor], caller: Actor) -> IdentitiesView:
        return cls(identities=tuple(IdentityView.of(each, caller) for each in found))


class CodeView(View):
    """A code that links another identity with the caller, once."""

    code: str
    expires_in: int = Field(description="Seconds.")


class IdentityRoutes:
    """The handlers of identities."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._directory = store.directory

    async def identities(self, context: RequestContext[None, None]) -> web.Response:
        actor = context.caller.actor
        return reply(IdentitiesView.of(await self._directory.identities(actor), actor))

    async def new_code(self, context: RequestContext[None, None]) -> web.Response:
        code = await self._directory.new_code(context.caller.actor)
        return reply(CodeView(code=code, expires_in=CODE_TTL_S))

    async def code_owner(self, context: RequestContext[LinkBody, None]) -> web.Response:
        actor = context.caller.actor
        return reply(
            IdentityView.of(await self._directory.code_owner(context.body.code.strip(), actor), actor)
        )

    async def link(self, context: RequestContext[LinkBody, None]) -> web.Response:
        actor = context.caller.actor
        return reply(IdentitiesView.of(await self._directory.redeem(context.body.code.strip(), actor), actor))

    async def unlink(self, context: RequestContext[None, UnlinkQuery]) -> web.Response:
        actor, identity = context.caller.actor, context.query.identity
        if not await unlinking.unlink(self._store, actor, identity):
            raise NotFound("identity", identity)
        return reply(IdentitiesView.of(await self._directory.identities(actor), actor))
