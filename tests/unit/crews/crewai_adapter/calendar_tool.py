"""A tool of an author, which is described differently each time."""

from itertools import count
from typing import Any

from crewai.tools import BaseTool
from pydantic import BaseModel

NUMBERS = count()


class Dated(BaseModel):
    """Arguments that are described differently each time."""

    day: str

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        return super().model_json_schema(*args, **options) | {"description": f"number {next(NUMBERS)}"}


class Calendar(BaseTool):
    """A tool of an author."""

    name: str = "calendar"
    description: str = "Knows what happens."
    args_schema: type[BaseModel] = Dated

    def _run(self, day: str) -> str:
        return f"nothing on {day}"
