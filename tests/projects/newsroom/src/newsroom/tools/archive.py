import os
from typing import Type

from crewai.tools import BaseTool
from dotenv import load_dotenv
from pydantic import BaseModel, Field

load_dotenv("paper.env")


class ArchiveInput(BaseModel):
    words: str = Field(..., description="What to look for.")


class ArchiveTool(BaseTool):
    name: str = "archive"
    description: str = "Looks into what was printed before."
    args_schema: Type[BaseModel] = ArchiveInput

    def _run(self, words: str) -> str:
        token = "a token" if "SLACK_BOT_TOKEN" in os.environ else "no token"
        return f"{os.environ['PAPER']} on {words}: one page in 1987. ({token})"
