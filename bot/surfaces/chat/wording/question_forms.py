"""Forms: an answer in words, and a question in full. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.core.questions.question import Question, QuestionKind
from bot.core.runs.run import Run
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import question_card
from bot.surfaces.chat.formatted_text import Bold, Untrusted
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Divider,
    FieldType,
    Form,
    Frame,
    Input,
    Limits,
    Message,
    Notice,
    Paragraph,
    Quote,
    SmallPrint,
)
from bot.surfaces.chat.shortening import truncate
from bot.surfaces.chat.wording import outcomes, policies, question_buttons, question_messages, sentences
from bot.surfaces.chat.wording.question_messages import ReadableIn

PROMPT_UNITS = 3000
"""How much of a question's prompt is shown above the field for its answer."""
WHOLE_FORM = ""
"""The field at which something is said that concerns all of a form."""


# ── an answer in words ──────────────────────────────────────────────────────────────────────────────────


def reply_form(question: Question) -> Form:
    """The form for an answer in words, or for the changes that a review asks for."""
    review = question.kind is QuestionKind.REVIEW
    hint = "" if question.kind is QuestionKind.TEXT else "Passed on as words; it never counts as an approval."
    field = Input(
        name=actions.REPLY_FIELD,
        action=actions.REPLY_FIELD,
        label="What should change?" if review else "Your answer",
        type=FieldType.TEXT,
        hint=hint,
    )
    return Form(
        "Request changes" if review else "Answer",
        (Quote(truncate(question.prompt, PROMPT_UNITS)), field),
        callback=actions.REPLY,
        metadata=Target(question.run_id, question.id, digest=question.digest).encode(),
        submit="Send",
    )


def filled(form: Form, values: Mapping[str, str], errors: Mapping[str, str]) -> Form:
    """A form that was submitted, with what was filled in, and what is wrong before its fields."""
    blocks: list[Block] = []
    for block in form.blocks:
        if not isinstance(block, Input):
            blocks.append(block)
            continue
        if why := errors.get(block.name):
            blocks.append(_wrong(why))
        blocks.append(replace(block, value=values.get(block.name, "")))
    whole = [_wrong(why) for name, why in errors.items() if name == WHOLE_FORM]
    return replace(form, blocks=(*whole, *blocks))


def _wrong(why: str) -> Paragraph:
    return Paragraph((Bold("⚠ "), Untrusted(why, style="plain")))


# ── a question in full ──────────────────────────────────────────────────────────────────────────────────


def full_text(run: Run, question: Question, limits: Limits) -> Form:
    """All of a question, with the buttons that decide it at the end.

    A question that is settled has its outcome there. One that is too long for a form is read in the file
    beside it.
    """
    card = question_card(run, question)
    if question_messages.readable_in(card, limits) is ReadableIn.FILE:
        too_long = "This is too long for a window: all of it is in the file beside the question. It begins:"
        text = question_messages.full_text(card, limits)
        blocks: list[Block] = [
            SmallPrint(((question_messages.THE_CREW_WRITES,),)),
            Notice((too_long,)),
            Frame(text[: question_messages.SHORTENED_UNITS]),
        ]
    else:
        blocks = question_messages.in_full(card, limits)
    blocks += policies.progress_blocks(card)
    if not card.open:
        blocks += [Divider(), Paragraph(outcomes.outcome_line(card))]
    deciding = question_buttons.deciding(card, limits)
    pressed = [
        *deciding,
        *question_buttons.replying(card, primary=not deciding),
        *question_buttons.withdrawing(card),
    ]
    if question.open and pressed:
        blocks += [Divider(), Actions(tuple(pressed))]
    target = Target(run.id, question.id, digest=question.digest).encode()
    return Form("The whole question", tuple(blocks), callback=actions.FULL, metadata=target)


def is_complete(run: Run, question: Question, limits: Limits) -> bool:
    """Whether the form shows all of the question; a longer one is a file."""
    return question_messages.readable_in(question_card(run, question), limits) is not ReadableIn.FILE


def message_form(title: str, message: Message) -> Form:
    """A message in place of the form that was pressed in."""
    return Form(title, message.blocks)


def decided(refused: Message | None) -> Form:
    """What became of a press in "Show all"."""
    if refused is None:
        recorded = Paragraph(("Recorded. The question's message shows it.",))
        return Form("Thank you", (recorded,))
    return Form(sentences.NOT_COUNTED, refused.blocks)
