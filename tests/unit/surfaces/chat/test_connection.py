"""A workspace is paused for as long as the platform refuses the app's credentials, and no longer."""

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from bot.core.errors import StoreUnavailable
from bot.core.ports.store import Runs
from bot.surfaces.chat.connection import REFUSED_RETRY_DELAY_S, keep_resumed
from bot.surfaces.chat.failures import CredentialsRefused, RetryLater
from tests.virtual_time import in_virtual_time

REMOVED = "The app was removed."


@dataclass
class Workspace:
    """Its runs, as far as they are paused, and a platform that takes the credentials or doesn't."""

    reason: str | None = REMOVED
    failure: Exception | None = None
    attempts: int = 0

    async def pause_reason(self, tenant: str) -> str | None:
        assert tenant == "T1"
        return self.reason

    async def pause_tenant(self, tenant: str, reason: str | None) -> None:
        assert tenant == "T1"
        self.reason = reason

    async def attempt(self) -> None:
        self.attempts += 1
        if self.failure is not None:
            raise self.failure


async def kept(workspace: Workspace, seconds: float) -> None:
    keeping = keep_resumed(cast("Runs", workspace), "T1", workspace.attempt, (REMOVED,))
    try:
        async with asyncio.timeout(seconds):
            await keeping
    except TimeoutError:
        return


@in_virtual_time
async def test_what_was_told_late_of_former_credentials_pauses_nothing_for_ever() -> None:
    workspace = Workspace()
    await kept(workspace, REFUSED_RETRY_DELAY_S + 1)
    assert workspace.reason is None
    workspace.reason = REMOVED  # Told again.
    await kept(workspace, REFUSED_RETRY_DELAY_S + 1)
    assert workspace.reason is None


@in_virtual_time
@pytest.mark.parametrize(
    "failure", [CredentialsRefused("token_revoked"), RetryLater(1), StoreUnavailable("away")]
)
async def test_without_credentials_that_are_accepted_it_stays_paused(failure: Exception) -> None:
    workspace = Workspace(failure=failure)
    await kept(workspace, 3 * REFUSED_RETRY_DELAY_S + 1)
    assert (workspace.reason, workspace.attempts) == (REMOVED, 3)
    workspace.failure = None
    await kept(workspace, REFUSED_RETRY_DELAY_S + 1)
    assert workspace.reason is None


@in_virtual_time
@pytest.mark.parametrize("reason", [None, "Slack refuses the app's token (account_inactive)"])
async def test_what_is_paused_for_another_reason_or_not_at_all_is_left_alone(reason: str | None) -> None:
    workspace = Workspace(reason)
    await kept(workspace, 3 * REFUSED_RETRY_DELAY_S)
    assert (workspace.reason, workspace.attempts) == (reason, 0)
