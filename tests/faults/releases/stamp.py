"""The tool of the crews of which each release leaves runs. It stays as it is, like them."""

from crewai.tools import BaseTool


class Stamp(BaseTool):
    name: str = "stamp"
    description: str = "Stamps something."

    def _run(self, what: str) -> str:
        return f"stamped {what}"
