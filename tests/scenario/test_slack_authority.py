"""Who decides is who they are now: profiles are minutes old at most, each press and submit is checked."""

from __future__ import annotations

import pytest

from bot.surfaces.slack.inbound.people import PROFILE_TTL_S
from tests.loopback.slack import Delivery, Message, Person
from tests.scenario.stage import Scene, grow_old, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")

GUESTS = "Guests and people of other workspaces"
INACTIVE = "whose account in Slack is active"


async def known(scene: Scene, *people: Person) -> None:
    """Let the app learn who they are."""
    for person in people or (scene.ada, scene.bob):
        assert (await scene.crew("list", person)).ok


async def still_open(scene: Scene, question: Message) -> bool:
    """The first answer that counts is the one given now, by Bob."""
    assert "Approve" in scene.now(question).labels
    await scene.bob.press(question, "Approve")
    return "Bob approved" in await scene.said("The crew heard", question)


@over_both
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_restricted": True}, GUESTS),
        ({"is_ultra_restricted": True}, GUESTS),
        ({"deleted": True}, INACTIVE),
    ],
)
async def test_a_change_of_membership_counts_at_once(scene: Scene, change: dict[str, bool], why: str) -> None:
    question = await scene.asked("vote tides")
    await known(scene)
    told = await scene.slack.change(scene.ada, **change)
    assert told
    assert told.ok
    await scene.ada.press(question, "Approve")
    await scene.told(scene.ada, why)
    assert await still_open(scene, question)


@over_both
async def test_a_change_that_nobody_told_of_counts_within_minutes(scene: Scene) -> None:
    question = await scene.asked("vote tides")
    await known(scene)
    await scene.slack.change(scene.ada, heard=False, is_restricted=True)
    assert 0 < await grow_old(scene, scene.ada) <= PROFILE_TTL_S <= 600
    await scene.ada.press(question, "Approve")
    await scene.told(scene.ada, GUESTS)
    assert await still_open(scene, question)


@over_both
async def test_words_and_modals_are_checked_like_presses(scene: Scene) -> None:
    question = await scene.asked("vote tides")
    assert question.thread_ts
    await scene.ada.press(question, "open.reply")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    await scene.slack.change(scene.ada, is_restricted=True)
    submitted = await scene.ada.submit(view, {"words": "go on"})
    assert GUESTS in str(submitted.field_errors)
    await scene.ada.reply(scene.channel, question.thread_ts, "Approve")
    await scene.told(scene.ada, GUESTS)
    assert await still_open(scene, question)


@over_both
async def test_while_slack_cannot_be_asked_nothing_is_decided_on_what_was_known(scene: Scene) -> None:
    question = await scene.asked("vote tides")
    await known(scene)
    await grow_old(scene, scene.ada)
    scene.slack.fail("users.info", error="missing_scope", times=None)
    await scene.ada.press(question, "Approve")
    await scene.told(scene.ada, "can't tell me who you are")
    assert "Approve" in scene.now(question).labels
    scene.slack.heal()
    assert await still_open(scene, question)


@over_both
async def test_what_waited_for_slack_is_decided_once_it_answers(scene: Scene) -> None:
    question = await scene.asked("vote tides")
    await known(scene)
    await grow_old(scene, scene.ada)
    scene.slack.rate_limit("users.info", retry_after=1, times=4)
    pressed = await scene.ada.press(question, "Approve")
    assert pressed.ok
    assert "Ada approved" in await scene.said("The crew heard", question, 20)


@over_both
async def test_apps_decide_nothing_even_where_a_crew_admits_everybody(scene: Scene) -> None:
    question = await scene.asked("welcome tides")
    robot = scene.slack.person(f"{scene.ada.id}BOT", name="Robot", bot=True)
    scene.slack.workspace.channel(scene.channel).members.add(robot.id)
    await robot.press(question, "Approve")
    await scene.told(robot, INACTIVE)
    assert "Approve" in scene.now(question).labels


@over_both
async def test_what_another_installation_shows_is_not_answered_here(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.ada.press(question, "open.reply")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    view.body["app_installed_team_id"] = "T0ELSEWHERE"
    submitted = await scene.ada.submit(view, {"words": "from elsewhere"})
    assert "another workspace's installation" in str(submitted.field_errors)
    assert "Answer..." in scene.now(question).labels


# ── what only some may see ──────────────────────────────────────────────────────────────────────────────────


def outsider(scene: Scene) -> Person:
    """A member of the workspace who isn't in the scene's channel, in a channel of their own."""
    person = scene.slack.person(f"{scene.ada.id}OUT", name="Otto")
    scene.slack.workspace.channel(scene.channel).members.discard(person.id)
    return person


async def replayed(scene: Scene, pressed: Delivery, by: Person, channel: str) -> None:
    """The same press by somebody else, from another channel: as a client that makes up what it sends."""
    payload = dict(pressed.payload) | {"trigger_id": scene.slack.workspace.new_trigger(by.id)}
    payload["user"] = payload["user"] | {"id": by.id}
    payload["container"] = payload["container"] | {"channel_id": channel, "message_ts": "1.1"}
    payload["actions"] = [payload["actions"][0] | {"action_ts": scene.slack.workspace.next_ts()}]
    payload.pop("message", None)
    payload.pop("response_url", None)
    delivery = await scene.slack.act(payload, by)
    assert delivery.ok


@over_both
async def test_show_all_is_for_who_may_know_of_the_run(scene: Scene) -> None:
    question = await scene.asked("long tides")
    pressed = await scene.bob.press(question, "open.full")
    await scene.slack.wait_for(lambda: scene.slack.view(scene.bob.id))
    otto = outsider(scene)
    elsewhere = scene.slack.add_channel(f"{scene.channel}ELSE", members=(otto,))
    await replayed(scene, pressed, otto, elsewhere.id)
    told = await scene.slack.wait_for(
        lambda: scene.slack.ephemerals(otto.id) or scene.slack.messages(otto.im)
    )
    assert "isn't for you to see" in told[-1].words
    with pytest.raises(LookupError):
        scene.slack.view(otto.id)


@over_both
async def test_guests_are_not_shown_all_of_it(scene: Scene) -> None:
    question = await scene.asked("long tides")
    eve = scene.slack.person(f"{scene.ada.id}EVE", name="Eve", guest=True)
    scene.slack.workspace.channel(scene.channel).members.add(eve.id)
    await eve.press(question, "open.full")
    await scene.told(eve, "isn't for you to see")
    with pytest.raises(LookupError):
        scene.slack.view(eve.id)


@over_both
async def test_the_picker_of_runs_tells_nothing_of_others(scene: Scene) -> None:
    await scene.asked("ask secrets")
    await scene.asked("ask more")
    listed = (await scene.crew("status")).private[0]
    picked = await scene.ada.select(listed, listed.labels[0])
    otto = outsider(scene)
    elsewhere = scene.slack.add_channel(f"{scene.channel}ELSE", members=(otto,))
    await replayed(scene, picked, otto, elsewhere.id)
    told = await scene.slack.wait_for(
        lambda: scene.slack.ephemerals(otto.id) or scene.slack.messages(otto.im)
    )
    assert "neither yours nor in this channel" in told[-1].words
    assert "secrets" not in told[-1].words


@over_both
async def test_a_form_is_filled_in_by_who_wanted_it(scene: Scene) -> None:
    assert (await scene.crew("start form")).ok
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    filled = {"input.topic": "tides", "input.body": "b", "input.count": "1"}
    refused = await scene.bob.submit(view, filled)
    assert "opened for somebody else" in str(refused.field_errors)
    assert not scene.runs()
    assert not (await scene.ada.submit(view, filled)).field_errors
    await scene.until(lambda: scene.runs()[0])
