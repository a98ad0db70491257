from crewai import Agent, Crew, Process, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.project import CrewBase, agent, crew, task

from newsroom.tools.archive import ArchiveTool


@CrewBase
class Newsroom:
    """Two colleagues who write a piece on a subject."""

    agents: list[BaseAgent]
    tasks: list[Task]

    @agent
    def reporter(self) -> Agent:
        return Agent(config=self.agents_config["reporter"], tools=[ArchiveTool()])

    @agent
    def editor(self) -> Agent:
        return Agent(config=self.agents_config["editor"])

    @task
    def research(self) -> Task:
        return Task(config=self.tasks_config["research"])

    @task
    def piece(self) -> Task:
        return Task(config=self.tasks_config["piece"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential, verbose=True)
