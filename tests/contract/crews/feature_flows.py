"""Flows that use what CrewAI offers them, for the rows of docs/crewai.md."""

# ruff: noqa: ANN401 - as CrewAI has it
from typing import Any, ClassVar

from crewai import Agent, Crew, Task
from crewai.flow.conversational import ConversationConfig, ConversationState
from crewai.flow.flow import Flow, listen, or_, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.flow.persistence import persist
from pydantic import BaseModel

from crewdeck import crew
from tests.contract.crews.feature_crews import DECLARED, MODEL, one_task, work, worker
from tests.contract.crews.traces import Effect, trace


class Story(BaseModel):
    id: str = ""
    prompt: str = ""
    drafts: int = 0
    lines: list[str] = []


@persist()
class Writes(Flow[Story]):
    """A state with fields, which is persisted; a loop through a router; people in three places."""

    @start()
    def research(self) -> str:
        self.state.lines.append(Effect().run(what="researched"))
        self.state.lines.append(str(self.ask("Who is it for?")))
        return "researched"

    @router(or_(research, "again"))
    def count(self) -> str:
        trace("counted")
        self.state.drafts += 1
        return "draft" if self.state.drafts < 3 else "enough"

    @listen("draft")
    @human_feedback(message="Is it good?", emit=["good", "not_yet"], llm=MODEL)
    def drafted(self) -> str:
        return f"draft {self.state.drafts} for {self.state.lines[-1]}"

    @router("not_yet")
    def rewritten(self) -> str:
        return "again"

    @listen(or_("good", "enough"))
    def published(self) -> str:
        return f"published draft {self.state.drafts} for {self.state.lines[-1]}"


@crew(title="Writes", **DECLARED)
def writes(_inputs: dict[str, Any]) -> Flow[Any]:
    return Writes()


class Replays(Flow[Any]):
    """A crew of two tasks, and its second task once more."""

    @start()
    def works(self) -> str:
        who = worker()
        texts = {name: f"Do this. [[replays-{name}]]" for name in ("first", "second")}
        tasks = [work(who, name, description=text) for name, text in texts.items()]
        made = Crew(agents=[who], tasks=tasks)
        return f"{made.kickoff()}, then {made.replay(str(tasks[1].id))}"


@crew(title="Replays", **DECLARED)
def replays(_inputs: dict[str, Any]) -> Flow[Any]:
    return Replays()


class Plain(Flow[dict[str, Any]]):
    """A state without fields, and a crew, an agent and a model inside of methods."""

    @start()
    def crew(self) -> str:
        output: Any = one_task(worker()).kickoff({"prompt": self.state["prompt"]})
        self.state["crew"] = output.raw
        return str(output.raw)

    @listen(crew)
    async def agent(self) -> str:
        output: Any = await worker("Alone").kickoff_async(f"{self.state['prompt']} [[flow-agent]]")
        return f"{self.state['crew']}, {output.raw}"


@crew(title="Crews and agents in a flow", **DECLARED)
def crews_in_flow(_inputs: dict[str, Any]) -> Flow[Any]:
    return Plain()


@ConversationConfig(llm=MODEL)
class Chats(Flow[ConversationState]):
    """A conversation that a model routes: to an effect, and to what an agent keeps to itself."""

    @listen("act")
    def acted(self) -> str:
        """Does what is asked."""
        return str(Effect().run(what=f"chatted {self.state.current_user_message}"))

    @listen("look")
    def looked(self) -> str:
        """Looks something up."""
        found = str(Effect().run(what="looked"))
        self.append_agent_result("clerk", found)
        return found

    @listen(looked)
    def confirm(self, found: str) -> str:
        trace("confirmed")
        self.ask("May I keep that?")
        return found


@crew(title="Chats", **DECLARED)
def chats(_inputs: dict[str, Any]) -> Flow[Any]:
    return Chats()


@persist()
@ConversationConfig(llm=MODEL, default_intents=["converse", "praise"], intent_llm=MODEL)
class Classified(Flow[Any]):
    """A conversation whose intents a model names before the methods are called; CrewAI makes its state."""

    @listen("praise")
    def praised(self) -> str:
        return "Thank you."


@crew(title="Classified")
def classified(_inputs: dict[str, Any]) -> Flow[Any]:
    return Classified()


class Bare(Flow[Any]):
    """A conversation without a model."""

    conversational: ClassVar[bool] = True


@crew(title="Bare", questions={"deadline": "1h"})
def bare(_inputs: dict[str, Any]) -> Flow[Any]:
    return Bare()


class Forgets(Flow[Story]):
    """A conversation whose state has no place for it."""

    conversational: ClassVar[bool] = True


def not_durable(what: str) -> Any:
    """What is refused, or told, when it is loaded."""
    who: dict[str, Any] = {"role": "Worker", "goal": "Work", "backstory": "You work.", "llm": MODEL}
    work: dict[str, Any] = {"description": "Do it", "expected_output": "Words"}
    if what == "conversational":
        return Forgets()
    agent = Agent(**who | ({"max_execution_time": 5} if what == "time" else {}))
    if what == "input_files":
        work["input_files"] = {"picture": "picture.png"}
    more: dict[str, Any] = {what: True} if what in {"checkpoint", "memory"} else {}
    return Crew(agents=[agent], tasks=[Task(**work, agent=agent)], **more)
