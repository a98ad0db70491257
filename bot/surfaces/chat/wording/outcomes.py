"""A settled question as a message: its outcome, who decided and when; nothing to press any more. Pure."""

from __future__ import annotations

from bot.core.questions.question import Action, QuestionKind
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.formatted_text import Bold, FormattedText, Time, Untrusted
from bot.surfaces.chat.messages import Block, Limits, Message, Paragraph, Quote, units
from bot.surfaces.chat.shortening import beginning
from bot.surfaces.chat.wording import policies, question_messages
from bot.surfaces.chat.wording.question_messages import ReadableIn

ANSWER_UNITS = 2500
"""How much of an answer's words its message shows; all of a longer one is in the console and the API."""
LABEL_UNITS = 1500
DECIDED_UNITS = 3000
"""Of a longer decision the message shows what was asked shortened."""


def settled(card: QuestionCard, limits: Limits) -> Message:
    """The question with its outcome, who decided and when."""
    outcome = outcome_line(card)
    decided: list[Block] = [Paragraph(outcome)]
    if words := _comment(card):
        decided.append(Quote(beginning(words, ANSWER_UNITS)))
    decided += policies.responses(card)
    where = question_messages.readable_in(card, limits)
    if where is ReadableIn.MESSAGE and units(decided) > DECIDED_UNITS:
        where = ReadableIn.FORM  # The decision is shown rather than all of what was asked.
    asked = [*question_messages.body(card, where, limits), *question_messages.edits(card, limits)]
    blocks = (Paragraph(question_messages.headline(card)), *asked, *decided)
    return Message((*outcome, " ", Untrusted(card.prompt, 300, lines=True)), blocks)


def outcome_line(card: QuestionCard) -> FormattedText:
    """What was decided, by whom and when."""
    outcome = card.outcome
    if outcome is None:
        return (Bold("Open"),)
    by: FormattedText = (" by ", policies.person(outcome.by)) if outcome.by else ()
    if outcome.override:
        by = (*by, " as an administrator, whom the policy doesn't name")
    at = (" ", Time(card.settled_at)) if card.settled_at is not None else ()
    return (*_verb(card), *by, *at)


def _verb(card: QuestionCard) -> FormattedText:  # noqa: PLR0911 - one for each action
    outcome = card.outcome
    match outcome.action if outcome else None:
        case Action.APPROVE:
            return "✅ ", Bold("Edited and approved" if card.edited else "Approved")
        case Action.REJECT:
            return "❌ ", Bold("Rejected"), "" if outcome and outcome.by else ": nobody answered in time"
        case Action.CHOOSE:
            chosen = next((o.label for o in card.options if outcome and o.id == outcome.value), "")
            in_time = "" if outcome and outcome.by else " (nobody answered in time)"
            return "✅ ", Bold("Chosen:"), " ", Untrusted(chosen, LABEL_UNITS), in_time
        case Action.RESPOND:
            review = card.kind is QuestionKind.REVIEW
            return ("✏️ ", Bold("Changes requested")) if review else ("💬 ", Bold("Answered in words"))
        case Action.SUBMIT:
            return "📝 ", Bold("Filled in")
        case Action.EXPIRE:
            return "⌛ ", Bold("Expired"), ": nobody answered in time; nothing was approved"
        case _:
            return "🚫 ", Bold("Withdrawn"), ": the run ended before anybody answered"


def _comment(card: QuestionCard) -> str:
    """The words of who answered. The store's own remark on silence is in the outcome already."""
    if card.outcome is None or card.outcome.by is None:
        return ""
    return card.decision if card.outcome.action is Action.SUBMIT else card.outcome.comment.strip()
