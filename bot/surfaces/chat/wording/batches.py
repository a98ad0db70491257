"""Several approvals of one run in one message, with a line each: decide one, several or all. Pure.

Each keeps its own question, digest and policy. Only what the message shows in full can be ticked; everything
else is opened and decided there.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.text import visible
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.formatted_text import Bold, FormattedText, Time, Untrusted, joined
from bot.surfaces.chat.messages import (
    Actions,
    Audience,
    Block,
    Button,
    Checkboxes,
    Limits,
    Message,
    Option,
    Paragraph,
    SmallPrint,
)
from bot.surfaces.chat.shortening import length
from bot.surfaces.chat.wording import gates, outcomes, policies, question_buttons, question_messages

MAX_QUESTIONS = 10
PART_UNITS = 600
"""How much of one question is shown beside the others; of a longer one the beginning."""
PART_BLOCKS = 2
PROMPT_UNITS = 300


def batch(cards: Sequence[QuestionCard], limits: Limits) -> Message:
    """The approvals as they stand, in the order in which they were asked."""
    waiting = [each for each in cards if each.open]
    heading = _heading(len(waiting), len(cards))
    blocks: list[Block] = [Paragraph(heading), SmallPrint(((question_messages.THE_CREW_WRITES,),))]
    for number, card in enumerate(cards, start=1):
        blocks += _entry(number, card, limits)
    if waiting:
        blocks += [*_deciding(cards, waiting, limits), _opening(cards), *_who(waiting)]
    first = (waiting or list(cards))[0]
    return Message((*heading, ": ", *_what(first)), tuple(blocks))


def _heading(waiting: int, total: int) -> FormattedText:
    if not waiting:
        return (Bold(f"{total} approvals"), " were asked for; all of them are settled")
    are = "is" if total - waiting == 1 else "are"
    settled = f"; {total - waiting} of {total} {are} settled" if waiting < total else ""
    return (Bold(f"{waiting} {'approvals are' if waiting > 1 else 'approval is'} asked for"), settled)


# ── one line ────────────────────────────────────────────────────────────────────────────────────────────


def _entry(number: int, card: QuestionCard, limits: Limits) -> list[Block]:
    line: FormattedText = (f"{number}. ", *_what(card))
    if not card.open:
        return [Paragraph(joined([line, *gates.edit_lines(card), outcomes.outcome_line(card)]))]
    if card.deadline_at is not None:
        line = (*line, " · until ", Time(card.deadline_at))
    lines = [line, *gates.edit_lines(card), *policies.progress_lines(card)]
    if not is_complete(card, limits):
        return [Paragraph(joined([*lines, ("Open it to see all of it and to decide it.",)]))]
    return [Paragraph(joined(lines)), *_literal(card, limits)]


def _literal(card: QuestionCard, limits: Limits) -> list[Block]:
    """What the crew wrote, which is said once for all."""
    return [each for each in question_messages.whole_body(card, limits) if not isinstance(each, SmallPrint)]


def _what(card: QuestionCard) -> FormattedText:
    if card.call is not None:
        return gates.headline(card.call)
    return Untrusted(card.asker, 100), " asks for approval: ", Untrusted(card.prompt, PROMPT_UNITS)


def is_complete(card: QuestionCard, limits: Limits) -> bool:
    """Whether the message shows all of this question."""
    text = question_messages.full_text(card, limits)
    short = len(text) <= PART_UNITS and length(visible(text)) <= PART_UNITS
    return short and len(_literal(card, limits)) <= PART_BLOCKS


def is_shown_whole(card: QuestionCard, limits: Limits, *, shared: bool) -> bool:
    """Whether its message shows all of this question, alone or (`shared`) beside others."""
    if shared and not is_complete(card, limits):
        return False
    return question_messages.readable_in(card, limits) is question_messages.ReadableIn.MESSAGE


def _opening(cards: Sequence[QuestionCard]) -> Actions:
    """What opens one alone: all of it, with everything that decides it."""
    return Actions(
        tuple(
            Button(
                f"Open {number}",
                f"{actions.OPEN_FULL}.{number}",
                _target(card),
                f"Open: {_plain_summary(card)}",
            )
            for number, card in enumerate(cards, start=1)
            if card.open
        )
    )


def _target(card: QuestionCard) -> str:
    return Target(card.run_id, card.question_id, digest=card.digest).encode()


def _plain_summary(card: QuestionCard) -> str:
    return gates.plain_summary(card.call) if card.call is not None else card.prompt


# ── several at once ─────────────────────────────────────────────────────────────────────────────────────


def _deciding(cards: Sequence[QuestionCard], waiting: Sequence[QuestionCard], limits: Limits) -> list[Block]:
    """Boxes to tick, and what decides all that are ticked."""
    options = tuple(
        Option(f"{number}. {_plain_summary(card)}", _target(card))
        for number, card in enumerate(cards, start=1)
        if card.open and is_complete(card, limits)
    )
    if not options or not limits.ticks:
        return []
    about, audience = _target(waiting[0]), _audience(waiting)
    approve = Button("Approve ticked", actions.APPROVE_TICKED, about, "Approve what is ticked", "primary")
    reject = Button("Reject ticked", actions.REJECT_TICKED, about, "Reject what is ticked")
    boxes = Checkboxes(actions.TICK, options[: limits.ticks])
    return [Actions((boxes,), audience), Actions((approve, reject), audience)]


def _audience(waiting: Sequence[QuestionCard]) -> Audience | None:
    """Whoever may decide one of them; None, and so everybody, where that is known at the press only."""
    each_has = [question_buttons.audience(card) for card in waiting]
    known = [each for each in each_has if each is not None]
    if len(known) < len(each_has):
        return None
    principals = dict.fromkeys(principal for each in known for principal in each.principals)
    return Audience(tuple(principals), _target(waiting[0]), others_open=False)


def _who(waiting: Sequence[QuestionCard]) -> list[Block]:
    """Who may decide; the rule of each policy once."""
    line = SmallPrint(((*question_messages.mention_deciders(waiting[0]), " can answer, with the buttons."),))
    rules = {policies.rule(each.policy): None for each in waiting if policies.applies(each.policy)}
    return [*([Paragraph(joined(list(rules)))] if rules else []), line]
