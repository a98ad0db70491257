"""What a worker can run, and why it can't run more. Imports no crewai."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.core.runs.crew import CrewProblem

if TYPE_CHECKING:
    from crews.building.build import Blueprint


@dataclass(frozen=True)
class Offer:
    """The crews that can be run, by name, and the problems of others."""

    crews: Mapping[str, Blueprint]
    problems: tuple[CrewProblem, ...] = ()
