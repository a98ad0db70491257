"""Slack's renderer: trees of `chat.messages` as Block Kit. Only here is Slack's JSON made. Pure."""

from bot.surfaces.slack.renderer.render import (
    LIMITS,
    names_unknown_groups,
    render_form,
    render_home,
    render_message,
    with_group_ids,
)

__all__ = ["LIMITS", "names_unknown_groups", "render_form", "render_home", "render_message", "with_group_ids"]
