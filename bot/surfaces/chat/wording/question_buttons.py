"""What can be pressed at a question: what decides it, and what takes an answer back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.questions.question import Action, Option, QuestionKind
from bot.core.text import visible
from bot.surfaces.chat import actions, messages
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.messages import Audience, Button, Element, Limits, Select
from bot.surfaces.chat.shortening import length
from bot.surfaces.chat.wording import gates


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


def row(card: QuestionCard, limits: Limits, *, in_full: bool) -> tuple[Element, ...]:
    """What can be pressed. The one that decides comes first; what only opens something, last.

    Unless the message shows the question `in_full`, its buttons open the question instead of deciding it.
    """
    target = _target(card)
    opening = Button("Show all", actions.OPEN_FULL, target, "Show the whole question", "primary")
    elements: list[Element] = deciding(card, limits) if in_full else [opening]
    return (*elements, *replying(card, primary=not elements), *withdrawing(card))


def replying(card: QuestionCard, *, primary: bool) -> list[Element]:
    """What opens the form for words, where they are an answer."""
    return [_reply_button(card, _target(card), primary=primary)] if card.words_count else []


def audience(card: QuestionCard) -> Audience | None:
    """Who is shown the buttons. Whether they may decide is checked again at each press.

    None, and so everybody, where members of a group may decide: who they are is known at the press only.
    """
    if card.anyone or card.policy.live_groups:
        return None
    return Audience(card.deciders, _target(card))


def withdrawing(card: QuestionCard) -> list[Element]:
    """What takes a response back, while there is one."""
    if not card.progress.counted and not card.progress.ineligible:
        return []
    return [Button("Take back", actions.WITHDRAW, _target(card), "Take your own answer back")]


def _target(card: QuestionCard, option_id: str = "") -> str:
    return Target(card.run_id, card.question_id, option_id, card.digest).encode()


def _reply_button(card: QuestionCard, target: str, *, primary: bool) -> Button:
    if card.kind is QuestionKind.REVIEW:
        return Button("Request changes...", actions.OPEN_REPLY, target, "Request changes in words")
    label = "Answer..." if card.kind is QuestionKind.TEXT else "Reply..."
    return Button(label, actions.OPEN_REPLY, target, "Answer in words", "primary" if primary else None)


def deciding(card: QuestionCard, limits: Limits) -> list[Element]:
    """The elements that decide: approve and reject, or the options. None for a question that wants words.

    A form that edits what is approved is among them: whoever opens it has been shown all of the question.
    """
    match card.kind:
        case QuestionKind.APPROVAL | QuestionKind.REVIEW:
            return _approving(card)
        case QuestionKind.CHOICE if card.options:
            return _choices(card, limits)
        case QuestionKind.FORM:
            return _filling_in(card)
        case _:
            return []


def _filling_in(card: QuestionCard) -> list[Element]:
    target = _target(card)
    return [
        Button("Fill in...", actions.OPEN_REPLY, target, f"Fill in: {card.prompt}", "primary"),
        Button("Decline...", actions.OPEN_REJECT, target, f"Decline: {card.prompt}"),
    ]


def _approving(card: QuestionCard) -> list[Element]:
    target, about = _target(card), gates.plain_summary(card.call) if card.call is not None else card.prompt
    approve = _label(card, Action.APPROVE, "Approve")
    reject = _label(card, Action.REJECT, "Reject")
    rejecting = Button(reject, actions.ANSWER_REJECT, target, f"{reject}: {about}", "danger")
    if card.call is not None:
        rejecting = Button(f"{reject}...", actions.OPEN_REJECT, target, f"{reject} with a reason: {about}")
    editing = Button("Edit and approve...", actions.OPEN_EDIT, target, f"Edit and approve: {about}")
    return [
        Button(approve, actions.ANSWER_APPROVE, target, f"{approve}: {about}", "primary"),
        *([editing] if card.editable else []),
        rejecting,
    ]


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
