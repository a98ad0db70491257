"""The crews that can be started, with their inputs, and those that can't be offered. Pure.

The list is made once for each catalogue and each kind of person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.core.forms.fields import Field
from bot.core.people.actor import Actor, Membership
from bot.core.runs.crew import Crew, CrewProblem
from bot.core.starting import can_start
from bot.surfaces.chat.formatted_text import CachedText, FormattedText, Untrusted, joined
from bot.surfaces.chat.messages import Limits, Message, Paragraph
from bot.surfaces.chat.wording.private_messages import crew_title, fitting, short_text

NO_CREWS = "No worker is up yet: none has announced a crew. Please try again in a moment."


def shown(crews: Iterable[Crew], limits: Limits, problems: Sequence[CrewProblem] = ()) -> Message:
    """All crews with their inputs, and those that can't be offered. Made once, it may be shown often."""
    lines = [line for crew in crews for line in _crew(crew)]
    broken = [("⚠ ", Untrusted(each.name), ": ", short_text(each.sentence)) for each in problems]
    line = (CachedText(joined(fitting([*(lines or [(NO_CREWS,)]), *broken], limits.list_units))),)
    return Message(line, (Paragraph(line),))


def _crew(crew: Crew) -> list[FormattedText]:
    description: FormattedText = (": ", short_text(crew.description)) if crew.description.strip() else ()
    lines: list[FormattedText] = [(crew_title(crew), " (", Untrusted(crew.name), ")", *description)]
    return lines + [("    • ", *_input(field, crew.main_input)) for field in crew.inputs]


def _input(field: Field, main_input: str | None) -> FormattedText:
    about: list[FormattedText] = [(short_text(" | ".join(field.choices) or field.type.value),)]
    if field.required and field.default is None:
        about.append(("required",))
    if field.default is not None:
        about.append(("default ", short_text(str(field.default))))
    if field.name == main_input:
        about.append(("free text goes here",))
    described = [part for at, each in enumerate(about) for part in ((", ", *each) if at else each)]
    description: FormattedText = (": ", short_text(field.description)) if field.description.strip() else ()
    return (Untrusted(field.name), " (", *described, ")", *description)


class CrewLists:
    """The lists of one catalogue, which is known by identity: it is another object once it has changed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._crews: Mapping[str, Crew] = {}
        self._problems: tuple[CrewProblem, ...] = ()
        self._shown: dict[tuple[Membership, bool], Message] = {}

    def shown(self, crews: Mapping[str, Crew], problems: tuple[CrewProblem, ...], person: Actor) -> Message:
        """The crews that this person may start; to members also those that can't be offered."""
        if crews is not self._crews or problems is not self._problems:
            self._crews, self._problems, self._shown = crews, problems, {}
        kind = person.membership, person.admin
        if kind not in self._shown:
            known = [crew for crew in crews.values() if can_start(crew, person)]
            is_told = person.admin or person.membership is Membership.MEMBER
            self._shown[kind] = shown(known, self._limits, problems if is_told else ())
        return self._shown[kind]
