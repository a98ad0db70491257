"""A question as a message: open, with all one needs to decide it, and settled, with what became of it. Pure.

What a crew wrote stands in a quotation or a frame, literally: no markup has an effect in it, and nothing in
it can pass for what Crewdeck says. What is to be decided is never approved half-seen. A question that fits is
shown in full, with its buttons. One that doesn't is shown shortened, with its deciding buttons at the end of
the modal that "Show all" opens. Of one that is too long for a modal all is posted as a file in the thread
first, and the modal says so above its buttons.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from bot.core.question import Action, Option, QuestionKind
from bot.core.text import visible
from bot.surfaces.chat.cards import QuestionCard, Silence
from bot.surfaces.chat.inbound import actions
from bot.surfaces.chat.inbound.actions import Target
from bot.surfaces.slack.cards import rich
from bot.surfaces.slack.cards.elements import LABEL, Block, button, context, option, section, select
from bot.surfaces.slack.cards.elements import actions as row
from bot.surfaces.slack.cards.mrkdwn import length, truncate, truncate_escaped
from bot.surfaces.slack.cards.rich import Line, bold, date, line, mention, mentioned, theirs
from bot.surfaces.slack.cards.runcard import Message

WHOLE = 8000
"""Units of prompt, context and options that are shown in a message; Slack refuses one at about 13,200."""
MODAL = 120_000
"""UTF-8 bytes that surely fit into a modal: 100 blocks of 3,000, of which a cut at a line's end may leave
half empty, and 250 kB in all as JSON."""
SHORTENED = 1500
"""Units of the prompt, and of the context, that a shortened question shows."""
SAID = 2500
"""Units of an answer's words that its message shows; all of a longer one is in the console and the API."""
BUTTONS = 5
"""Options that are buttons; more become a select."""
NAME = 100
WRITES = "The crew writes:"
"""Stands before what a crew wrote."""
IN_FILE = "All of it is in the file above. Press “Show all” when you have read it: you decide there."
IN_MODAL = "Press “Show all”: you decide at the end of it."
NAMED = 5


class Fit(Enum):
    """Where a question can be read in full."""

    MESSAGE = "message"
    MODAL = "modal"
    FILE = "file"


def fit(card: QuestionCard) -> Fit:
    """Where this question can be read in full."""
    text = full_text(card)
    if len(text) > MODAL:
        return Fit.FILE
    shown = visible(text)
    if length(shown) <= WHOLE:
        return Fit.MESSAGE
    return Fit.MODAL if len(shown.encode("utf-8", "replace")) <= MODAL else Fit.FILE


def full_text(card: QuestionCard) -> str:
    """All that is to be decided, as plain text."""
    return "\n\n".join(part for part in (card.prompt, card.context, listed_options(card)) if _says(part))


def _says(text: str) -> bool:
    """Whether there is something to be seen. Controls are, though Python takes some for spaces."""
    return bool(text.strip() or visible(text).strip())


def listed_options(card: QuestionCard) -> str:
    """The options of a choice, where a button or select can't hold the labels; empty otherwise."""
    if not numbered(card.kind, card.options):
        return ""
    return "\n".join(f"{number}. {each.label}" for number, each in enumerate(card.options, start=1))


def numbered(kind: QuestionKind, options: Sequence[Option]) -> bool:
    """Whether people see the options with numbers: where a button can't hold one of the labels."""
    return kind is QuestionKind.CHOICE and any(
        len(each.label) > LABEL or length(visible(each.label)) > LABEL or "\n" in each.label
        for each in options
    )


# ── open ────────────────────────────────────────────────────────────────────────────────────────────────


def ask(card: QuestionCard) -> Message:
    """The question while it is open."""
    where = fit(card)
    blocks = [line(*_headline(card)), *_body(card, where)]
    if where is not Fit.MESSAGE:
        how = IN_FILE if where is Fit.FILE else IN_MODAL
        blocks.append(section(f"*This is only the beginning.* {how}"))
    blocks += [_row(card, where), context(_who(card)), *_small_print(card, where)]
    return Message(text=_notification(card), blocks=blocks)


def elsewhere(card: QuestionCard) -> Message:
    """The question for somebody who may not answer it, while others were asked directly."""
    who = context(f"{deciders(card)} can answer, and was asked in a direct message.")
    beginning = [] if fit(card) is Fit.MESSAGE else [context("This is only the beginning.")]
    blocks = [line(*_headline(card)), *_body(card, fit(card)), *beginning, who]
    return Message(text=_notification(card), blocks=blocks)


def _headline(card: QuestionCard) -> Line:
    asker = theirs(card.asker, NAME)
    match card.kind:
        case QuestionKind.APPROVAL:
            return asker, " asks for approval"
        case QuestionKind.CHOICE:
            return asker, " asks you to choose"
        case QuestionKind.TEXT:
            return asker, " has a question"
        case QuestionKind.REVIEW:
            return asker, f" asks for a review{round_of(card)}"


def round_of(card: QuestionCard) -> str:
    """`: round 2 of 5`; empty for what has no rounds."""
    if card.round is None:
        return ""
    return f": round {card.round} of {card.rounds}" if card.rounds else f": round {card.round}"


def _body(card: QuestionCard, where: Fit) -> list[Block]:
    """What the crew wrote: the prompt in a quotation, what it is about and the options each in a frame."""
    whole = where is Fit.MESSAGE
    prompt, about = (each if whole else _beginning(each) for each in (card.prompt, card.context))
    blocks = [context(WRITES), *rich.quoted(prompt)]
    if _says(about):
        blocks += rich.framed(about)
    if whole and (listed := listed_options(card)):
        blocks += rich.framed(listed)
    return blocks


def _beginning(text: str, limit: int = SHORTENED) -> str:
    return truncate(visible(text[: limit + 1]), limit)


def _row(card: QuestionCard, where: Fit) -> Block:
    """What can be pressed. The one that decides comes first; what only opens something, last."""
    target = Target(card.run_id, card.question_id, digest=card.digest).encode()
    opening = button("Show all", actions.OPEN_FULL, target, "Show the whole question", "primary")
    elements = deciding(card) if where is Fit.MESSAGE else [opening]
    return row([*elements, _reply_button(card, target, primary=not elements)])


def _reply_button(card: QuestionCard, target: str, *, primary: bool) -> Block:
    if card.kind is QuestionKind.REVIEW:
        return button("Request changes...", actions.OPEN_REPLY, target, "Request changes in words")
    label = "Answer..." if card.kind is QuestionKind.TEXT else "Reply..."
    return button(label, actions.OPEN_REPLY, target, "Answer in words", "primary" if primary else None)


def deciding(card: QuestionCard) -> list[Block]:
    """The elements that decide: approve and reject, or the options. None for a question that wants words."""
    target = Target(card.run_id, card.question_id, digest=card.digest).encode()
    match card.kind:
        case QuestionKind.APPROVAL | QuestionKind.REVIEW:
            approve = _label(card, Action.APPROVE, "Approve")
            reject = _label(card, Action.REJECT, "Reject")
            return [
                button(approve, actions.ANSWER_APPROVE, target, f"{approve}: {card.prompt}", "primary"),
                button(reject, actions.ANSWER_REJECT, target, f"{reject}: {card.prompt}", "danger"),
            ]
        case QuestionKind.CHOICE if card.options:
            return _choices(card)
        case _:
            return []


def _label(card: QuestionCard, action: Action, otherwise: str) -> str:
    return next((each.label for each in card.options if each.id == action), otherwise)


def _choices(card: QuestionCard) -> list[Block]:
    labels = _button_labels(card)
    values = [Target(card.run_id, card.question_id, each.id, card.digest).encode() for each in card.options]
    if len(card.options) > BUTTONS:
        offered = [option(label, value) for label, value in zip(labels, values, strict=True)]
        return [select("Choose...", actions.ANSWER_SELECT, offered[:100])]
    return [_choice(*each) for each in zip(card.options, labels, values, strict=True)]


def _button_labels(card: QuestionCard) -> list[str]:
    """Numbered where the labels in full are listed above."""
    if not listed_options(card):
        return [each.label for each in card.options]
    return [f"{number}. {each.label}" for number, each in enumerate(card.options, start=1)]


def _choice(chosen: Option, label: str, value: str) -> Block:
    return button(label, actions.choose(chosen.id), value, f"Choose {chosen.label}")


def _who(card: QuestionCard) -> str:
    return f"{deciders(card)} can answer, with the buttons or by a reply in this thread."


def deciders(card: QuestionCard) -> str:
    """Who may answer: mentioned, so that they are told."""
    if card.anyone:
        return "Anyone here"
    names = [mentioned(each) for each in card.deciders]
    if len(names) > NAMED:
        names = [*names[:NAMED], f"{len(names) - NAMED} others"]
    *others, last = names or ["Nobody who is here"]
    return f"{', '.join(others)} or {last}" if others else last


def _small_print(card: QuestionCard, where: Fit) -> list[Block]:
    lines = [hint] if (hint := _hint(card, where)) else []
    if card.deadline_at is None:
        return [context(*lines)] if lines else []
    lines.append(f"Waits until {rich.dated(card.deadline_at)}.")
    return [context(*lines, plainly=_after_silence(card))]


def _hint(card: QuestionCard, where: Fit) -> str:
    match card.kind:
        case QuestionKind.APPROVAL | QuestionKind.CHOICE if where is not Fit.MESSAGE:
            return "A reply is passed on as words; it never approves."
        case QuestionKind.REVIEW:
            return "Approve: it stands. Request changes, or a reply: another round. Reject: the run ends."
        case QuestionKind.APPROVAL | QuestionKind.CHOICE:
            return "A reply of just a button's label counts as that button; other words never approve."
        case QuestionKind.TEXT:
            return ""


def _after_silence(card: QuestionCard) -> str:
    match card.silence:
        case Silence.REJECTS:
            return "If nobody answers, it counts as rejected."
        case Silence.CHOOSES:
            return f"If nobody answers, it is “{rich.short(card.silence_label, LABEL)}”."
        case Silence.EXPIRES:
            return "If nobody answers, the question expires; nothing is approved by silence."


def _notification(card: QuestionCard) -> str:
    return f"{rich.mrkdwn(*_headline(card))}: {truncate_escaped(card.prompt, 500)}"


# ── settled ─────────────────────────────────────────────────────────────────────────────────────────────


def settled(card: QuestionCard) -> Message:
    """The question with its outcome, who decided and when; nothing to press any more."""
    outcome = _outcome(card)
    blocks = [line(*_headline(card)), *_body(card, fit(card)), line(*outcome)]
    if words := _said(card):
        blocks += rich.quoted(_beginning(words, SAID))
    return Message(text=f"{rich.mrkdwn(*outcome)} {truncate_escaped(card.prompt, 300)}", blocks=blocks)


def _outcome(card: QuestionCard) -> Line:
    outcome = card.outcome
    if outcome is None:
        return (bold("Open"),)
    by = (" by ", mention(outcome.by.principal)) if outcome.by else ()
    at = (" ", date(card.settled_at)) if card.settled_at is not None else ()
    return (*_verb(card), *by, *at)


def _verb(card: QuestionCard) -> Line:
    outcome = card.outcome
    match outcome.action if outcome else None:
        case Action.APPROVE:
            return "✅ ", bold("Approved")
        case Action.REJECT:
            return "❌ ", bold("Rejected"), "" if outcome and outcome.by else ": nobody answered in time"
        case Action.CHOOSE:
            chosen = next((o.label for o in card.options if outcome and o.id == outcome.value), "")
            in_time = "" if outcome and outcome.by else " (nobody answered in time)"
            return "✅ ", bold("Chosen:"), " ", theirs(chosen, SHORTENED), in_time
        case Action.RESPOND:
            review = card.kind is QuestionKind.REVIEW
            return ("✏️ ", bold("Changes requested")) if review else ("💬 ", bold("Answered in words"))
        case Action.EXPIRE:
            return "⌛ ", bold("Expired"), ": nobody answered in time; nothing was approved"
        case _:
            return "🚫 ", bold("Withdrawn"), ": the run ended before anybody answered"


def _said(card: QuestionCard) -> str:
    """The words of who answered. The store's own remark on silence is in the outcome already."""
    return card.outcome.comment.strip() if card.outcome is not None and card.outcome.by is not None else ""


def reminder(card: QuestionCard, link: str | None) -> Message:
    """One mention in the thread, with a link to the question."""
    about = f"<{link}|this question>" if link else "the question above"
    until = f" It waits until {rich.dated(card.deadline_at)}." if card.deadline_at is not None else ""
    said = f"{deciders(card)}: {about} is still open.{until}"
    asked = rich.quoted(rich.short(card.prompt, 300))
    return Message(text=f"{said} “{truncate_escaped(card.prompt, 300)}”", blocks=[section(said), *asked])


# ── where Slack refuses the blocks ──────────────────────────────────────────────────────────────────────


def in_words(card: QuestionCard) -> str:
    """The question as text alone, answered by replies. All of it is in a file: text has markup."""
    labels = [each.label for each in card.options if each.id != Action.RESPOND]
    how = f"Reply in this thread with one of: {' / '.join(labels)}. Or" if labels else "Reply in this thread:"
    beginning = truncate_escaped(full_text(card), SHORTENED)
    parts = [rich.mrkdwn(*_headline(card)), f"{WRITES} {beginning}", f"*{IN_FILE_ALONE}*"]
    return "\n\n".join([*parts, f"{deciders(card)}: {truncate_escaped(how, 1000)} answer in words."])


def bare(run_id: str) -> Message:
    """Instead of a question that can't even be written as text."""
    return Message(text=f"A question of the run `{run_id}` can't be shown here. Answer it in the console.")


IN_FILE_ALONE = "All of it, just as it is, is in the file above. Read it before you decide."
