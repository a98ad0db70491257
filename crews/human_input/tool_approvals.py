"""Approvals of tool calls: the question to people, and what may be called when they have decided.

An approval is used once: the question is known by the step whose call it guards, and by how often that call
was begun. What is called is computed again from the tool and the decided arguments, and compared by its
digest with what was approved; anything else is asked anew.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.core.people.policy import Policy, for_gate, policy_for
from bot.core.questions.question import Action, Outcome, Question, QuestionKind, Source, digest_of
from bot.core.questions.tool_call import ToolCall, call_digest
from crews.definitions.approval import NotApproved
from crews.definitions.gates import Gate
from crews.human_input.arguments import Arguments, InvalidArguments, Parameters
from crews.run.context import AGENT, RunContext
from crews.run.questions import CODE_PREFIX, Asking
from crews.run.tool_calls import CallRefused, approval_key

MADE_FROM = "made_from/"
"""Prefix of the journal's entries that say what a tool was made from when people were asked about a call."""
SECRETS_KEY = "secrets/key"
"""The journal's entry with the key of digests of secrets."""


@dataclass(frozen=True)
class Approved:
    """A call that may be made, once."""

    arguments: Arguments
    question: Question


@dataclass(frozen=True)
class Refused:
    """A call that must not be made; `words` are for who wanted it."""

    words: str


@dataclass(frozen=True)
class GuardedCall:
    """A call that a tool's gate stands before."""

    run: RunContext
    gate: Gate
    parameters: Parameters
    #: What was asked for.
    arguments: Arguments
    #: What crew.yaml makes the tool from, as a fingerprint; empty where code makes it.
    tool_made_from: str = ""
    #: The code of the tool and of what makes the crew, as a fingerprint.
    code: str = ""

    @property
    def asks(self) -> bool:
        """Whether people are asked about it."""
        run = self.run.claim.run
        requester = run.requester.model_dump(
            mode="json", include={"surface", "tenant", "user_id", "name", "admin"}, by_alias=False
        )
        return self.gate.asks(
            {
                "args": self.arguments.actual,
                "inputs": run.inputs,
                "crew": {"name": run.crew.name, "title": run.crew.title},
                "requester": {**requester, "membership": run.requester.membership.value},
            }
        )

    def was_asked(self, step: str, begun: int) -> bool:
        """Whether people were asked about this call before, perhaps when the crew said so and doesn't now."""
        return self.run.questions.was_asked(approval_key(step, begun))

    def decided(self, step: str, begun: int, reason: str) -> Approved | Refused:
        """Ask people, and wait for what they decide. `begun`: how often the call of this step was begun.

        `reason`: why they are asked again. Raises RunExit if the run leaves before.
        """
        wanted, number = self.arguments, 0
        while True:
            key = approval_key(step, begun, number)
            changed = self._changed(self.run.questions.id_of(key))
            question = self._ask(wanted, reason, key)
            outcome = question.outcome
            if outcome is None or outcome.action is not Action.APPROVE or question.call is None:
                return Refused(refusal_text(question))
            decided = question.call.arguments
            try:
                wanted = self.read(self.parameters.with_secrets(decided, self.arguments))
            except InvalidArguments as error:
                wanted, reason = self.arguments, _refused_edit(error)
            else:
                approved = Approved(wanted, question)
                if not changed and self.is_what_was_approved(approved):
                    return approved
                reason = changed or CHANGED
            number += 1

    def _changed(self, question_id: str) -> str:
        """What of the tool is another one than when this was asked, perhaps just now; empty if nothing is."""
        if not self._is_as_noted(f"{MADE_FROM}{question_id}", self.tool_made_from):
            return OTHER_TOOL
        return "" if self._is_as_noted(f"{CODE_PREFIX}{question_id}", self.code) else OTHER_CODE

    def _is_as_noted(self, name: str, now: str) -> bool:
        noted = self.run.history.journal.found(name)
        if noted is None and now:
            self.run.writer.write(name, json.dumps(now))
        return not now or noted in (None, now)

    def read(self, given: Mapping[str, Any]) -> Arguments:
        """The arguments, validated by the tool as it is now. Raises InvalidArguments."""
        return self.parameters.read(given, lambda: secrets_key(self.run))

    def is_what_was_approved(self, approved: Approved) -> bool:
        """Whether a call with these arguments, computed anew, is what people have approved."""
        question, call = approved.question, approved.question.call
        if call is None or digest_of(question) != question.digest:
            return False
        try:
            now = self._call(self.read(approved.arguments.actual), question)
        except InvalidArguments:
            return False
        return hmac.compare_digest(call_digest(now, question.policy), call_digest(call, question.policy))

    def _ask(self, wanted: Arguments, reason: str, key: str) -> Question:
        call = self._call(wanted)
        asking = Asking(
            kind=QuestionKind.APPROVAL,
            prompt=f"May {call.tool} be called with these arguments?",
            context=reason,
            source=Source.GATE,
            policy=self._policy,
            call=call,
            key=key,
        )
        return self.run.questions.ask_in_thread(self.run.asking_of(AGENT.get(), asking))

    def _call(self, arguments: Arguments, asked: Question | None = None) -> ToolCall:
        shown = arguments.shown
        first = asked.call.proposed if asked is not None and asked.call is not None else shown
        return ToolCall(
            tool=self.parameters.tool,
            title=self.gate.title,
            on_behalf=ON_BEHALF,
            arguments=shown,
            proposed=first,
            editable=tuple(name for name in self.gate.edit if name in shown),
            secrets=arguments.secrets,
            parameters=self.parameters.json_schema,
        )

    @property
    def _policy(self) -> Policy:
        run = self.run.claim.run
        if self.gate.policy is not None:
            return self.gate.policy
        if self.gate.approvers is None:
            return for_gate(run.approvers)
        return for_gate(policy_for(self.gate.approvers, run.requester, run.crew.allowed_memberships))


ON_BEHALF = "as the app"


def secrets_key(run: RunContext) -> bytes:
    """The run's key for digests of secrets, which stays in its journal. Blocks its thread."""
    known = run.history.journal.found(SECRETS_KEY)
    if known is None:
        known = run.put_if_absent_in_thread(SECRETS_KEY, json.dumps(secrets.token_hex(32)))
    return bytes.fromhex(str(known))


def refusal_text(question: Question) -> str:
    """Why a call isn't made, for who wanted it."""
    outcome = question.outcome or Outcome(action=Action.EXPIRE)
    words = outcome.comment.strip()
    call = question.call.tool if question.call is not None else "the tool"
    if outcome.action is Action.REJECT and outcome.by is not None:
        who = ", ".join(each.by.label for each in outcome.responses if each.action is Action.REJECT)
        said = f" Their words: {words}" if words else ""
        return f"{who or outcome.by.label} rejected this call of {call}, so it was not made.{said}"
    if outcome.action is Action.RESPOND and outcome.by is not None:
        return (
            f"{outcome.by.label} answered in words, which is no approval, so {call} was not called: {words}"
        )
    return f"Nobody approved this call of {call} before the deadline, so it was not made."


CHANGED = "What the tool makes of the approved arguments now isn't what was approved, so it was not called."
OTHER_TOOL = (
    "The crew makes the tool from something else now than when this was approved, so it was not called."
)

OTHER_CODE = "The tool's or the crew's code is another one than when this was approved, so it was not called."


def _again(begun: int) -> str:
    if not begun:
        return ""
    return "This call was begun before and its process died: what it does may have happened already."


def _refused_edit(error: InvalidArguments) -> str:
    first = str(error).splitlines()[0]
    return f"The edited arguments were approved, but the tool refuses them, so it was not called. {first}"


@dataclass
class Approval:
    """The approval of one call: obtained before it is begun, and checked right before it is made."""

    call: GuardedCall
    #: Whether code made the call, which must not take words for a result.
    called_by_code: bool
    approved: Approved | None = None
    #: Whether the call may be made: people have approved it, or the gate's condition lets it through.
    _open: bool = False
    #: Whether the call that was approved turned out to be another one right before it was made.
    _changed: bool = False

    def obtain(self, step: str, begun: int) -> None:
        """Ask people, if the gate's condition says so, or did when it was asked.

        Raises CallRefused, and RunExit.
        """
        self.approved, self._open = None, False
        if not self.call.asks and not self.call.was_asked(step, begun):
            self._open = True
            return
        decided = self.call.decided(step, begun, CHANGED if self._changed else _again(begun))
        if isinstance(decided, Refused):
            raise CallRefused(NotApproved(decided.words) if self.called_by_code else decided.words)
        self.approved, self._open = decided, True

    @property
    def digests(self) -> tuple[str, str] | None:
        """The question that let the call through, and the digest of the call."""
        if self.approved is None or (call := self.approved.question.call) is None:
            return None
        return self.approved.question.id, call_digest(call, self.approved.question.policy)

    def arguments(self) -> dict[str, Any]:
        """What the tool is called with, compared now with what was approved. Raises CallRefused."""
        if not self._open:
            raise NotApproved("The call was begun without its approval.")
        self._open = False
        accepted = self.call.parameters.accepted
        if self.approved is None:
            return accepted(self.call.arguments.actual)
        if not self.call.is_what_was_approved(self.approved):
            self._changed = True
            raise CallRefused(None)
        return accepted(self.approved.arguments.actual)
