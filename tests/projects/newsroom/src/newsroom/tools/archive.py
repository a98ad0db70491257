from typing import Type

from crewai.tools import BaseTool
from pydantic import BaseModel, Field


class ArchiveInput(BaseModel):
    words: str = Field(..., description="What to look for.")


class ArchiveTool(BaseTool):
    name: str = "archive"
    description: str = "Looks into what was printed before."
    args_schema: Type[BaseModel] = ArchiveInput

    def _run(self, words: str) -> str:
        return f"Printed before on {words}: one page in 1987."
