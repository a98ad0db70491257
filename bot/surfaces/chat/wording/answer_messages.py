"""What is said privately to somebody who answers a question, or tries to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.people.policy import Policy
from bot.core.questions import answering
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Outcome, Question, QuestionKind
from bot.core.runs.run import Run
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.formatted_text import Bold, FormattedText, Mention, Untrusted, joined, plain_words
from bot.surfaces.chat.messages import Actions, Block, Button, Limits, Message, Paragraph, Quote, text_message
from bot.surfaces.chat.shortening import beginning
from bot.surfaces.chat.wording import policies
from bot.surfaces.chat.wording.private_messages import PROMPT_UNITS, STATES, TEXT_UNITS, crew_title, named

QUOTED_UNITS = 300
CONTEXT_UNITS = 100
TICKED = "What you ticked"
NOTHING_TICKED = "Tick what you mean first, or open one of them to decide it alone."


def ask_which_question(
    asked: Sequence[tuple[Run, Question]], reply: str, reply_id: str, limits: Limits
) -> Message:
    """A reply may be meant for several questions. Its words are remembered by its id."""
    heading = (Bold("Which question is that for?"),)
    blocks: list[Block] = [Paragraph(heading), Quote(beginning(reply.strip(), QUOTED_UNITS))]
    for run, question in asked[: limits.rows]:
        blocks += _question_row(run, question, reply_id)
    return Message(heading, tuple(blocks))


def _question_row(run: Run, question: Question, reply_id: str) -> tuple[Block, Block]:
    target = Target(run.id, question.id, reply_id).encode()
    prompt = question.prompt.strip()
    context = question.context.strip()
    about: FormattedText = (crew_title(run.crew), " asks: ", Untrusted(prompt, QUOTED_UNITS))
    if context:  # Questions with the same prompt may be about different things.
        about = (*about, "\n", Untrusted(context, CONTEXT_UNITS))
    button = Button(prompt or "This one", actions.choose_question(question.id), target, f"For: {prompt}")
    return Paragraph(about), Actions((button,))


def run_is_over(run: Run) -> FormattedText:
    """Somebody replies to a run that has ended."""
    return (*named(run), f" is over ({STATES[run.status]}): it no longer takes answers.")


def already_settled(question: Question) -> FormattedText:
    """Somebody replies after the decision."""
    outcome = question.outcome
    by: FormattedText = (" by ", Mention(outcome.by.principal)) if outcome and outcome.by else ()
    decision: FormattedText = (
        (": ", Untrusted(outcome.text(question.options), PROMPT_UNITS)) if outcome else ()
    )
    return ("The last question here was already settled", *by, *decision, ". Your reply was not passed on.")


def refusal(ruling: Ruling, policy: Policy) -> FormattedText:
    """Why an answer did not count; empty if it did."""
    if answering.counted(ruling):
        return ()
    if ruling.code == "not_allowed":
        return policies.not_allowed(ruling, policy)
    if ruling.code == "invalid_answer" and "action" in ruling.errors:
        return ("This takes no such answer: ", Untrusted(ruling.errors["action"], TEXT_UNITS, "plain"), ".")
    question = ruling.question
    if ruling.code == "settled" and question is not None and question.outcome is not None:
        return _settled(question, question.outcome)
    return (answering.explain(ruling, ""),)


def settled_since(question: Question, outcome: Outcome) -> FormattedText:
    """Somebody gives an answer again that they gave before the question was settled."""
    return (*_was_settled(question, outcome), " You had answered it before that.")


def _settled(question: Question, outcome: Outcome) -> FormattedText:
    return (*_was_settled(question, outcome), " Your answer was not counted.")


def _was_settled(question: Question, outcome: Outcome) -> FormattedText:
    """What was decided, in words that can't pass for ours."""
    if outcome.action is Action.CANCEL:
        return ("This question was withdrawn because its run ended.",)
    if outcome.action is Action.EXPIRE:
        return ("This question's deadline has passed.",)
    by: FormattedText = (" by ", policies.person(outcome.by)) if outcome.by else ()
    said = outcome.comment.strip()
    if outcome.action in {Action.RESPOND, Action.SUBMIT}:
        decided: FormattedText = (Untrusted(outcome.text(question.options), PROMPT_UNITS),)
    else:
        label = outcome.model_copy(update={"comment": ""}).text(question.options)
        decided = (Untrusted(label, PROMPT_UNITS), *((": ", Untrusted(said, PROMPT_UNITS)) if said else ()))
    return ("This was already settled", *by, ": ", *decided, ".")


def refusal_in_form(ruling: Ruling, policy: Policy) -> str:
    """A refusal as plain text, for a form's field, where nobody can be mentioned."""
    return plain_words(refusal(ruling, policy))


def press_instead(card: QuestionCard) -> FormattedText:
    """Somebody answers in words what words don't decide."""
    if card.kind is QuestionKind.FORM:
        return ("Words don't answer a form. Press “Fill in...” at the question.",)
    why = "a tool call" if card.call is not None else "what several people decide"
    return (f"Words don't decide {why}, so nothing was counted. Press one of the buttons at the question.",)


def fill_in_form(question: Question) -> Message:
    """Somebody answers a form in words: a button to the form."""
    text: FormattedText = (
        "Words don't answer a form, so nothing was sent: “",
        Untrusted(question.prompt, PROMPT_UNITS),
        "”.",
    )
    return Message(text, (Paragraph(text), Actions((fill_in(question),))))


def fill_in(question: Question) -> Button:
    """Opens the form that a question is."""
    target = Target(question.run_id, question.id, digest=question.digest).encode()
    return Button("Fill in...", actions.OPEN_REPLY, target, f"Fill in: {question.prompt}", "primary")


def taken_back() -> Message:
    """Somebody took their answer back."""
    return text_message("Your answer was taken back. You can answer again as long as nothing is settled.")


def nothing_to_take_back() -> Message:
    """Somebody has no answer that they could take back."""
    return text_message("You have no answer here that you could take back.")


def counted_of(action: Action, counted: int, refused: Sequence[tuple[str, FormattedText]]) -> Message:
    """What became of the approvals that somebody ticked. `refused`: what each is about, and why not."""
    done = "Approved" if action is Action.APPROVE else "Rejected"
    total = counted + len(refused)
    lines: list[FormattedText] = [(Bold(f"{done} {counted} of {total}."),)]
    lines += [("• ", Untrusted(about, PROMPT_UNITS), ": ", *why) for about, why in refused]
    return text_message(*joined(lines))
