"""What interactions are called, and the ids that they carry.

A button's value and a form's metadata hold ids and the digest of what is shown, and nothing else.
What somebody may do is looked up when they press, and again when they submit.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

ANSWER_APPROVE: Final = "answer.approve"
ANSWER_REJECT: Final = "answer.reject"
#: A button for each option of a short choice: `answer.choose.<option id>`.
ANSWER_CHOOSE: Final = "answer.choose"
#: A select for the options of a longer choice; each option's value is a Target.
ANSWER_SELECT: Final = "answer.select"
#: Opens the form for an answer in words, or the form that the question is.
OPEN_REPLY: Final = "open.reply"
#: Opens the form with the question in full.
OPEN_FULL: Final = "open.full"
#: Go to the former and to the next step of a form, with what was filled in so far.
PREVIOUS_STEP: Final = "step.back"
NEXT_STEP: Final = "step.more"
STEPS: Final = frozenset({PREVIOUS_STEP, NEXT_STEP})
"""Presses that show another step."""
#: Somebody changed a field of an open form.
FIELD_CHANGED: Final = "changed"
#: Opens the form for the inputs that a crew still needs.
OPEN_START: Final = "open.start"
#: Opens the form in which what is to be approved is edited.
OPEN_EDIT: Final = "open.edit"
#: Opens the form for the reason of a rejection.
OPEN_REJECT: Final = "open.reject"
#: Opens the window with what somebody had filled in when somebody else was first.
OPEN_UNCOUNTED: Final = "open.unsent"
_OPENING: Final = frozenset({OPEN_REPLY, OPEN_UNCOUNTED, OPEN_FULL, OPEN_START, OPEN_EDIT, OPEN_REJECT})
#: Takes one's own response back.
WITHDRAW: Final = "answer.withdraw"
#: A tick in a message; it counts with the press of one of the two below it.
TICK: Final = "tick"
APPROVE_TICKED: Final = "ticked.approve"
REJECT_TICKED: Final = "ticked.reject"
#: Presses that need what is filled in and ticked beside them.
WITH_INPUTS: Final = STEPS | {APPROVE_TICKED, REJECT_TICKED}
#: Links the person who entered a code with whoever got it; unlinks one of one's own identities.
LINK_CONFIRM: Final = "identity.link"
UNLINK: Final = "identity.unlink"
RUN_CANCEL: Final = "run.cancel"
#: Chooses the question that an answer in words is for: `which.<question id>`.
CHOOSE_QUESTION: Final = "which"
#: Selects one of one's own runs.
SHOW_RUN: Final = "pick.status"
CHOOSE_RUN_TO_CANCEL: Final = "pick.cancel"
#: A button that is a link: the platform opens it, and may report the press all the same.
LINK: Final = "link"

#: What submitted forms are called (`Form.callback`).
REPLY: Final = "reply"
START: Final = "start"
FORM: Final = "form"
FULL: Final = "full"
EDIT: Final = "edit"
REJECT: Final = "reject"
#: The forms whose drafts are kept when they are closed, besides those of typed fields.
FORMS_WITH_DRAFTS: Final = frozenset({REPLY, EDIT, REJECT})

#: The field of the reply form.
REPLY_FIELD: Final = "words"
#: What the fields begin with in which something is edited.
EDITED_FIELD_PREFIX: Final = "edit."

_SHA256: Final = "sha256:"
_SHORT: Final = re.compile("[0-9A-Za-z_-]{43}")

#: Every action that stands for an answer by button or select.
ANSWERS: Final = re.compile(r"answer\.(approve|reject|select|choose\..+)")

#: Every `action_id` with which a message of ours shows what it is about: a question, or a run.
WITH_TARGET: Final = re.compile(rf"{ANSWERS.pattern}|open\.(reply|full|edit|reject)|run\.cancel")


def choose(option_id: str) -> str:
    """The action of an option's button."""
    return f"{ANSWER_CHOOSE}.{option_id}"


def choose_question(question_id: str) -> str:
    """The action of the button that says: that question."""
    return f"{CHOOSE_QUESTION}.{question_id}"


def link(name: str) -> str:
    """The action of a button that is a link; needs no answer but the acknowledgement."""
    return f"{LINK}.{name}"


def input_field(name: str) -> str:
    """What a crew's input, or a field of a question, is called in a form."""
    return f"input.{name}"


def opens_form(action: str) -> bool:
    """Whether a button of this action opens a form; everything else is done at once."""
    return action in _OPENING or action.startswith(f"{OPEN_FULL}.")


class InvalidTarget(ValueError):  # noqa: N818 - it says what is wrong
    """This value isn't one of ours, or is an older release's."""


@dataclass(frozen=True)
class Target:
    """What an interaction is about."""

    run_id: str
    question_id: str = ""
    option_id: str = ""
    #: Of the question as it is shown beside this (`Question.digest`); empty: there is none.
    digest: str = ""

    def encode(self) -> str:
        """At most 150 characters, as a select's option may hold; `decode` is its inverse."""
        return f"{self.run_id} {self.question_id} {self.option_id} {_short(self.digest)}".rstrip()

    @classmethod
    def decode(cls, value: str) -> Target:
        """Raises InvalidTarget."""
        run_id, question_id, option_id, digest, *more = [*value.split(" "), "", "", ""]
        if not run_id or any(more):
            raise InvalidTarget("not a target of ours")
        return cls(run_id, question_id, option_id, _full_digest(digest))


def _short(digest: str) -> str:
    """A digest in 43 characters instead of 71."""
    raw = bytes.fromhex(digest.removeprefix(_SHA256))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _full_digest(short: str) -> str:
    if not short:
        return ""
    if not _SHORT.fullmatch(short):
        raise InvalidTarget("not a target of ours: it has no digest of ours")
    return f"{_SHA256}{base64.urlsafe_b64decode(f'{short}=').hex()}"
