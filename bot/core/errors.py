"""The error tree. Every error has a stable `code` and a message that a person can act on.

    CrewdeckError
    ├── SettingsError          an operator's mistake: one line, exit status 2
    ├── StoreUnavailable       Redis is unavailable, full, read-only or loading; nothing was changed
    │   └── StoreRefused       Redis is there and refuses what its address says, until somebody corrects it
    ├── JournalUndecryptable   a run's journal is encrypted with a key that this process doesn't have
    ├── UnreadableRecord       a stored record is damaged or of a newer release; it was not changed
    ├── NoWorker               no crew is known, because no worker has announced any yet
    ├── NotFound               unknown_crew, unknown_run, unknown_question
    ├── InvalidValues          the values of a form, with the reason for each field
    │   └── InvalidInputs      the inputs of a start
    ├── Replayed               a request that was sent before; nothing was done
    └── Refused                a rule refused the request: not_allowed, settled, invalid_answer, run_over, ...
        └── PermissionUnknown         not_allowed, since it can't be found out now whether it is

Errors of vendors (redis, slack_sdk, crewai) are translated where they are met. Control-flow signals of the
worker are not errors and live in `crews`.
"""

from __future__ import annotations

# ruff: noqa: N818 - these names say what happened, and that reads well behind `raise` and `except`


class CrewdeckError(Exception):
    """The root. `str(error)` is the message for people, `error.code` the name for programs."""

    code: str = "error"


class SettingsError(CrewdeckError):
    """A setting is missing or wrong. The message names the setting, and the file where there is one."""

    code = "settings"


class StoreUnavailable(CrewdeckError):
    """The store could not do it now. Nothing was changed, or it can safely be done again."""

    code = "store_unavailable"


class StoreRefused(StoreUnavailable):
    """Redis is there, and refuses what its address says: a password, a user, a database, TLS.

    Waiting doesn't help. A process that starts ends with it, as a SettingsError; one that has worked before
    waits, since the operator may be about to change both sides.
    """


class JournalUndecryptable(CrewdeckError):
    """A run's journal can't be decrypted with the configured keys. The run is unchanged."""

    code = "journal_sealed"

    def __init__(self, run_id: str, key_id: str, known: tuple[str, ...] | None = None) -> None:
        if known is None:
            why = f"does not fit the key {key_id}: it was changed, or moved here from another place"
        else:
            have = f"those set here are {', '.join(known)}" if known else "none is set here"
            why = f"was encrypted with the key {key_id}, and {have}"
        super().__init__(f"CREWDECK_JOURNAL_KEY: the journal of run {run_id} {why}.")


class UnreadableRecord(CrewdeckError):
    """A stored record is damaged or of a newer release. It was not changed, and nothing was decided."""

    code = "unreadable_record"

    def __init__(self, kind: str, name: str, why: str) -> None:
        super().__init__(
            f"The {kind} {name} can't be read here, so nothing was changed: {why}. "
            "If a newer Crewdeck wrote it, upgrade this process, or answer where the newer one runs."
        )
        self.kind = kind
        self.name = name
        self.why = why


class NoWorker(CrewdeckError):
    """No worker has announced any crew yet, or one is starting: it is unknown whether a crew exists."""

    code = "no_worker"

    def __init__(self, why: str = "") -> None:
        super().__init__(
            why
            or "No worker is up yet: none has announced a crew. Try again in a moment, or see whether one is "
            "running (crewdeck serve, crewdeck worker)."
        )


class NotFound(CrewdeckError):
    """There is no such crew, run or question.

    >>> raise NotFound("run", "1234")
    Traceback (most recent call last):
    ...
    bot.core.errors.NotFound: There is no run 1234.
    """

    def __init__(self, what: str, name: str, why: str = "") -> None:
        super().__init__(f"There is no {what} {name}{f': {why}' if why else '.'}")
        self.code = f"unknown_{what}"
        self.name = name


class InvalidValues(CrewdeckError):
    """The values don't fit the form. `problems` maps each field's name to what is wrong with it."""

    code = "invalid_values"

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {why}" for name, why in problems.items()))
        self.problems = problems


class InvalidInputs(InvalidValues):
    """The inputs don't fit the crew."""

    code = "invalid_inputs"


class Replayed(CrewdeckError):
    """The request was sent before, and has its effect once: nothing was done this time."""

    code = "replayed"

    def __init__(self) -> None:
        super().__init__("This request was sent before. Nothing was done this time.")


class Refused(CrewdeckError):
    """A rule refused the request. `code` names the rule."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PermissionUnknown(Refused):
    """It can't be found out now whether somebody may do this, so they may not."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "not_allowed", f"Whether you may do this can't be found out now. {reason or TRY_AGAIN}"
        )


TRY_AGAIN = "Please try again in a moment."
