"""A question as a message: open, with all one needs to decide it, and settled, with its outcome. Pure.

What a crew wrote stands in a quotation or a frame, literally: no markup has an effect in it, and nothing in
it can pass for what Crewdeck says. Nothing is approved half-seen. A question that fits into a message is
shown in full, with its buttons. One that doesn't is shown shortened, with its deciding buttons at the end of
the form that "Show all" opens. One that is too long for a form is posted as a file in the thread first, and
the form says so above its buttons.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from bot.core.question import Action, Option, QuestionKind
from bot.core.text import visible
from bot.surfaces.chat import actions, messages
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import OnTimeout, QuestionCard
from bot.surfaces.chat.messages import (
    Actions,
    Audience,
    Block,
    Bold,
    Button,
    Code,
    Element,
    Frame,
    Limits,
    Line,
    Link,
    Mention,
    Message,
    Notice,
    Paragraph,
    Part,
    Quote,
    Select,
    SmallPrint,
    Theirs,
    Time,
)
from bot.surfaces.chat.shortening import beginning, length, short

SHORTENED_UNITS = 1500
"""How much of the prompt, and of the context, a shortened question shows."""
ANSWER_UNITS = 2500
"""How much of an answer's words its message shows; all of a longer one is in the console and the API."""
NAME_UNITS = 100
NAMED_DECIDERS = 5
THE_CREW_WRITES = "The crew writes:"
IN_FILE = "All of it is in the file above. Press “Show all” when you have read it: you decide there."
IN_FORM = "Press “Show all”: you decide at the end of it."
IN_FILE_ALONE = "All of it, just as it is, is in the file above. Read it before you decide."


class Fit(Enum):
    """Where a question can be read in full."""

    MESSAGE = "message"
    FORM = "form"
    FILE = "file"


def fit(card: QuestionCard, limits: Limits) -> Fit:
    """Where this question can be read in full."""
    text = full_text(card, limits)
    if len(text) > limits.form_bytes:
        return Fit.FILE
    shown = visible(text)
    if length(shown) <= limits.message_units:
        return Fit.MESSAGE
    return Fit.FORM if len(shown.encode("utf-8", "replace")) <= limits.form_bytes else Fit.FILE


def full_text(card: QuestionCard, limits: Limits) -> str:
    """All that is to be decided, as plain text."""
    parts = (card.prompt, card.context, listed_options(card, limits))
    return "\n\n".join(part for part in parts if _has_content(part))


def _has_content(text: str) -> bool:
    """Whether there is something to be seen. Controls are, though Python takes some for spaces."""
    return bool(text.strip() or visible(text).strip())


def listed_options(card: QuestionCard, limits: Limits) -> str:
    """The options of a choice, where a button or select can't hold the labels; empty otherwise."""
    if not numbered(card.kind, card.options, limits):
        return ""
    return "\n".join(f"{number}. {each.label}" for number, each in enumerate(card.options, start=1))


def numbered(kind: QuestionKind, options: Sequence[Option], limits: Limits) -> bool:
    """Whether people see the options with numbers: where a button can't hold one of the labels."""
    most = limits.label_units
    return kind is QuestionKind.CHOICE and any(
        len(each.label) > most or length(visible(each.label)) > most or "\n" in each.label for each in options
    )


# ── open ────────────────────────────────────────────────────────────────────────────────────────────────


def ask(card: QuestionCard, limits: Limits) -> Message:
    """The question while it is open."""
    where = fit(card, limits)
    blocks: list[Block] = [Paragraph(_headline(card)), *_body(card, where, limits)]
    if where is not Fit.MESSAGE:
        how = IN_FILE if where is Fit.FILE else IN_FORM
        blocks.append(Notice((Bold("This is only the beginning."), f" {how}")))
    row = Actions(_row(card, where, limits), _audience(card))
    blocks += [row, SmallPrint((_who(card),)), *_small_print(card, where, limits)]
    return Message(_summary(card), tuple(blocks))


def elsewhere(card: QuestionCard, limits: Limits) -> Message:
    """The question for somebody who may not answer it, while others were asked directly."""
    where = fit(card, limits)
    who = SmallPrint(((*deciders(card), " can answer, and was asked in a direct message."),))
    partial = [] if where is Fit.MESSAGE else [SmallPrint((("This is only the beginning.",),))]
    blocks = (Paragraph(_headline(card)), *_body(card, where, limits), *partial, who)
    return Message(_summary(card), blocks)


def _headline(card: QuestionCard) -> Line:
    asker = Theirs(card.asker, NAME_UNITS)
    match card.kind:
        case QuestionKind.APPROVAL:
            return asker, " asks for approval"
        case QuestionKind.CHOICE:
            return asker, " asks you to choose"
        case QuestionKind.TEXT:
            return asker, " has a question"
        case QuestionKind.FORM:
            return asker, " asks for details"
        case QuestionKind.REVIEW:
            return asker, f" asks for a review{_round_of(card)}"


def _round_of(card: QuestionCard) -> str:
    """`: round 2 of 5`; empty for what has no rounds."""
    if card.round is None:
        return ""
    return f": round {card.round} of {card.rounds}" if card.rounds else f": round {card.round}"


def _body(card: QuestionCard, where: Fit, limits: Limits) -> list[Block]:
    """What the crew wrote: the prompt in a quotation, the context and the options each in a frame."""
    whole = where is Fit.MESSAGE
    prompt, about = (
        each if whole else beginning(each, SHORTENED_UNITS) for each in (card.prompt, card.context)
    )
    blocks: list[Block] = [SmallPrint(((THE_CREW_WRITES,),)), Quote(prompt)]
    if _has_content(about):
        blocks.append(Frame(about))
    if whole and (listed := listed_options(card, limits)):
        blocks.append(Frame(listed))
    return blocks


def _row(card: QuestionCard, where: Fit, limits: Limits) -> tuple[Element, ...]:
    """What can be pressed. The one that decides comes first; what only opens something, last."""
    target = _target(card)
    opening = Button("Show all", actions.OPEN_FULL, target, "Show the whole question", "primary")
    elements: list[Element] = deciding(card, limits) if where is Fit.MESSAGE else [opening]
    return (*elements, _reply_button(card, target, primary=not elements))


def _audience(card: QuestionCard) -> Audience | None:
    """Who has a use for what can be pressed. Whether they may is checked at the press all the same."""
    return None if card.anyone else Audience(card.deciders, _target(card))


def _target(card: QuestionCard, option_id: str = "") -> str:
    return Target(card.run_id, card.question_id, option_id, card.digest).encode()


def _reply_button(card: QuestionCard, target: str, *, primary: bool) -> Button:
    if card.kind is QuestionKind.REVIEW:
        return Button("Request changes...", actions.OPEN_REPLY, target, "Request changes in words")
    label = "Answer..." if card.kind is QuestionKind.TEXT else "Reply..."
    return Button(label, actions.OPEN_REPLY, target, "Answer in words", "primary" if primary else None)


def deciding(card: QuestionCard, limits: Limits) -> list[Element]:
    """The elements that decide: approve and reject, or the options. None for a question that wants words."""
    target = _target(card)
    match card.kind:
        case QuestionKind.APPROVAL | QuestionKind.REVIEW:
            approve = _label(card, Action.APPROVE, "Approve")
            reject = _label(card, Action.REJECT, "Reject")
            return [
                Button(approve, actions.ANSWER_APPROVE, target, f"{approve}: {card.prompt}", "primary"),
                Button(reject, actions.ANSWER_REJECT, target, f"{reject}: {card.prompt}", "danger"),
            ]
        case QuestionKind.CHOICE if card.options:
            return _choices(card, limits)
        case _:
            return []


def _label(card: QuestionCard, action: Action, otherwise: str) -> str:
    return next((each.label for each in card.options if each.id == action), otherwise)


def _choices(card: QuestionCard, limits: Limits) -> list[Element]:
    labels = _button_labels(card, limits)
    if len(card.options) > limits.buttons:
        offered = tuple(
            messages.Option(label, _target(card, each.id))
            for each, label in zip(card.options, labels, strict=True)
        )
        return [Select("Choose...", actions.ANSWER_SELECT, offered[: limits.options])]
    return [
        Button(label, actions.choose(each.id), _target(card, each.id), f"Choose {each.label}")
        for each, label in zip(card.options, labels, strict=True)
    ]


def _button_labels(card: QuestionCard, limits: Limits) -> list[str]:
    """Numbered where the labels in full are listed above."""
    if not listed_options(card, limits):
        return [each.label for each in card.options]
    return [f"{number}. {each.label}" for number, each in enumerate(card.options, start=1)]


def _who(card: QuestionCard) -> Line:
    return (*deciders(card), " can answer, with the buttons or by a reply in this thread.")


def deciders(card: QuestionCard) -> Line:
    """Who may answer: mentioned, so that they are told."""
    if card.anyone:
        return ("Anyone here",)
    names: list[Part] = [Mention(each) for each in card.deciders[:NAMED_DECIDERS]]
    if len(card.deciders) > NAMED_DECIDERS:
        names.append(f"{len(card.deciders) - NAMED_DECIDERS} others")
    return either(names or ["Nobody who is here"])


def either(names: Sequence[Part]) -> Line:
    """`a, b or c`."""
    *others, last = names
    listed = [part for at, name in enumerate(others) for part in ((", ", name) if at else (name,))]
    return (*listed, " or ", last) if others else (last,)


def _small_print(card: QuestionCard, where: Fit, limits: Limits) -> list[Block]:
    hint = _hint(card, where)
    lines: list[Line] = [(hint,)] if hint else []
    if card.deadline_at is None:
        return [SmallPrint(tuple(lines))] if lines else []
    lines.append(("Waits until ", Time(card.deadline_at), "."))
    return [SmallPrint(tuple(lines), literal=_after_timeout(card, limits))]


def _hint(card: QuestionCard, where: Fit) -> str:
    match card.kind:
        case QuestionKind.APPROVAL | QuestionKind.CHOICE if where is not Fit.MESSAGE:
            return "A reply is passed on as words; it never approves."
        case QuestionKind.REVIEW:
            return "Approve: it stands. Request changes, or a reply: another round. Reject: the run ends."
        case QuestionKind.APPROVAL | QuestionKind.CHOICE:
            return "A reply of just a button's label counts as that button; other words never approve."
        case QuestionKind.TEXT | QuestionKind.FORM:
            return ""


def _after_timeout(card: QuestionCard, limits: Limits) -> Line:
    match card.on_timeout:
        case OnTimeout.REJECTS:
            return ("If nobody answers, it counts as rejected.",)
        case OnTimeout.CHOOSES:
            chosen = Theirs(card.timeout_label, limits.label_units, "plain")
            return "If nobody answers, it is “", chosen, "”."
        case OnTimeout.EXPIRES:
            return ("If nobody answers, the question expires; nothing is approved by silence.",)


def _summary(card: QuestionCard) -> Line:
    return (*_headline(card), ": ", Theirs(card.prompt, 500, lines=True))


# ── settled ─────────────────────────────────────────────────────────────────────────────────────────────


def settled(card: QuestionCard, limits: Limits) -> Message:
    """The question with its outcome, who decided and when; nothing to press any more."""
    outcome = _outcome(card)
    body = _body(card, fit(card, limits), limits)
    blocks: list[Block] = [Paragraph(_headline(card)), *body, Paragraph(outcome)]
    if words := _comment(card):
        blocks.append(Quote(beginning(words, ANSWER_UNITS)))
    return Message((*outcome, " ", Theirs(card.prompt, 300, lines=True)), tuple(blocks))


def _outcome(card: QuestionCard) -> Line:
    outcome = card.outcome
    if outcome is None:
        return (Bold("Open"),)
    by = (" by ", Mention(outcome.by.principal)) if outcome.by else ()
    at = (" ", Time(card.settled_at)) if card.settled_at is not None else ()
    return (*_verb(card), *by, *at)


def _verb(card: QuestionCard) -> Line:
    outcome = card.outcome
    match outcome.action if outcome else None:
        case Action.APPROVE:
            return "✅ ", Bold("Approved")
        case Action.REJECT:
            return "❌ ", Bold("Rejected"), "" if outcome and outcome.by else ": nobody answered in time"
        case Action.CHOOSE:
            chosen = next((o.label for o in card.options if outcome and o.id == outcome.value), "")
            in_time = "" if outcome and outcome.by else " (nobody answered in time)"
            return "✅ ", Bold("Chosen:"), " ", Theirs(chosen, SHORTENED_UNITS), in_time
        case Action.RESPOND:
            review = card.kind is QuestionKind.REVIEW
            return ("✏️ ", Bold("Changes requested")) if review else ("💬 ", Bold("Answered in words"))
        case Action.EXPIRE:
            return "⌛ ", Bold("Expired"), ": nobody answered in time; nothing was approved"
        case _:
            return "🚫 ", Bold("Withdrawn"), ": the run ended before anybody answered"


def _comment(card: QuestionCard) -> str:
    """The words of who answered. The store's own remark on silence is in the outcome already."""
    return card.outcome.comment.strip() if card.outcome is not None and card.outcome.by is not None else ""


def reminder(card: QuestionCard, link: str | None) -> Message:
    """One mention in the thread, with a link to the question."""
    about = Link("this question", link) if link else "the question above"
    until = (" It waits until ", Time(card.deadline_at), ".") if card.deadline_at is not None else ()
    notice = (*deciders(card), ": ", about, " is still open.", *until)
    summary = (*notice, " “", Theirs(card.prompt, 300, lines=True), "”")
    return Message(summary, (Notice(notice), Quote(short(card.prompt, 300))))


# ── where the platform refuses the blocks ───────────────────────────────────────────────────────────────


def in_words(card: QuestionCard, limits: Limits) -> Message:
    """The question as text alone, answered by replies. All of it is in a file: text has markup."""
    labels = " / ".join(each.label for each in card.options if each.id != Action.RESPOND)
    how: Line = ("Reply in this thread:",)
    if labels:
        how = ("Reply in this thread with one of: ", Theirs(labels, 960, lines=True), ". Or")
    asked = Theirs(full_text(card, limits), SHORTENED_UNITS, lines=True)
    return Message(
        (
            *_headline(card), f"\n\n{THE_CREW_WRITES} ", asked, "\n\n", Bold(IN_FILE_ALONE), "\n\n",
            *deciders(card), ": ", *how, " answer in words.",
        )
    )  # fmt: skip


def bare(run_id: str) -> Message:
    """Instead of a question that can't even be written as text."""
    return Message(
        ("A question of the run ", Code(run_id), " can't be shown here. Answer it in the console.")
    )
