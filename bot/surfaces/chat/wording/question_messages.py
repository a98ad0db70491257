"""An open question as a message, with all that one needs to decide it. Pure.

What a crew wrote stands in a quotation or a frame, literally: no markup has an effect in it, and nothing in
it can pass for what Crewdeck says. Nothing is approved half-seen. A question that fits into a message is
shown in full, with its buttons. One that doesn't is shown shortened, with its deciding buttons at the end of
the form that "Show all" opens. One that is too long for a form is posted as a file in the thread first, and
the form says so above its buttons.
"""

from __future__ import annotations

from enum import Enum

from bot.core.questions.question import Action, QuestionKind
from bot.core.text import named, visible
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import OnTimeout, QuestionCard
from bot.surfaces.chat.formatted_text import (
    Bold,
    Code,
    Command,
    FormattedText,
    Link,
    Mention,
    Time,
    Untrusted,
)
from bot.surfaces.chat.messages import (
    Actions,
    Block,
    Button,
    Frame,
    Limits,
    Message,
    Notice,
    Paragraph,
    Quote,
    SmallPrint,
    units,
)
from bot.surfaces.chat.shortening import beginning, length, short
from bot.surfaces.chat.wording import gates, policies, question_buttons

SHORTENED_UNITS = 1500
"""How much of the prompt, and of the context, a shortened question shows."""
NAME_UNITS = 100
THE_CREW_WRITES = "The crew writes:"
FORM_BLOCKS = 10
"""What stands in a form besides the question's own text."""
IN_FILE = "All of it is in the file above. Press “Show all” when you have read it: you decide there."
IN_FORM = "Press “Show all”: you decide at the end of it."
IN_FILE_ALONE = "All of it, just as it is, is in the file above. Read it before you decide."


class ReadableIn(Enum):
    """Where a question can be read in full."""

    MESSAGE = "message"
    FORM = "form"
    FILE = "file"


def readable_in(card: QuestionCard, limits: Limits) -> ReadableIn:
    """Where this question can be read in full."""
    text = full_text(card, limits)
    if len(text) > limits.form_bytes:
        return ReadableIn.FILE
    shown, blocks = visible(text), len(whole_body(card, limits))
    if length(shown) <= limits.message_units and blocks <= limits.rows:
        return ReadableIn.MESSAGE
    fits = len(shown.encode("utf-8", "replace")) <= limits.form_bytes
    return ReadableIn.FORM if fits and blocks <= limits.fields - FORM_BLOCKS else ReadableIn.FILE


def full_text(card: QuestionCard, limits: Limits) -> str:
    """All that is to be decided, as plain text."""
    called = gates.as_text(card.call) if card.call is not None else ""
    parts = (_prompt(card), card.context, called, question_buttons.listed_options(card, limits))
    return "\n\n".join(_without_open_end(part) for part in parts if _has_content(part))


def _without_open_end(text: str) -> str:
    """The text; a carriage return at its end is named, or it would be part of the line break after it."""
    return f"{text[:-1]}{named(text[-1])}" if text.endswith("\r") else text


def _has_content(text: str) -> bool:
    """Whether there is something to be seen. Controls are, though Python takes some for spaces."""
    return bool(text.strip() or visible(text).strip())


# ── open ────────────────────────────────────────────────────────────────────────────────────────────────


def ask(card: QuestionCard, limits: Limits) -> Message:
    """The question while it is open."""
    where = readable_in(card, limits)
    blocks: list[Block] = [Paragraph(headline(card)), *body(card, where, limits)]
    if where is not ReadableIn.MESSAGE:
        how = IN_FILE if where is ReadableIn.FILE else IN_FORM
        blocks.append(Notice((Bold("This is only the beginning."), f" {how}")))
    pressed = question_buttons.row(card, limits, in_full=where is ReadableIn.MESSAGE)
    row = Actions(pressed, question_buttons.audience(card))
    blocks += [*edits(card, limits), *policies.progress_blocks(card), row]
    blocks += [*_who(card), *_small_print(card, where, limits)]
    return Message(_summary(card), tuple(blocks))


def showing(card: QuestionCard, limits: Limits, label: str, name: str) -> Button | None:
    """The button in a list that opens all of a question; `name` distinguishes it from the others there.

    None where no form holds all of it: whoever sees the list may not have the file that does.
    """
    if readable_in(card, limits) is ReadableIn.FILE:
        return None
    target = Target(card.run_id, card.question_id, digest=card.digest).encode()
    return Button(label, f"{actions.OPEN_FULL}.{name}", target, f"Show and decide: {card.prompt}")


def read_only(card: QuestionCard, limits: Limits) -> Message:
    """The question for somebody who may not answer it, while others were asked directly."""
    where = readable_in(card, limits)
    who = SmallPrint(((*mention_deciders(card), " can answer, and was asked in a direct message."),))
    partial = [] if where is ReadableIn.MESSAGE else [SmallPrint((("This is only the beginning.",),))]
    shown = (*body(card, where, limits), *partial, *edits(card, limits), *policies.progress_blocks(card))
    return Message(_summary(card), (Paragraph(headline(card)), *shown, who))


def headline(card: QuestionCard) -> FormattedText:
    """Who asks for what; of a gate, what is done, on what and as whom."""
    asker = Untrusted(card.asker, NAME_UNITS)
    if card.call is not None:
        return (*gates.headline(card.call), "\n", asker, " asks for approval before it does that")
    match card.kind:
        case QuestionKind.APPROVAL:
            return asker, " asks for approval"
        case QuestionKind.CHOICE:
            return asker, " asks you to choose"
        case QuestionKind.TEXT:
            return asker, " has a question"
        case QuestionKind.FORM:
            return asker, " asks you to fill in a form"
        case QuestionKind.REVIEW:
            return asker, f" asks for a review{_round_of(card)}"


def _round_of(card: QuestionCard) -> str:
    """`: round 2 of 5`; empty for what has no rounds."""
    if card.round is None:
        return ""
    return f": round {card.round} of {card.rounds}" if card.rounds else f": round {card.round}"


def body(card: QuestionCard, where: ReadableIn, limits: Limits) -> list[Block]:
    """What the crew wrote: all of it, or its beginning."""
    if where is ReadableIn.MESSAGE:
        return whole_body(card, limits)
    about = beginning(card.context, SHORTENED_UNITS)
    called = gates.beginning_of_arguments(card.call) if card.call is not None else []
    return [*_quoted(beginning(_prompt(card), SHORTENED_UNITS), about), *called]


def whole_body(card: QuestionCard, limits: Limits) -> list[Block]:
    """What the crew wrote: the prompt in a quotation, context, arguments and options each in a frame."""
    called = gates.arguments(card.call) if card.call is not None else []
    listed = question_buttons.listed_options(card, limits)
    return [*_quoted(_prompt(card), card.context), *called, *([Frame(listed)] if listed else [])]


def in_full(card: QuestionCard, limits: Limits) -> list[Block]:
    """All of a question, as a form shows it."""
    if card.call is None:
        return [SmallPrint(((THE_CREW_WRITES,),)), Frame(full_text(card, limits))]
    return [Paragraph(headline(card)), *whole_body(card, limits)]


def _quoted(prompt: str, context: str) -> list[Block]:
    blocks: list[Block] = [SmallPrint(((THE_CREW_WRITES,),))]
    if _has_content(prompt):
        blocks.append(Quote(prompt))
    return [*blocks, Frame(context)] if _has_content(context) else blocks


def _prompt(card: QuestionCard) -> str:
    """The prompt; nothing where the headline says the same, or said it before the call was edited."""
    said = card.call is not None and card.prompt.strip() in gates.summaries(card.call)
    return "" if said and len(card.prompt) <= gates.TITLE_UNITS else card.prompt


def edits(card: QuestionCard, limits: Limits) -> list[Block]:
    """What was edited; where the difference is too long for the message, that it was."""
    blocks = gates.edits(card) if card.edited else []
    shown = units(blocks) + length(visible(full_text(card, limits)))
    return blocks if shown <= limits.message_units and len(blocks) <= limits.rows else blocks[:1]


def _who(card: QuestionCard) -> list[Block]:
    """Who may decide, by what rule, and how."""
    how = "with the buttons or by a reply here." if card.words_count else "with the buttons, not in words."
    line = SmallPrint(((*mention_deciders(card), f" can answer, {how}"),))
    return [Paragraph(policies.rule(card.policy)), line] if policies.applies(card.policy) else [line]


def mention_deciders(card: QuestionCard) -> FormattedText:
    """Who may answer: mentioned, so that they are told."""
    if card.anyone:
        return ("Anyone here",)
    names: list[FormattedText] = [(Mention(each),) for each in card.deciders]
    return policies.listed(names or [("Nobody who is here",)], "or")


def _small_print(card: QuestionCard, where: ReadableIn, limits: Limits) -> list[Block]:
    hint = _hint(card, where)
    lines: list[FormattedText] = [(hint,)] if hint else []
    if card.deadline_at is None:
        return [SmallPrint(tuple(lines))] if lines else []
    lines.append(("Waits until ", Time(card.deadline_at), "."))
    return [SmallPrint(tuple(lines), literal=_after_timeout(card, limits))]


def _hint(card: QuestionCard, where: ReadableIn) -> str:
    if card.call is not None:
        return "Without an approval it isn't done. The reason of a rejection is passed on to the crew."
    if not card.words_count:
        return ""
    match card.kind:
        case QuestionKind.APPROVAL | QuestionKind.CHOICE if where is not ReadableIn.MESSAGE:
            return "A reply is passed on as words; it never approves."
        case QuestionKind.REVIEW:
            return "Approve: it stands. Request changes, or a reply: another round. Reject: the run ends."
        case QuestionKind.APPROVAL | QuestionKind.CHOICE:
            return "A reply of just a button's label counts as that button; other words never approve."
        case QuestionKind.TEXT | QuestionKind.FORM:
            return ""


def _after_timeout(card: QuestionCard, limits: Limits) -> FormattedText:
    match card.on_timeout:
        case OnTimeout.REJECTS:
            return ("If nobody answers, it counts as rejected.",)
        case OnTimeout.CHOOSES:
            chosen = Untrusted(card.timeout_label, limits.label_units, "plain")
            return "If nobody answers, it is “", chosen, "”."
        case OnTimeout.EXPIRES:
            return ("If nobody answers, the question expires; nothing is approved by silence.",)


def _summary(card: QuestionCard) -> FormattedText:
    if card.call is not None and not _prompt(card):
        return headline(card)
    return (*headline(card), ": ", Untrusted(card.prompt, 500, lines=True))


# ── news of an open question ────────────────────────────────────────────────────────────────────────────


def reminder(card: QuestionCard, link: str | None) -> Message:
    """One mention in the thread, with a link to the question, and who is still needed."""
    about = Link("this question", link) if link else "the question above"
    until = (" It waits until ", Time(card.deadline_at), ".") if card.deadline_at is not None else ()
    notice = (*mention_deciders(card), ": ", about, " is still open.", *until)
    summary = (*notice, " “", Untrusted(card.prompt, 300, lines=True), "”")
    return Message(summary, (Notice(notice), *policies.progress_blocks(card), Quote(short(card.prompt, 300))))


def edited(card: QuestionCard, link: str | None, limits: Limits) -> Message:
    """To everybody in the thread: what is to be approved was edited, how, and whose approval is void.

    How is said at the question alone where no message holds it.
    """
    by: FormattedText = (policies.person(card.edit.by),) if card.edit else ("Somebody",)
    there: FormattedText = (" ", Link("See it", link), ".") if link else ()
    void = (*by, " edited what is to be approved. Earlier approvals don't count any more.", *there)
    how = gates.edits(card)[1:]
    if units(how) > limits.message_units or len(how) > limits.rows:
        how = [SmallPrint((("What was changed is too long for a message: the question shows all of it.",),))]
    return Message(void, (Paragraph(void), *how, *policies.progress_blocks(card)))


# ── where the platform refuses the blocks ───────────────────────────────────────────────────────────────


def in_words(card: QuestionCard, limits: Limits) -> Message:
    """The question as text alone, answered by replies. All of it is in a file: text has markup."""
    labels = " / ".join(each.label for each in card.options if each.id != Action.RESPOND)
    how: FormattedText = ("Reply here:",)
    if labels:
        how = ("Reply here with one of: ", Untrusted(labels, 960, lines=True), ". Or")
    if not card.words_count:
        return _in_console(card, limits)
    asked = Untrusted(full_text(card, limits), SHORTENED_UNITS, lines=True)
    return Message(
        (
            *headline(card), f"\n\n{THE_CREW_WRITES} ", asked, "\n\n", Bold(IN_FILE_ALONE), "\n\n",
            *mention_deciders(card), ": ", *how, " answer in words.",
        )
    )  # fmt: skip


def _in_console(card: QuestionCard, limits: Limits) -> Message:
    """As text alone, a question that words don't decide: it leads to the console."""
    asked = Untrusted(full_text(card, limits), SHORTENED_UNITS, lines=True)
    where = (
        "It can't be shown with its buttons here: decide it in the console, ",
        Command("console"),
        ".",
    )
    return Message((*headline(card), f"\n\n{THE_CREW_WRITES} ", asked, "\n\n", *where))


def fallback(run_id: str) -> Message:
    """In place of a question that can't be rendered, not even as text."""
    return Message(
        ("A question of the run ", Code(run_id), " can't be shown here. Answer it in the console.")
    )
