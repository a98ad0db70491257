"""What Slack grants, by method."""

from __future__ import annotations

from collections.abc import Mapping

from bot.surfaces.chat.rate_limiter import Rate

POSTS = Rate(per_second=1.0, burst=4, by_channel=True)
"""Slack: about one message a second and channel, with short bursts."""
HOME_TABS = Rate(per_second=1.4, burst=15, reserved=5)
USER_GROUPS = Rate(per_second=20 / 60, burst=10)
"""Slack: 20 a minute and workspace, for each of the two methods."""
BURST_SHARE = 0.16
"""The part of a minute's edits that may be made at once."""
MIN_EDIT_INTERVAL_S = 0.1


def edit_interval_s(per_minute: int) -> float:
    """Seconds from one edit of a run's progress to the next: 1.5 with what Slack grants everybody."""
    return max(MIN_EDIT_INTERVAL_S, 75 / per_minute)


def edits(per_minute: int) -> Rate:
    """The rate of edits in a workspace: a full burst and a minute's refill together are `per_minute`."""
    burst = max(1, round(per_minute * BURST_SHARE))
    return Rate(per_second=(per_minute - burst) / 60, burst=burst, reserved=burst // 2)


def rates(edits_per_minute: int) -> Mapping[str, Rate]:
    """What Slack grants, by method."""
    return {
        "chat.postMessage": POSTS,
        "chat.update": edits(edits_per_minute),
        "views.publish": HOME_TABS,
        "usergroups.list": USER_GROUPS,
        "usergroups.users.list": USER_GROUPS,
    }
