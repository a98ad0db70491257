"""The demo crew's tool, which looks facts up in a file that is bundled with the crew."""

from __future__ import annotations

import re

import yaml
from crewai.tools import BaseTool
from pydantic import BaseModel, Field

from bot.settings import shipped

FACTS = shipped("config") / "demo" / "facts.yaml"


class FactBookArgs(BaseModel):
    """The arguments of fact_book."""

    topic: str = Field(description="What to look up, in a few words.")


class FactBook(BaseTool):
    """Finds the entries that share a word with the topic."""

    name: str = "fact_book"
    description: str = "Looks a topic up in the team's small book of facts and returns what it says."
    args_schema: type[BaseModel] = FactBookArgs

    def _run(self, topic: str) -> str:
        book: dict[str, str] = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
        wanted = _words(topic)
        found = [fact for entry, fact in book.items() if wanted & _words(entry)]
        return "\n".join(found) or f"The book has nothing on {topic}."


def _words(text: str) -> set[str]:
    """The words of a text, singular and plural alike."""
    return {word.removesuffix("s") for word in re.findall(r"\w{3,}", text.casefold())}
