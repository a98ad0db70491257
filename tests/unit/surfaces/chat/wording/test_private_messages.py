"""What `/crew status` says of a queued run."""

from bot.core.people.actor import Actor
from bot.core.people.policy import Policy
from bot.core.runs.crew import Crew
from bot.core.runs.run import Run, RunStatus
from bot.core.runs.waiting import Wait, WaitFor
from bot.surfaces.chat.messages import Message
from bot.surfaces.chat.platform import Capabilities
from bot.surfaces.chat.wording import private_messages
from bot.surfaces.slack import SURFACE
from bot.surfaces.slack.renderer import LIMITS, render_message
from tests.loopback.slack.blocks import texts

ADA = Actor(surface="slack", tenant="T1", user_id="U1", name="Ada")
NOBODY = Policy(deciders=())
RUN = Run(
    id="0b540000-0000-5000-8000-000000000000",
    crew=Crew(name="demo", title="Demo"),
    status=RunStatus.QUEUED,
    requester=ADA,
    approvers=NOBODY,
    cancellers=NOBODY,
    created_at=0,
)
PLATFORM = Capabilities(SURFACE, "Slack", 1.0, LIMITS)
WAIT = Wait(code=WaitFor.LIMIT, message="2 of at most 2 runs of this crew are working.", ahead=0)


def shown(message: Message) -> str:
    return "\n".join(texts(render_message(message)["blocks"]))


def test_one_run_in_full() -> None:
    assert "queued" in shown(private_messages.run_state(RUN, [], None, PLATFORM, WAIT))
    assert "• 2 of at most 2 runs of this crew are working." in shown(
        private_messages.run_state(RUN, [], None, PLATFORM, WAIT)
    )


def test_each_run_of_a_list() -> None:
    text = shown(private_messages.runs_state([RUN], [], None, PLATFORM, {RUN.id: WAIT}))
    assert "2 of at most 2 runs of this crew are working." in text


def test_a_pause_is_said_once() -> None:
    paused = Wait(code=WaitFor.PAUSED, message="Its workspace is paused: revoked")
    assert shown(private_messages.run_state(RUN, [], "revoked", PLATFORM, paused)).count("revoked") == 1
