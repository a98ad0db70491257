"""An agent that asks another one elsewhere over A2A."""

from typing import Any

from crewai import Agent, Crew
from crewai.a2a import A2AClientConfig
from crewai.a2a.updates import PollingConfig, PushNotificationConfig, StreamingConfig
from crewai.flow.flow import Flow, start
from pydantic import AnyHttpUrl

from crewdeck import crew
from tests.contract.crews.feature_crews import PROMPT, one_task, worker

WHERE: Any = {"url": {"required": True}, "how": {"required": True}}
DECLARED: Any = {"inputs": PROMPT | WHERE, "main_input": "prompt"}
UPDATES: dict[str, Any] = {
    "streamed": StreamingConfig(),
    "polled": PollingConfig(interval=0.05),
    "pushed": PushNotificationConfig(url=AnyHttpUrl("http://127.0.0.1:9/told")),
}


def asking(inputs: dict[str, Any]) -> Agent:
    return worker(a2a=A2AClientConfig(endpoint=inputs["url"], updates=UPDATES[inputs["how"]]))


@crew(title="Asks elsewhere", **DECLARED)
def crew_of_one(inputs: dict[str, Any]) -> Crew:
    return one_task(asking(inputs))


class Awaiting(Flow[dict[str, Any]]):
    """A crew that a flow's code awaits."""

    @start()
    async def crew(self) -> str:
        said: Any = await one_task(asking(self.state)).akickoff({"prompt": self.state["prompt"]})
        return str(said.raw)


@crew(title="Asks elsewhere in a flow", **DECLARED)
def flow(_inputs: dict[str, Any]) -> Flow[Any]:
    return Awaiting()
