"""What crews of tests did, in a file of the worker's folder; and a tool that leaves only that."""

import json
from pathlib import Path

from crewai.tools import BaseTool

TRACE = Path("heard.jsonl")
"""What was done, in the worker's folder."""


def trace(what: str) -> None:
    with TRACE.open("a") as file:
        file.write(json.dumps({"did": what}) + "\n")


class Effect(BaseTool):
    name: str = "effect"
    description: str = "Does something that shows."

    def _run(self, what: str) -> str:
        trace(what)
        return f"did {what}"
