"""What it means for people when the app is added to a conversation, or removed from it."""

from __future__ import annotations

from bot.core.lists import RunFilter
from bot.core.ports import Runs
from bot.core.run import Run
from bot.surfaces.chat.inbound.interactions import SILENT, Reply, ReplyTarget
from bot.surfaces.chat.inbound.ports import PrivateMessenger
from bot.surfaces.chat.places import group
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.wording import private_messages
from bot.surfaces.teams import SURFACE
from bot.surfaces.teams.conversations import is_personal
from bot.surfaces.teams.inbound.payloads import Activity

ADDED, REMOVED = "add", "remove"
MAX_RUNS = 100


class Installation:
    """Welcomes people, and tells requesters that their runs have lost their conversation."""

    def __init__(self, platform: Capabilities, runs: Runs, messenger: PrivateMessenger) -> None:
        self._platform = platform
        self._runs = runs
        self._messenger = messenger

    async def updated(self, activity: Activity) -> Reply:
        """`installationUpdate`. An upgrade of the app is neither. Raises StoreUnavailable."""
        channel = activity.where.channel
        if activity.action == ADDED and is_personal(channel):
            return Reply(say=private_messages.usage())
        if activity.action != REMOVED:
            return SILENT
        here = RunFilter(group=group(SURFACE, activity.tenant, channel), active=True, limit=MAX_RUNS)
        runs = await self._runs.list(here)
        return Reply(then=lambda: self._tell(activity.tenant, runs)) if runs else SILENT

    async def _tell(self, tenant: str, runs: list[Run]) -> None:
        """Each requester, of all of their runs. Where that can't be done it is logged, and the runs go on."""
        for requester in dict.fromkeys(run.requester for run in runs if run.requester.surface == SURFACE):
            theirs = [run for run in runs if run.requester == requester]
            to = ReplyTarget(tenant, requester.user_id)
            await self._messenger.tell(to, private_messages.app_removed(theirs, self._platform))
