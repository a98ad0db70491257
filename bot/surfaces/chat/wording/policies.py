"""Policies in words: who may decide, how far a decision is, and why somebody's response doesn't count. Pure.

Names of groups and policies are their author's, so they are shown as such.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.core.errors import TRY_AGAIN
from bot.core.people.actor import Actor
from bot.core.people.identities import without_tenant
from bot.core.people.policy import ANYONE, Objection, OnReject, Policy, is_live_group, member
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Counted
from bot.surfaces.chat.cards import QuestionCard
from bot.surfaces.chat.formatted_text import Bold, FormattedText, Mention, Part, Time, Untrusted, joined
from bot.surfaces.chat.messages import Block, Paragraph

MAX_NAMED = 5
"""How many people or groups are named; of more, only the number."""
NAME_UNITS = 60
REASON_UNITS = 500
COMMENT_UNITS = 300
COMMENTS_UNITS = 2400
"""How much is shown of what all of them said together."""
MAX_LISTED = 20
"""Of how many it is said what each answered; the record has all of them."""
NOT_ADMITTED = "Guests and people from elsewhere can't answer here: this crew doesn't admit them."


def deciders(policy: Policy) -> FormattedText:
    """Who may decide: the words of a named policy, or those whom the crew names, so that they are told."""
    if ANYONE in policy.deciders and not policy.who:
        return ("anyone here",)
    names = [_word(each) for each in policy.who] or [(Mention(each),) for each in policy.deciders]
    return listed(names or [("nobody who is here",)], "or")


def listed(names: Sequence[FormattedText], last: str) -> FormattedText:
    """`a, b or c`."""
    shown = list(names[:MAX_NAMED])
    if len(names) > MAX_NAMED:
        shown.append((f"{len(names) - MAX_NAMED} others",))
    parts: list[Part] = []
    for at, name in enumerate(shown):
        separator = "" if at == 0 else f" {last} " if at == len(shown) - 1 else ", "
        parts += [separator, *name] if separator else name
    return tuple(parts)


def _word(word: str) -> FormattedText:
    """A word of a policy: ours, somebody who can be mentioned, or a name that its author gave."""
    if word == "requester":
        return ("the requester",)
    if word == "anyone":
        return ("anyone",)
    named = member(word)
    if is_live_group(named) or _is_person(word):
        return (Mention(named),)
    return (Untrusted(word, NAME_UNITS),)


def _is_person(word: str) -> bool:
    return ":" in word or (word[:1] in {"U", "W"} and word.isalnum() and word == word.upper())


def person(actor: Actor) -> Mention:
    """Somebody who acted."""
    return Mention(actor.principal, actor.label)


# ── what a policy asks for ──────────────────────────────────────────────────────────────────────────────


def applies(policy: Policy) -> bool:
    """Whether there is more to say than who may decide."""
    return bool(policy.name) or policy.seats > 1 or bool(policy.not_)


def rule(policy: Policy) -> FormattedText:
    """What the policy says, in a sentence, with its name and version."""
    excluded: FormattedText = (
        (", but not ", *listed([_word(each) for each in policy.not_], "nor")) if policy.not_ else ()
    )
    named: FormattedText = (
        (" Policy ", Untrusted(policy.name, NAME_UNITS), f", version {policy.version}.")
        if policy.name
        else ()
    )
    return (*_needed(policy), *excluded, ".", *_on_reject(policy), *named)


def _needed(policy: Policy) -> FormattedText:
    if policy.per_group:
        seats = [(f"{number} of ", *_word(group)) for group, number in policy.per_group.items()]
        return ("It takes ", *listed(seats, "and"), ", each a different person")
    people = "one person" if policy.need == 1 else f"{policy.need} different people"
    return (f"It takes {people} of ", *deciders(policy))


def _on_reject(policy: Policy) -> FormattedText:
    if policy.seats == 1:
        return ()
    if policy.on_reject is OnReject.COUNTS:
        return (" Rejections count, too: it is rejected once an approval is out of reach.",)
    return (" One rejection ends it.",)


# ── how far a decision is ───────────────────────────────────────────────────────────────────────────────


def progress_blocks(card: QuestionCard) -> list[Block]:
    """How many have decided, who, and who is needed; who no longer counts. Empty while nobody has."""
    lines = progress_lines(card)
    return [Paragraph(joined(lines))] if lines else []


def progress_lines(card: QuestionCard) -> list[FormattedText]:
    """The progress, line by line."""
    so_far = card.progress
    lines: list[FormattedText] = []
    if card.open and (card.policy.seats > 1 or so_far.counted):
        lines.append(progress(card))
    if card.open and so_far.ineligible:
        lines.append(_ineligible(card, so_far.ineligible))
    return lines


def responses(card: QuestionCard) -> list[Block]:
    """Who counted for the outcome, where there were several: all, or of very many the last ones."""
    counted = card.outcome.responses if card.outcome else ()
    if card.policy.seats == 1 or not counted:
        return []
    shown = counted[-MAX_LISTED:]
    units = min(COMMENT_UNITS, COMMENTS_UNITS // len(shown))
    earlier = len(counted) - len(shown)
    lines: list[FormattedText] = [(f"• {earlier} more before them",)] if earlier else []
    for each in shown:
        said: FormattedText = (": ", Untrusted(each.comment, units)) if each.comment.strip() else ()
        lines.append(("• ", *_counted(card, each, settled=True), *said))
    return [Paragraph(joined(lines))]


def progress(card: QuestionCard) -> FormattedText:
    """`1 of 2 · Ada, 10:42 · needs one more of @finance`."""
    so_far = card.progress
    parts: list[Part] = [Bold(f"{so_far.approved} of {card.policy.seats}")]
    for each in so_far.counted[-MAX_NAMED:]:
        parts += [" · ", *_counted(card, each)]
    return (*parts, " · ", *_missing(card))


def _counted(card: QuestionCard, each: Counted, *, settled: bool = False) -> FormattedText:
    what: FormattedText = (" approved",) if settled and each.action is Action.APPROVE else ()
    if each.action is Action.REJECT:
        what = (" rejected",)
    elif each.action is Action.CHOOSE:
        label = next((option.label for option in card.options if option.id == each.value), "")
        what = (" chose ", Untrusted(label, NAME_UNITS))
    return (person(each.by), *what, ", ", Time(each.at))


def _missing(card: QuestionCard) -> FormattedText:
    so_far = card.progress
    left = card.policy.seats - so_far.approved
    if left < 1:  # Somebody who had answered may decide again.
        return ("the next answer that agrees settles it",)
    more = "needs one more of " if left == 1 else f"needs {left} more of "
    names = [_word(each) for each in so_far.missing or card.policy.per_group]
    last = "and" if card.policy.per_group and left > 1 else "or"
    return (more, *(listed(names, last) if names else deciders(card.policy)))


def _ineligible(card: QuestionCard, responses: Sequence[Counted]) -> FormattedText:
    why = "may no longer decide"
    if card.edited or card.edit:  # An edit may have been undone by another one.
        why = "answered before it was edited, or may no longer decide"
    names = listed([(person(each.by), " (", Time(each.at), ")") for each in responses], "and")
    return ("No longer counted: ", *names, f": {why}.")


# ── why a response doesn't count ────────────────────────────────────────────────────────────────────────


def not_allowed(ruling: Ruling, policy: Policy) -> FormattedText:
    """Why this person may not decide, and who may."""
    may: FormattedText = (" It is for ", *deciders(policy), " to decide.")
    match ruling.objection:
        case Objection.EXCLUDED:
            named = listed([_word(each) for each in policy.not_], "and")
            return ("You can't decide this: its policy excludes ", *named, ".", *may)
        case Objection.MEMBERSHIP:
            return (NOT_ADMITTED,)
        case Objection.UNREADABLE_GROUP:
            return (
                "Nothing was counted: it can't be found out now whether you may decide this. ",
                Untrusted(ruling.reason, REASON_UNITS, "plain")
                if ruling.reason
                else "A group can't be read.",
            )
        case Objection.UNVERIFIED:
            return (
                "Nothing was counted: it can't be found out now whether you may decide this. ",
                Untrusted(ruling.reason or TRY_AGAIN, REASON_UNITS, "plain"),
            )
        case _:
            return ("This isn't yours to decide. Ask ", *deciders(policy), ".")


def already_responded(card: QuestionCard, action: Action) -> FormattedText:
    """Somebody gives the same response again."""
    done = {
        Action.APPROVE: "You already approved this",
        Action.REJECT: "You already rejected this",
        Action.CHOOSE: "You already chose this",
    }.get(action, "You already answered this")
    return (f"{done}, and it counts once. Now ", *progress(card), ".")


def mentions(policy: Policy) -> frozenset[str]:
    """The principals and groups that a message about this policy mentions, without their tenants."""
    named = [member(each) for each in policy.who if each not in {"requester", "anyone"}] or policy.deciders
    return frozenset(map(without_tenant, named))
