"""The app's installation in its workspace, learnt at start-up by auth.test: also the check of the token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from bot.surfaces.chat.connection import until_accepted
from bot.surfaces.chat.failures import Rejected

log = structlog.get_logger(__name__)


class AuthTester(Protocol):
    """Where we learn who we are."""

    async def auth_test(self) -> Mapping[str, Any]:
        """Raises RetryLater, Rejected."""


class SlackInstallation:
    """What is known of the installation; empty until `learn` has ended."""

    def __init__(self, auth_tester: AuthTester) -> None:
        self._auth_tester = auth_tester
        self.team = ""
        #: The organisation that the workspace is part of; empty if it is in none.
        self.enterprise = ""
        #: Installed for a whole organisation: `team` is then its id, too.
        self.org_wide = False
        self._learnt = asyncio.Event()
        self.team_name = ""
        self.user = ""
        self.bot = ""
        #: The workspace's address, for links to threads; ends in a slash.
        self.url = ""
        #: Why the token does not work; empty if it does, or isn't known yet.
        self.problem = "Slack has not answered yet"

    @property
    def known(self) -> bool:
        return bool(self.team)

    async def ready(self) -> None:
        """Return when `learn` has ended."""
        await self._learnt.wait()

    async def learn(self) -> None:
        """Return when Slack has taken the token, however long that takes."""
        if not self.known:
            self._learn_from(await until_accepted("Slack", self._auth_tester.auth_test, self._refused))

    def _refused(self, rejected: Rejected) -> None:
        self.problem = f"SLACK_BOT_TOKEN is refused by Slack: {rejected.code}"
        log.error("the bot token is refused", setting="SLACK_BOT_TOKEN", code=rejected.code)

    def _learn_from(self, answer: Mapping[str, Any]) -> None:
        self.enterprise = str(answer.get("enterprise_id") or "")
        self.org_wide = bool(answer.get("is_enterprise_install"))
        self.team = str(answer.get("team_id") or self.enterprise)
        self.team_name = str(answer.get("team", ""))
        self.user = str(answer.get("user_id", ""))
        self.bot = str(answer.get("bot_id", ""))
        self.url = str(answer.get("url", ""))
        self.problem = ""
        self._learnt.set()
        log.info("connected to Slack", workspace=self.team_name, team=self.team)
