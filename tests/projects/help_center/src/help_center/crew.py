import os
from pathlib import Path

from crewai import Agent, Crew, Process, Task
from crewai.project import CrewBase, after_kickoff, agent, before_kickoff, crew, task


@CrewBase
class HelpCenter:
    """Answers a letter with what is known."""

    @before_kickoff
    def read_hours(self, inputs):
        inputs["hours"] = Path("knowledge/opening_hours.txt").read_text().strip()
        inputs["signature"] = os.environ["HELP_SIGNATURE"]
        return inputs

    @after_kickoff
    def close(self, output):
        output.raw = f"{output.raw}\n-- {os.environ['HELP_SIGNATURE']}"
        return output

    @agent
    def clerk(self) -> Agent:
        return Agent(config=self.agents_config["clerk"], llm=os.environ["MODEL"])

    @task
    def answer(self) -> Task:
        return Task(config=self.tasks_config["answer"], output_file="answers/letter.md")

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential)
