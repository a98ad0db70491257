"""Forms of typed fields, in steps: a crew's inputs, and questions of kind `form`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from bot.core import forms
from bot.core.crew import Crew
from bot.core.fields import Field
from bot.core.locales import Locale
from bot.core.question import Question
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.elements import Button
from bot.surfaces.chat.lines import Untrusted
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Form,
    Frame,
    Limits,
    Notice,
    PlainText,
    Quote,
    SmallPrint,
)
from bot.surfaces.chat.wording import fields as widgets
from bot.surfaces.chat.wording import question_messages


@dataclass(frozen=True)
class Filling:
    """How far somebody has filled in a form."""

    fields: tuple[Field, ...]
    #: What they gave so far, by field.
    values: Mapping[str, JsonValue]
    locale: Locale
    #: The step that is shown, from 0.
    step: int = 0
    #: What is wrong with fields of this step, to be said above them.
    problems: Mapping[str, str] = field(default_factory=dict)
    #: It may be sent before its last step, if nothing that is needed is in the steps that follow.
    early: bool = False

    @property
    def group(self) -> tuple[Field, ...]:
        """The fields of this step; none if there is no such step."""
        groups = widgets.steps(self.fields)
        return groups[self.step] if self.step < len(groups) else ()

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(widgets.steps(self.fields))

    @property
    def rest(self) -> tuple[Field, ...]:
        """The fields of the steps that follow."""
        return tuple(each for group in widgets.steps(self.fields)[self.step + 1 :] for each in group)

    @property
    def is_last(self) -> bool:
        """Whether the form is sent from this step."""
        needed = (each for each in self.rest if each.required and each.default is None)
        return not self.rest or (
            self.early and not any(forms.blank(self.values.get(each.name)) for each in needed)
        )

    def at_first_of(self, problems: Mapping[str, str]) -> Filling:
        """The first step with one of these problems."""
        return replace(self, step=widgets.step_of(self.fields, problems), problems=problems)


def step_of(metadata: Target) -> int:
    """The step that a form's metadata names, from 0."""
    return int(metadata.option_id) if metadata.option_id.isascii() and metadata.option_id.isdigit() else 0


def start_form(crew: Crew, draft_id: str, filling: Filling, limits: Limits) -> Form:
    """A step of the form for a crew's inputs. Its `metadata` is a Target: the `draft_id`, and the step."""
    about = PlainText(crew.description.strip() or "What the crew needs to know:")
    whole = Form(f"Start {crew.title}", (about,), callback=actions.START, submit="Start")
    return _step(whole, Target(draft_id), filling, limits)


def question_form(question: Question, filling: Filling, limits: Limits) -> Form:
    """A step of a question's form. Its `metadata` is a Target: the question as it was shown, and the step."""
    about: list[Block] = [
        SmallPrint(((question_messages.THE_CREW_WRITES,),)),
        Quote(question.prompt[:PROMPT_CHARACTERS]),
    ]
    if question.context.strip():
        about.append(Frame(question.context[:PROMPT_CHARACTERS]))
    if max(len(question.prompt), len(question.context)) > PROMPT_CHARACTERS:
        about.append(Notice(("This is only the beginning: the question's message has all of it.",)))
    whole = Form("Fill in", tuple(about), callback=actions.FORM, submit="Send")
    return _step(whole, Target(question.run_id, question.id, digest=question.digest), filling, limits)


PROMPT_CHARACTERS = 3000
"""How much of a question's prompt, and of its context, stands above its fields."""


def _step(whole: Form, target: Target, filling: Filling, limits: Limits) -> Form:
    """One step. What the form says above its fields is in the first one only."""
    metadata = replace(target, option_id=str(filling.step) if filling.step else "").encode()
    above: list[Block] = [] if filling.step else [*whole.blocks]
    if filling.steps > 1:
        above.append(SmallPrint(((f"Step {filling.step + 1} of {filling.steps}",),)))
    return replace(
        whole,
        blocks=(
            *above,
            *widgets.wrong(filling.group, filling.problems),
            *widgets.blocks(filling.group, filling.values, limits, filling.locale),
            *_other_steps(filling, metadata),
        ),
        metadata=metadata,
        submit=whole.submit if filling.is_last else "Next",
    )


def _other_steps(filling: Filling, metadata: str) -> list[Block]:
    """The ways to the other steps; and what those hold that needn't be looked at."""
    blocks: list[Block] = []
    buttons = (
        [Button("Back", actions.PREVIOUS_STEP, metadata, "Back to the former step")] if filling.step else []
    )
    if filling.rest and filling.is_last:
        rest = [f"{each.title}: {widgets.in_words(each, filling.values) or '-'}" for each in filling.rest]
        blocks.append(
            SmallPrint((("In the next step, if you like:",),), (Untrusted("; ".join(rest), REST_UNITS),))
        )
        buttons.append(Button("More...", actions.NEXT_STEP, metadata, "Go to the next step"))
    return [*blocks, Actions(tuple(buttons))] if buttons else blocks


REST_UNITS = 600
"""How much of the fields of further steps is shown."""
