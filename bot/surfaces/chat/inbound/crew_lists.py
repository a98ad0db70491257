"""What `list` shows of the crews, made once for each catalogue and each kind of person."""

from __future__ import annotations

from collections.abc import Mapping

from bot.core.actor import Actor, Membership
from bot.core.crew import Crew, CrewProblem
from bot.core.starting import can_start
from bot.surfaces.chat.messages import Limits, Message
from bot.surfaces.chat.wording import crew_list


class CrewLists:
    """The lists of one catalogue, which is known by identity: it is another object once it has changed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._crews: Mapping[str, Crew] = {}
        self._problems: tuple[CrewProblem, ...] = ()
        self._shown: dict[tuple[Membership, bool], Message] = {}

    def shown(self, crews: Mapping[str, Crew], problems: tuple[CrewProblem, ...], person: Actor) -> Message:
        """The crews that this person may start."""
        if crews is not self._crews or problems is not self._problems:
            self._crews, self._problems, self._shown = crews, problems, {}
        kind = person.membership, person.admin
        if kind not in self._shown:
            known = [crew for crew in crews.values() if can_start(crew, person)]
            self._shown[kind] = crew_list.shown(known, self._limits, problems)
        return self._shown[kind]
