"""A crew with CrewAI's memory, in the workers' processes."""

from typing import Any

from crewai import Agent, Crew, Task
from crewai.memory.unified_memory import Memory

from crewdeck import crew
from tests.contract.crews.feature_crews import Constant

MODEL = "openai/gpt-5.4-mini"


@crew(title="Remembering", inputs={"prompt": {"required": True}}, main_input="prompt")
def remembering(_inputs: dict[str, Any]) -> Crew:
    """What the first task comes to is remembered while the second one begins."""
    who: dict[str, Any] = {"role": "Worker", "goal": "Work", "backstory": "You work.", "llm": MODEL}
    agent = Agent(**who)
    tasks = [
        Task(name=name, description=f"{name}: {{prompt}}", expected_output="Words", agent=agent)
        for name in ("First", "Second")
    ]
    embedder: Any = {"provider": "custom", "config": {"embedding_callable": Constant}}
    return Crew(agents=[agent], tasks=tasks, memory=Memory(llm=MODEL, embedder=embedder))
