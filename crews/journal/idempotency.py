"""What a tool can know of the call that it serves."""

from __future__ import annotations

from crews.run.context import CURRENT


def idempotency_key() -> str:
    """A name for the tool call in whose course this is asked, the same whenever that call is made again.

    Give it to whatever the tool asks to do something (a payment, a message), so that it isn't done twice.
    Raises RuntimeError outside of a tool of a run.
    """
    run = CURRENT.get()
    key = run.steps.idempotency_key() if run is not None else None
    if key is None:
        raise RuntimeError("There is an idempotency key only inside a tool of a run that Crewdeck started.")
    return key
