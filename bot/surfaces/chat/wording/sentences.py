"""Sentences that stand alone: why something was not done, and what to do. Pure."""

from __future__ import annotations

from typing import Final

# ── any request ─────────────────────────────────────────────────────────────────────────────────────────────

NOT_SAVED: Final = "I can't save that right now, please press again."
NOT_DONE: Final = "Something went wrong on my side, and nothing was changed. Please try again."


NO_PRIVATE_CHAT: Final = (
    "I have something to tell you alone, and can't write to you: add me to your own chats, and ask again."
)
#: What an interaction is answered with where something has to be said.
DONE: Final = "Done: the conversation shows it."
LATER: Final = "I'm still at it, and will tell you."
TOLD_PRIVATELY: Final = "I've answered in your chat with me."
FORM_SENT: Final = "Thank you. The conversation shows what comes of it."


# ── who acts ────────────────────────────────────────────────────────────────────────────────────────────────

OTHER_INSTALLATION: Final = "This belongs to another workspace's installation of the app: nothing was done."
CONSOLE_FOR_MEMBERS: Final = (
    "The console is for members, not for guests and people from elsewhere. "
    "What is yours to answer, you can answer here."
)


def profile_unavailable(platform: str) -> str:
    """The platform doesn't say who this is."""
    return f"{platform} can't tell me who you are right now. Please try again in a moment."


def account_inactive(platform: str) -> str:
    """Whoever acts is no person, or no longer one of theirs."""
    return f"Only people can do this whose account in {platform} is active."


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────────

TICK_UNKNOWN: Final = "I can't tell what this is about, so it was not decided. Open it to decide it alone."
QUESTION_GONE: Final = "This question is no longer there: its run ended some time ago."
SHOW_ALL_FIRST: Final = (
    "Only the beginning of this question fits into its message, so nothing was decided. "
    "Press “Show all”, or “Open” where it stands beside others: you decide at the end of it."
)
CHANGED_MEANWHILE: Final = (
    "What is asked has changed since you were shown it, so nothing was counted. "
    "Look at the question as it stands now, and decide again."
)
QUESTION_HIDDEN: Final = "This isn't for you to see: its run is neither yours nor in this conversation."

NOT_TAKEN_AS_ANSWER: Final = (
    "I left that to the people it names: it was not taken as an answer. If it is one, mention me in it, "
    "or press a button of the question."
)
FILE_IS_NO_ANSWER: Final = (
    "That has no words, so it was not taken as an answer: the crew can't look into what is attached. "
    "Reply in words, or press a button of the question."
)
WRITTEN_BEFORE: Final = (
    "You wrote that before the question that is open now was shown here, so it was not taken as an answer to "
    "it. Look at the question, and reply again."
)
QUOTED_SOMETHING_ELSE: Final = (
    "You quoted a message that asks nothing now, so this was not taken as an answer. Quote the question that "
    "you mean, or press one of its buttons."
)
REPLY_FORGOTTEN: Final = "I no longer have those words. Please reply once more."
REPLY_USED: Final = "Those words were already passed on to another question."
REPLY_PASSED_ON: Final = "Thank you, passed on."


# ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────


def no_such_group(name: str) -> str:
    """A policy names a group that isn't there."""
    return f"There is no user group {name}, or it is disabled."


def group_needs_scope(name: str, scope: str) -> str:
    """The app may not read groups."""
    return (
        f"The members of {name} can't be read: the app lacks the scope {scope}. "
        "Add it under OAuth & Permissions, and install the app again."
    )


def group_not_now(name: str, platform: str) -> str:
    """The platform doesn't answer, or limits us."""
    return f"{platform} can't say right now who is in {name}. Please try again in a moment."


def group_refused(name: str, platform: str, code: str) -> str:
    """The platform refuses to say it."""
    return f"The members of {name} can't be read ({platform} says: {code})."


# ── crews and runs ──────────────────────────────────────────────────────────────────────────────────────────

RUN_GONE: Final = "This run is no longer there: it ended some time ago."
RUN_HIDDEN: Final = "This run is neither yours nor in this conversation."
NOT_UNDERSTOOD: Final = "I don't know that."


def no_such_crew(name: str) -> str:
    """Nothing that this person may start is called so."""
    return f"There is no crew {name!r}."


def no_such_run(prefix: str) -> str:
    """No run that this person may know of begins with what they typed."""
    return f"There is no run {prefix!r} of yours or in this conversation."


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────

FORM_UNKNOWN: Final = "I can't tell what this form is about, so nothing was decided. Please open it again."
FORM_EXPIRED: Final = "This form has been open for too long. Please start the crew again."
START_EXPIRED: Final = "This has been there for too long. Please start the crew again."
FORM_OF_ANOTHER: Final = "This form was opened for somebody else. Please start the crew yourself."
NOT_COUNTED: Final = "Not counted"
NOTHING_DONE: Final = "Nothing was done."
WORDS_MISSING: Final = "Please say something."


def form_settled(by: str) -> str:
    """Somebody else sent the same form first."""
    return f"{by} was first: this is settled, and yours was not counted."


FORM_SENT_BEFORE: Final = "You have answered this already, so this was not counted."
UNCOUNTED_GONE: Final = "What you had filled in is no longer there."


def form_too_late(platform: str) -> str:
    """The platform lets a form open for a few seconds after a press only."""
    return f"{platform} was too slow to open that window. Please press again."


def form_refused(platform: str) -> str:
    """The platform refuses a form, and would again. The command for the console follows."""
    return f"{platform} can't show that window. The console can:"


# ── the app in its workspace: why all runs are paused ───────────────────────────────────────────────────────

ACCESS_REVOKED: Final = (
    "the app's token was revoked; install the app again and restart Crewdeck with the new token"
)
APP_REMOVED: Final = (
    "the app was removed from the workspace; install it again and restart Crewdeck with the new token"
)
