"""The composition of the console, which `bot/app.py` opens like each surface: files, sign-in and sessions."""

from __future__ import annotations

from aiohttp import web

from bot.core.ports.directory import MembershipLookup
from bot.core.ports.store import Store
from bot.settings import Settings
from bot.surfaces.console.authenticator import ConsoleAuthenticator, Cookies
from bot.surfaces.console.files import Files
from bot.surfaces.console.signin import LOCAL_PATH, SignIn, SignInLinks
from bot.surfaces.trust import FailedKeyAttempts, LocalTrust


class Console:
    """The page at `/`, and the paths below `/console/`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        trust: LocalTrust,
        wrong_keys: FailedKeyAttempts,
        current_membership: MembershipLookup | None,
    ) -> None:
        public = settings.public_url
        cookies = Cookies(secure=public.startswith("https://"))
        self.authenticator = ConsoleAuthenticator(store.key_values, current_membership)
        self._files = Files.shipped()
        self._sign_in = SignIn(
            store, settings.api_keys, cookies, trust=trust, wrong_keys=wrong_keys, public_url=public
        )
        self._links = SignInLinks(store.key_values, cookies, public)

    def routes(self) -> list[web.RouteDef]:
        return [*self._files.routes(), *self._sign_in.routes(), *self._links.routes()]


def console_url(settings: Settings, here: str) -> str:
    """The console's address for people; `here` is its address on this machine."""
    return settings.public_url.rstrip("/") or here


def local_url(here: str, trust: LocalTrust) -> str:
    """The console's address for the local user, with their token where it is required."""
    return f"{here}{LOCAL_PATH}#{trust.token}" if trust.token else f"{here}/"
