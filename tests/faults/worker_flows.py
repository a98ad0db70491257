"""Flows that these tests run, in the workers' processes."""

import asyncio
import os
from pathlib import Path
from typing import Any

from crewai import LLM, Agent, Crew, Task
from crewai.flow.conversational import ConversationConfig, ConversationState
from crewai.flow.flow import Flow, and_, listen, or_, router, start
from crewai.flow.human_feedback import HumanFeedbackResult, human_feedback
from pydantic import BaseModel

from crewdeck import AskHuman, crew, idempotency_key
from tests.faults.toolbox import Effect, Keyed, leave_trace

MODEL = "openai/gpt-5.4-mini"
TOOLS: dict[str, Any] = {"keyed": {"use": "tests.faults.toolbox:Keyed", "on_interrupted": "retry"}}


def _agent(role: str, *tools: Any) -> Agent:
    who: dict[str, Any] = {"role": role, "goal": "Help", "backstory": "You help."}
    agent = Agent(**who, llm=MODEL)
    agent.tools = [*tools, AskHuman()]
    return agent


def _crew(role: str, mark: str, *tools: Any) -> Crew:
    agent = _agent(role, *tools)
    task = Task(description=f"Do this: [[{mark}]]", expected_output="Words", agent=agent)
    return Crew(agents=[agent], tasks=[task])


class Draft(BaseModel):
    text: str
    round: int


class Brief(BaseModel):
    mark: str = ""
    facts: str = ""
    drafts: list[Draft] = []


class Campaign(Flow[Brief]):
    """A loop: a draft is sent back until it is approved."""

    @start()
    def research(self) -> str:
        leave_trace(self.state.mark, "research")
        found: Any = _agent("Researcher", Effect()).kickoff(f"Research [[{self.state.mark}-facts]]")
        self.state.facts = str(found.raw)
        return str(found.raw)

    @router(or_(research, "needs_revision"))
    @human_feedback(message="Publish it?", emit=["approved", "needs_revision"])
    def draft(self, before: object) -> Draft:
        number = len(self.state.drafts) + 1
        leave_trace(self.state.mark, f"draft {number}")
        said = before.feedback if isinstance(before, HumanFeedbackResult) else ""
        text = LLM(model=MODEL).call(f"Draft [[{self.state.mark}-draft]] {number} {said}")
        draft = Draft(text=str(text), round=number)
        self.state.drafts.append(draft)
        return draft

    @listen("approved")
    def publish(self, approved: HumanFeedbackResult) -> str:
        leave_trace(self.state.mark, f"publish {idempotency_key()}")
        texts = [draft.text for draft in self.state.drafts]
        return f"{approved.output.text} ({approved.feedback}) of {texts} on {self.state.facts}"


@crew(title="Campaign", inputs={"mark": {"required": True}}, main_input="mark")
def campaign(_inputs: dict[str, Any]) -> Flow[Any]:
    return Campaign()


class Odd:
    """Nothing that could be written down."""


class Branches(Flow[dict[str, Any]]):
    """Side by side: one that asks in a thread, one that awaits a crew, one whose result can't be kept."""

    @start()
    def left(self) -> str:
        leave_trace(self.state["mark"], "left")
        self.state["left"] = self.ask("Left or right?")
        return "left"

    @start()
    async def right(self) -> str:
        leave_trace(self.state["mark"], "right")
        output: Any = await _crew("Clerk", f"{self.state['mark']}-right", Effect()).akickoff()
        self.state["right"] = output.raw
        return "right"

    @start()
    def odd(self) -> Odd:
        leave_trace(self.state["mark"], "odd")
        output: Any = _crew("Oddfellow", f"{self.state['mark']}-odd", Keyed()).kickoff()
        self.state["odd"] = output.raw
        return Odd()

    @listen(and_(left, right, odd))
    def joined(self) -> str:
        leave_trace(self.state["mark"], "joined")
        return " | ".join(str(self.state[name]) for name in ("left", "right", "odd"))

    @listen(joined)
    @human_feedback(message="Anything else?")
    async def closing(self, text: str) -> str:
        await asyncio.sleep(0)
        return text

    @listen(closing)
    def end(self, said: HumanFeedbackResult) -> list[str]:
        return [said.output, said.feedback, str(self.ask("Still there?", timeout=1))]


@crew(title="Branches", inputs={"mark": {"required": True}}, main_input="mark", tools=TOOLS)
def branches(_inputs: dict[str, Any]) -> Flow[Any]:
    return Branches()


class Racing(Flow[dict[str, Any]]):
    """Who was first decides what follows, also where it is looked at again."""

    @start()
    async def slow(self) -> str:
        while self.state.get("last") is None:  # noqa: ASYNC110 - the other one may begin late
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        self.state["last"] = "slow"
        return "slow"

    @start()
    def quick(self) -> str:
        self.state["last"] = "quick"
        return "quick"

    @listen(or_(slow, quick))
    def first(self, winner: str) -> str:
        return f"{winner} won"

    @listen(first)
    @human_feedback(message="Go?", emit=["Approve", "Reject"], default_outcome="Approve")
    def checked(self, text: str) -> str:
        return text

    @listen("Approve")
    def approved(self) -> str:
        return f"approved, {self.state['last']} was last"

    @listen("Reject")
    def rejected(self) -> str:
        return "rejected"


@crew(title="Racing", inputs={"mark": {"required": True}}, main_input="mark")
def racing(_inputs: dict[str, Any]) -> Flow[Any]:
    return Racing()


@crew(
    title="Silent",
    inputs={"mark": {"required": True}},
    main_input="mark",
    questions={"approval": {"deadline": "1s"}},
)
def silent(_inputs: dict[str, Any]) -> Flow[Any]:
    return Racing()


class Before(Flow[dict[str, Any]]):
    @start()
    def gather(self) -> str:
        return str(LLM(model=MODEL).call(f"Gather [[{self.state['mark']}]]"))

    @listen(gather)
    def check(self, text: str) -> str:
        return f"{text} {self.ask('Right?')}"


class After(Flow[dict[str, Any]]):
    """The same after somebody has reworked it."""

    @start()
    def gather(self) -> str:
        return str(LLM(model=MODEL).call(f"Gather [[{self.state['mark']}]]"))

    @listen(gather)
    def proofread(self, text: str) -> str:
        return f"{text} {self.ask('Proofread?')}"


def _reworked() -> bool:
    return Path(os.environ["EFFECTS"]).with_name("reworked").exists()


@crew(title="Reworked", inputs={"mark": {"required": True}}, main_input="mark")
def reworked(_inputs: dict[str, Any]) -> Flow[Any]:
    return After() if _reworked() else Before()


class _Letter(Flow[dict[str, Any]]):
    def _write(self) -> str:
        leave_trace(self.state["mark"], "written")
        return "Dear all"

    def _close(self, text: str) -> str:
        answers = [self.ask(question) for question in ("Send it?", "Really?")]
        return f"{text}, {self.state.get('checked')}, {answers}"


class Whole(_Letter):
    @start()
    def gather(self) -> str:
        self.state["gathered"] = True
        return "facts"

    @listen(gather)
    def check(self, _facts: str) -> str:
        self.state["checked"] = "checked"
        return "right"

    @listen(check)
    def write(self, _checked: str) -> str:
        return self._write()

    @listen(write)
    def close(self, text: str) -> str:
        return self._close(text)


class Shortened(_Letter):
    """The same without its check."""

    @start()
    def gather(self) -> str:
        self.state["gathered"] = True
        return "facts"

    @listen(gather)
    def write(self, _facts: str) -> str:
        return self._write()

    @listen(write)
    def close(self, text: str) -> str:
        return self._close(text)


@crew(title="Shortened", inputs={"mark": {"required": True}}, main_input="mark")
def shortened(_inputs: dict[str, Any]) -> Flow[Any]:
    return Shortened() if _reworked() else Whole()


class Sending(Flow[dict[str, Any]]):
    """A method that does something besides its steps."""

    @start()
    def gather(self) -> str:
        leave_trace(self.state["mark"], "gathered")
        self.state["gathered"] = LLM(model=MODEL).call(f"Gather [[{self.state['mark']}]]")
        return "facts"

    @listen(gather)
    def send(self, _facts: str) -> str:
        leave_trace(self.state["mark"], f"key {idempotency_key()}")
        said: Any = _agent("Sender", Effect()).kickoff(f"Send [[{self.state['mark']}-send]]")
        return f"{self.state['gathered']}, {said.raw}"


@crew(title="Sending", inputs={"mark": {"required": True}}, main_input="mark")
def sending(_inputs: dict[str, Any]) -> Flow[Any]:
    return Sending()


@ConversationConfig(llm=MODEL)
class Chat(Flow[ConversationState]):
    """A conversation with a route of its own, which replies before it has ended."""

    def route_turn(self, context: dict[str, Any]) -> str:
        return "work" if str(context["current_user_message"]).startswith("work ") else "converse"

    @listen("work")
    def worked(self) -> str:
        self.append_assistant_message("It is under way.")
        leave_trace(str(self.state.current_user_message).removeprefix("work "), "worked")
        return "worked"

    @listen(worked)
    def confirmed(self, _result: str) -> str:
        return f"the answer was {self.ask('Is it done?')}"


@crew(title="Chat", inputs={"prompt": {"required": True}}, main_input="prompt")
def chat(_inputs: dict[str, Any]) -> Flow[Any]:
    return Chat()
