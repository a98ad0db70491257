"""Placeholders (`{topic}`) in the texts of a crew. Inputs are inserted once and literally."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from bot.core.runs.crew import Crew as Card

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)\}")
"""As CrewAI reads it."""


def kickoff_inputs(card: Card, inputs: Mapping[str, JsonValue]) -> dict[str, Any]:
    """The values of the placeholders; optional inputs that were not given are empty."""
    return {field.name: "" for field in card.inputs} | dict(inputs)


def filled(text: str, inputs: Mapping[str, Any]) -> str:
    """The text with inputs inserted. A placeholder that is no input stays."""
    return PLACEHOLDER.sub(lambda found: str(inputs.get(found[1], found[0])), text)
