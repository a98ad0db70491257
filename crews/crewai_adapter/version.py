"""Which CrewAI the adapter was tested with, and which ones it supports. Imports no crewai."""

from __future__ import annotations

from importlib.metadata import version

TESTED_VERSION = "1.15.30"
"""The release that the whole suite runs with; the locks pin it."""
SUPPORTED_VERSIONS = ">=1.15.30,<1.16"
"""What `pyproject.toml` demands: the releases in which the patched names may be expected to stay."""

_FIRST, _BEYOND = (1, 15, 30), (1, 16)


def compare(installed: str | None = None) -> dict[str, str]:
    """What follows from the installed release (or this one), as a record for `crewdeck doctor`."""
    installed = installed or version("crewai")
    known = f"Crewdeck is tested with {TESTED_VERSION}"
    if installed == TESTED_VERSION:
        return _record(installed, "ok", f"{installed}, with which Crewdeck is tested")
    if _FIRST <= _numbers(installed) < _BEYOND:
        remedy = "Runs should work. Before you rely on it, try a crew that asks, is stopped and goes on."
        return _record(installed, "warning", f"{installed} is supported, but {known}", remedy)
    dangers = "with other releases steps may be done twice, or questions be missed"
    remedy = f"Install crewai{SUPPORTED_VERSIONS}: {dangers}."
    return _record(installed, "broken", f"{installed} is not supported; {known}", remedy)


def _record(installed: str, state: str, words: str, remedy: str = "") -> dict[str, str]:
    return {"crewai": installed, "state": state, "words": words, "remedy": remedy}


def _numbers(written: str) -> tuple[int, ...]:
    """The numbers of a release; a pre-release of 1.16 counts as beyond 1.15."""
    numbers = []
    for part in written.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
