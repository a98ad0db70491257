from crewai import Agent, Crew, Process, Task
from crewai.project import CrewBase, agent, crew, task


@CrewBase
class CoverCrew:
    """Cover of an issue."""

    agents_config = "config/agents.yaml"
    tasks_config = "config/tasks.yaml"

    @agent
    def artist(self) -> Agent:
        return Agent(config=self.agents_config["artist"])

    @task
    def cover(self) -> Task:
        return Task(config=self.tasks_config["cover"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential)
