"""Who decides is who they are now: profiles are minutes old at most, each press and submit is checked."""

from __future__ import annotations

import pytest

from bot.surfaces.chat.inbound.people import PROFILE_TTL_S
from tests.loopback.slack import Delivery, Message, Person
from tests.scenario.slack_deployment import ChannelDeployment, grow_old, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")

GUESTS = "Guests and people from elsewhere"
INACTIVE = "whose account in Slack is active"


async def known(deployment: ChannelDeployment, *people: Person) -> None:
    """Let the app learn who they are."""
    for person in people or (deployment.ada, deployment.bob):
        assert (await deployment.crew("list", person)).ok


async def still_open(deployment: ChannelDeployment, question: Message) -> bool:
    """The first answer that counts is the one given now, by Bob."""
    assert "Approve" in deployment.now(question).labels
    await deployment.bob.press(question, "Approve")
    return "Bob approved" in await deployment.said("The crew heard", question)


@over_both
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_restricted": True}, GUESTS),
        ({"is_ultra_restricted": True}, GUESTS),
        ({"deleted": True}, INACTIVE),
    ],
)
async def test_a_change_of_membership_counts_at_once(
    deployment: ChannelDeployment, change: dict[str, bool], why: str
) -> None:
    question = await deployment.asked("vote tides")
    await known(deployment)
    told = await deployment.slack.change(deployment.ada, **change)
    assert told
    assert told.ok
    await deployment.ada.press(question, "Approve")
    await deployment.told(deployment.ada, why)
    assert await still_open(deployment, question)


@over_both
async def test_a_change_that_nobody_told_of_counts_within_minutes(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("vote tides")
    await known(deployment)
    await deployment.slack.change(deployment.ada, heard=False, is_restricted=True)
    assert 0 < await grow_old(deployment, deployment.ada) <= PROFILE_TTL_S <= 600
    await deployment.ada.press(question, "Approve")
    await deployment.told(deployment.ada, GUESTS)
    assert await still_open(deployment, question)


@over_both
async def test_words_and_modals_are_checked_like_presses(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("vote tides")
    assert question.thread_ts
    await deployment.ada.press(question, "open.reply")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    await deployment.slack.change(deployment.ada, is_restricted=True)
    submitted = await deployment.ada.submit(view, {"words": "go on"})
    assert GUESTS in str(submitted.field_errors)
    await deployment.ada.reply(deployment.channel, question.thread_ts, "Approve")
    await deployment.told(deployment.ada, GUESTS)
    assert await still_open(deployment, question)


@over_both
async def test_while_slack_cannot_be_asked_nothing_is_decided_on_what_was_known(
    deployment: ChannelDeployment,
) -> None:
    question = await deployment.asked("vote tides")
    await known(deployment)
    await grow_old(deployment, deployment.ada)
    deployment.slack.fail("users.info", error="missing_scope", times=None)
    await deployment.ada.press(question, "Approve")
    await deployment.told(deployment.ada, "can't tell me who you are")
    assert "Approve" in deployment.now(question).labels
    deployment.slack.heal()
    assert await still_open(deployment, question)


@over_both
async def test_what_waited_for_slack_is_decided_once_it_answers(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("vote tides")
    await known(deployment)
    await grow_old(deployment, deployment.ada)
    deployment.slack.rate_limit("users.info", retry_after=1, times=4)
    pressed = await deployment.ada.press(question, "Approve")
    assert pressed.ok
    assert "Ada approved" in await deployment.said("The crew heard", question)


@over_both
async def test_apps_decide_nothing_even_where_a_crew_admits_everybody(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("welcome tides")
    robot = deployment.slack.person(f"{deployment.ada.id}BOT", name="Robot", bot=True)
    deployment.slack.workspace.channel(deployment.channel).members.add(robot.id)
    await robot.press(question, "Approve")
    await deployment.told(robot, INACTIVE)
    assert "Approve" in deployment.now(question).labels


@over_both
async def test_what_another_installation_shows_is_not_answered_here(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    await deployment.ada.press(question, "open.reply")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    view.body["app_installed_team_id"] = "T0ELSEWHERE"
    submitted = await deployment.ada.submit(view, {"words": "from elsewhere"})
    assert "another workspace's installation" in str(submitted.field_errors)
    assert "Answer..." in deployment.now(question).labels


# ── what only some may see ──────────────────────────────────────────────────────────────────────────────────


def outsider(deployment: ChannelDeployment) -> Person:
    """A member of the workspace who isn't in the deployment's channel, in a channel of their own."""
    person = deployment.slack.person(f"{deployment.ada.id}OUT", name="Otto")
    deployment.slack.workspace.channel(deployment.channel).members.discard(person.id)
    return person


async def replayed(deployment: ChannelDeployment, pressed: Delivery, by: Person, channel: str) -> None:
    """The same press by somebody else, from another channel: as a client that makes up what it sends."""
    payload = dict(pressed.payload) | {"trigger_id": deployment.slack.workspace.new_trigger(by.id)}
    payload["user"] = payload["user"] | {"id": by.id}
    payload["container"] = payload["container"] | {"channel_id": channel, "message_ts": "1.1"}
    payload["actions"] = [payload["actions"][0] | {"action_ts": deployment.slack.workspace.next_ts()}]
    payload.pop("message", None)
    payload.pop("response_url", None)
    delivery = await deployment.slack.act(payload, by)
    assert delivery.ok


@over_both
async def test_show_all_is_for_who_may_know_of_the_run(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("long tides")
    pressed = await deployment.bob.press(question, "open.full")
    await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.bob.id))
    otto = outsider(deployment)
    elsewhere = deployment.slack.add_channel(f"{deployment.channel}ELSE", members=(otto,))
    await replayed(deployment, pressed, otto, elsewhere.id)
    told = await deployment.slack.wait_for(
        lambda: deployment.slack.ephemerals(otto.id) or deployment.slack.messages(otto.im)
    )
    assert "isn't for you to see" in told[-1].words
    with pytest.raises(LookupError):
        deployment.slack.view(otto.id)


@over_both
async def test_guests_are_not_shown_all_of_it(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("long tides")
    eve = deployment.slack.person(f"{deployment.ada.id}EVE", name="Eve", guest=True)
    deployment.slack.workspace.channel(deployment.channel).members.add(eve.id)
    await eve.press(question, "open.full")
    await deployment.told(eve, "isn't for you to see")
    with pytest.raises(LookupError):
        deployment.slack.view(eve.id)


@over_both
async def test_the_picker_of_runs_tells_nothing_of_others(deployment: ChannelDeployment) -> None:
    await deployment.asked("ask secrets")
    await deployment.asked("ask more")
    listed = await deployment.answer("status")
    asking = next(label for label in listed.labels if label.startswith("Ask"))
    picked = await deployment.ada.select(listed, asking)
    otto = outsider(deployment)
    elsewhere = deployment.slack.add_channel(f"{deployment.channel}ELSE", members=(otto,))
    await replayed(deployment, picked, otto, elsewhere.id)
    told = await deployment.slack.wait_for(
        lambda: deployment.slack.ephemerals(otto.id) or deployment.slack.messages(otto.im)
    )
    assert "neither yours nor in this conversation" in told[-1].words
    assert "secrets" not in told[-1].words


@over_both
async def test_a_form_is_filled_in_by_who_wanted_it(deployment: ChannelDeployment) -> None:
    assert (await deployment.crew("start form")).ok
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    filled = {"input.topic": "tides", "input.body": "b", "input.count": "1"}
    refused = await deployment.bob.submit(view, filled)
    assert "opened for somebody else" in str(refused.field_errors)
    assert not deployment.runs()
    assert not (await deployment.ada.submit(view, filled)).field_errors
    await deployment.until(lambda: deployment.runs()[0])
