"""Teams' renderer: trees of `chat.messages` as Adaptive Cards. Only here are cards made. Pure."""

from bot.surfaces.teams.renderer.render import (
    LIMITS,
    MESSAGE_CHARACTERS,
    Reader,
    render_card,
    render_form,
    render_message,
)
from bot.surfaces.teams.renderer.text import Member, Members

__all__ = [
    "LIMITS",
    "MESSAGE_CHARACTERS",
    "Member",
    "Members",
    "Reader",
    "render_card",
    "render_form",
    "render_message",
]
