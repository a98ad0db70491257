"""Who may decide a question and is known on this platform, wherever the run lives: read for each showing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from bot.core.errors import CrewdeckError, StoreUnavailable
from bot.core.people.actor import Actor
from bot.core.people.identities import People, names_with_unlinked
from bot.core.people.policy import Objection, Policy, is_live_group, objection
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.run import Run
from bot.surfaces.chat.delivery.question_poster import MAX_ASKED
from bot.surfaces.chat.recipients import ProfileUnavailable, Recipients

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Recipient:
    """Somebody of this surface who is to be asked, or was."""

    user: str
    #: None: that can't be found out now.
    may_decide: bool | None
    actor: Actor | None = None
    #: They could decide by an identity that has been unlinked since.
    unlinked: bool = False


class Deciders:
    """Finds the people of one surface who may decide questions. Raises StoreUnavailable."""

    def __init__(self, store: Store, surface: str, recipients: Recipients) -> None:
        self._store = store
        self._surface = surface
        self._recipients = recipients

    async def of(
        self, run: Run, question: Question, asked: Iterable[str]
    ) -> tuple[Sequence[Recipient], People]:
        """Who may decide and is known here, and who was asked already; and what is known of people."""
        people = await self._store.directory.people(question.policy, [run.requester])
        named = _named(self._surface, question.policy, people)[:MAX_ASKED] if question.open else []
        found = [await self._recipient(user) for user in dict.fromkeys([*named, *asked])]
        actors = [each.actor for each in found if each.actor is not None]
        if actors:
            people = await self._store.directory.people(question.policy, [run.requester, *actors])
        return [_judged(each, question.policy, people) for each in found], people

    async def _recipient(self, user: str) -> Recipient:
        try:
            return Recipient(user, None, await self._recipients.actor(user))
        except StoreUnavailable:
            raise
        except ProfileUnavailable:
            return Recipient(user, None)
        except CrewdeckError as barred:
            log.info(
                "a decider may do nothing on this platform, and is not asked", user=user, code=barred.code
            )
            return Recipient(user, may_decide=False)

    async def theirs(
        self, run: Run, recipient: Recipient, questions: Iterable[Question]
    ) -> dict[str, Question]:
        """Those of these questions that this person may decide, by id, as far as that is known."""
        actors = [run.requester, *([recipient.actor] if recipient.actor is not None else [])]
        found: dict[str, Question] = {}
        for question in questions:
            people = await self._store.directory.people(question.policy, actors)
            if _judged(recipient, question.policy, people).may_decide is not False:
                found[question.id] = question
        return found


def _named(surface: str, policy: Policy, people: People) -> list[str]:
    """Ids of this surface of those whom the policy names, in whichever of their identities."""
    names = people.expand(policy.deciders) - people.expand_with_unlinked(policy.excluded)
    here = (each for each in sorted(names) if each.startswith(f"{surface}:") and not is_live_group(each))
    return list(dict.fromkeys(each.split(":", 2)[2] for each in here))


def _judged(recipient: Recipient, policy: Policy, people: People) -> Recipient:
    """Whether they may decide, now that it is known who they are."""
    if recipient.actor is None:
        return recipient
    why = objection(recipient.actor, policy, people)
    return Recipient(
        recipient.user,
        None if why in {Objection.UNREADABLE_GROUP, Objection.UNVERIFIED} else why is Objection.NONE,
        recipient.actor,
        why is Objection.NOT_NAMED
        and recipient.actor.at_home
        and not names_with_unlinked(recipient.actor, people).isdisjoint(policy.deciders),
    )
