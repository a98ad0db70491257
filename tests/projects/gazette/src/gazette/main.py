#!/usr/bin/env python
from pathlib import Path

from crewai.flow import Flow, listen, start
from pydantic import BaseModel

from gazette.crews.cover_crew.cover_crew import CoverCrew
from gazette.crews.draft_crew.draft_crew import DraftCrew


class IssueState(BaseModel):
    theme: str = ""
    pages: int = 4
    draft: str = ""
    cover: str = ""


class IssueFlow(Flow[IssueState]):
    """Makes one issue of the gazette."""

    @start()
    def write(self):
        print(f"Writing on {self.state.theme}")
        result = DraftCrew().crew().kickoff(inputs={"theme": self.state.theme, "pages": self.state.pages})
        self.state.draft = result.raw

    @listen(write)
    def draw(self):
        result = CoverCrew().crew().kickoff(inputs={"theme": self.state.theme})
        self.state.cover = result.raw

    @listen(draw)
    def print_it(self):
        folder = Path("output")
        folder.mkdir(exist_ok=True)
        with open(folder / "issue.md", "w") as file:
            file.write(f"{self.state.cover}\n\n{self.state.draft}")
        return f"{self.state.pages} pages: {self.state.draft}; cover: {self.state.cover}"


def kickoff():
    IssueFlow().kickoff()


def plot():
    IssueFlow().plot()


if __name__ == "__main__":
    kickoff()
