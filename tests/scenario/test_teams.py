"""Runs in Microsoft Teams: started, watched, decided with buttons, dialogs and words, and cancelled."""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import httpx
import pytest

from tests.loopback.slack import Message as SlackMessage
from tests.loopback.teams import Body, Message, Receipt
from tests.loopback.teams.cards import labels
from tests.loopback.teams.state import words
from tests.scenario.slack_deployment import ChannelDeployment
from tests.scenario.teams_deployment import TeamsChannel, TeamsDeployment
from tests.scenario.test_console_slack import browser, link

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEARD = "The crew heard: Ada approved"


# ── the life of a run ───────────────────────────────────────────────────────────────────────────────────


async def test_a_run_from_a_mention_to_its_result(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("ask tides")
    assert said.elapsed < 8
    assert question.thread == said.activity["id"]
    assert question.labels == ["Show all"]
    own = await in_teams.view(in_teams.ada, question)
    assert "Approve" in labels(own)
    pressed = await in_teams.ada.press_on([own], "Approve", of=question)
    assert "Approve" not in labels(pressed.body["value"])
    assert "Approved" in words([pressed.body["value"]])
    await in_teams.reads(HEARD, said)
    await in_teams.until(lambda: "Approved" in in_teams.now(question).words)
    assert in_teams.now(question).labels == []
    await in_teams.until(lambda: "Done after" in in_teams.thread(said)[1].words)


async def test_who_may_not_decide_sees_no_buttons_and_presses_in_vain(in_teams: TeamsChannel) -> None:
    _, question = await in_teams.asked("ask tides")
    with pytest.raises(LookupError):
        await in_teams.bob.refreshed(question)
    own = await in_teams.view(in_teams.ada, question)
    refused = await in_teams.bob.press_on([own], "Approve", of=question)
    assert "isn't yours" in refused.body["value"]
    assert in_teams.now(question).refresh is not None


async def test_a_question_that_somebody_deletes_is_asked_again_at_once(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("ask tides")
    assert (await in_teams.ada.remove(in_teams.channel, question.id)).status == 200
    again = await in_teams.question(said)
    assert (again.id != question.id, again.thread) == (True, question.thread)
    await in_teams.press(in_teams.ada, again, "Approve")
    await in_teams.reads(HEARD, said)


async def test_looking_changes_nothing(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("ask tides")
    await in_teams.until(lambda: "Waiting for an answer" in in_teams.thread(said)[1].words)
    before = edits(in_teams)
    assert before, "of the progress"
    for _ in range(3):
        await in_teams.view(in_teams.ada, question)
    assert in_teams.now(question) == question
    assert edits(in_teams) == before


def edits(in_teams: TeamsChannel) -> list[Body]:
    """What messages of the channel were changed into; runs of other tests may go on meanwhile."""
    calls = in_teams.teams.called("update")
    return [each.body for each in calls if each.conversation.startswith(in_teams.channel.id)]


async def test_a_reply_in_words_answers_and_edits_and_deletions_do_not(in_teams: TeamsChannel) -> None:
    said, _ = await in_teams.asked("tell tides")
    thread = str(said.activity["id"])
    talk = await in_teams.ada.say(
        in_teams.channel, "what do you think?", thread=thread, others=[in_teams.bob]
    )
    await in_teams.told(in_teams.ada, "not taken as an answer")
    await in_teams.ada.edit(in_teams.channel, str(talk.activity["id"]), "They go out twice a day")
    await in_teams.ada.remove(in_teams.channel, str(talk.activity["id"]))
    answer = await in_teams.say("They go out at noon", thread=thread, mention=False)
    await in_teams.teams.redeliver(answer)
    assert "They go out at noon" in await in_teams.reads("The crew heard", said)
    assert "twice a day" not in in_teams.words(said)


async def test_an_old_client_presses_what_a_button_falls_back_to(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("vote tides")
    pressed = await in_teams.bob.press(question, "Approve", old_client=True)
    assert (pressed.status, pressed.body) == (200, None)
    await in_teams.reads("The crew heard: Bob approved", said)


# ── dialogs ─────────────────────────────────────────────────────────────────────────────────────────────


def dialog_of(receipt: Receipt) -> Body:
    assert receipt.status == 200
    task = receipt.body["task"]
    assert task["type"] == "continue", task
    card: Body = task["value"]["card"]["content"]
    return card


async def test_an_answer_in_words_is_given_in_a_dialog(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("tell tides")
    dialog = dialog_of(await in_teams.press(in_teams.ada, question, "Answer..."))
    assert "What about tides?" in words([dialog])
    wrong = dialog_of(
        await in_teams.ada.submit(in_teams.channel, dialog, {"Your answer": " \n"}, of=question)
    )
    assert "Please say something" in words([wrong])
    sent = await in_teams.ada.submit(in_teams.channel, wrong, {"Your answer": "a < b\n& c"}, of=question)
    assert sent.body["task"]["type"] == "message"
    await in_teams.reads("The crew heard: .*a < b\n& c", said)


async def test_what_is_too_long_is_decided_at_the_end_of_all_of_it(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("long tides")
    refused = await in_teams.say("approve", thread=str(said.activity["id"]), mention=False)
    assert refused.status == 200
    await in_teams.told(in_teams.ada, "Show all")
    dialog = dialog_of(await in_teams.press(in_teams.ada, question, "Show all"))
    decided = await in_teams.ada.submit(in_teams.channel, dialog, {}, "Approve", of=question)
    assert "Recorded" in words([dialog_of(decided)])
    await in_teams.reads(HEARD, said)


async def test_missing_inputs_are_asked_for_with_errors_at_their_fields(in_teams: TeamsChannel) -> None:
    ada = in_teams.ada
    await ada.say(ada.chat, "start form")
    asked = await in_teams.told(ada, "needs some more")
    dialog = dialog_of(await ada.press(asked, "Fill in..."))
    filled = {"Topic (required)": "tides", "Body (required)": "long", "Count (required)": "many"}
    wrong = dialog_of(await ada.submit(ada.chat, dialog, filled, "Start", of=asked))
    assert "must be a whole number" in words([wrong])
    more = dialog_of(await ada.submit(ada.chat, wrong, {"Count (required)": "3"}, "More...", of=asked))
    first = dialog_of(await ada.submit(ada.chat, more, {}, "Back", of=asked))
    assert {"tides", "long", 3} <= {each.get("value") for each in first["body"]}
    await ada.submit(ada.chat, first, {}, "Start", of=asked)
    await in_teams.told(ada, "tides, long, 3")


# ── chats ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_personal_chat_needs_no_mention(in_teams: TeamsChannel) -> None:
    ada = in_teams.ada
    await ada.say(ada.chat, "lsit")
    await in_teams.told(ada, "Did you mean list")
    started = await ada.say(ada.chat, "start tell tides")
    await in_teams.teams.redeliver(started)
    await in_teams.told(ada, "What about tides")
    await ada.say(ada.chat, "listen to them")
    await in_teams.told(ada, "The crew heard: .*listen to them")
    assert sum("What about tides" in each.words for each in in_teams.private(ada)) == 1


async def test_a_group_chat_is_one_conversation(in_teams: TeamsChannel) -> None:
    chat = in_teams.teams.group_chat(in_teams.ada, in_teams.bob)
    await in_teams.ada.say(chat, "start tell tides", mention=True)
    await in_teams.until(lambda: next(m for m in in_teams.teams.messages(chat) if m.refresh))
    await in_teams.bob.say(chat, "is it high?")
    await in_teams.told(in_teams.bob, "isn't yours")
    await in_teams.ada.say(chat, "very high")
    await in_teams.until(
        lambda: next(m for m in in_teams.teams.messages(chat) if "The crew heard" in m.words)
    )


async def test_status_and_cancel(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("tell tides")
    await in_teams.say("status", in_teams.bob)
    assert "Other runs here" in (await in_teams.told(in_teams.bob, "Tell")).words
    [progress] = [each for each in in_teams.thread(said) if "Cancel" in each.labels]
    assert "isn't yours" in (await in_teams.bob.press(progress, "Cancel the run")).body["value"]
    await in_teams.say("cancel", in_teams.ada)
    offered = await in_teams.told(in_teams.ada, "Which run do you want to cancel")
    assert offered.labels
    run_id = str(json.dumps(question.refresh)).split('"value": "')[1][:8]
    await in_teams.say(f"cancel {run_id}", in_teams.ada)
    await in_teams.until(lambda: "Cancelled" in in_teams.thread(said)[1].words)


# ── beside other surfaces ───────────────────────────────────────────────────────────────────────────────


async def test_what_is_asked_in_teams_is_answered_over_http(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("vote tides")
    run_id, question_id, *_ = str(question.actions[0]["data"]["crewdeck"]["value"]).split()
    asked = in_teams.server.get(f"/runs/{run_id}")[1]
    assert asked["status"] == "input_required"
    url = f"{in_teams.server.url}/questions/{question_id}/answer"
    async with aiohttp.ClientSession(headers=in_teams.server.bearer) as http:
        answered = await http.post(url, json={"action": "approve"})
        assert answered.status == 200, await answered.text()
    await in_teams.reads("The crew heard: .*approved", said)
    await in_teams.until(lambda: "Approved" in in_teams.now(question).words)
    late = await in_teams.bob.press(question, "Reject")
    assert "already settled" in late.body["value"]


async def test_one_server_has_runs_in_slack_and_in_teams(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel
) -> None:
    in_slack = teams_deployment.in_slack()
    said, in_thread = await in_teams.asked("ask tides")
    elsewhere = await in_slack.asked("ask moons")
    await in_slack.ada.press(elsewhere, "Approve")
    await in_slack.said("The crew heard: Ada approved", elsewhere)
    assert in_teams.now(in_thread) == in_thread
    await in_teams.press(in_teams.ada, in_thread, "Approve")
    await in_teams.reads(HEARD, said)
    surfaces = in_teams.server.get("/ready")[1]["surfaces"]
    assert surfaces == {"slack": True, "teams": True}


async def test_who_is_linked_decides_with_a_link_from_slack_and_the_card_in_teams_says_so(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel
) -> None:
    in_slack = teams_deployment.in_slack()
    said, question = await in_teams.asked("ask tides")
    async with browser(in_slack) as page:
        signed_in = await page.post(await link(in_slack))
        assert signed_in.status_code == 303
        assert (await _approves(page, question)).status_code == 404
        await _link(in_teams, in_slack)
        approved = await _approves(page, question)
        assert approved.status_code == 200, approved.text
    await in_teams.reads(HEARD, said)
    await in_teams.until(lambda: "Approved" in in_teams.now(question).words)
    assert in_teams.now(question).labels == []


async def _link(in_teams: TeamsChannel, in_slack: ChannelDeployment) -> None:
    """Ada of Teams and Ada of Slack become one person."""
    await in_teams.ada.say(in_teams.ada.chat, "link")
    given = re.search(r"Your code: (\S+)\. ", (await in_teams.told(in_teams.ada, "Your code")).words)
    assert given
    whose = await in_slack.answer(f"link {given[1]}")
    assert "Ada" in whose.words
    await in_slack.ada.press(whose, "Yes, link us")
    await in_slack.told(in_slack.ada, "Linked")


async def test_what_is_asked_in_teams_is_decided_in_slack(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel
) -> None:
    in_slack = teams_deployment.in_slack()
    await _link(in_teams, in_slack)
    said, question = await in_teams.asked("ask tides")
    copy = await in_slack.told(in_slack.ada, "Asked in Teams")
    assert "in a run of Ada, in Teams" in copy.words
    assert copy.labels[:2] == ["Approve", "Reject"]
    assert not [each for each in in_slack.private(in_slack.bob) if "Asked in" in each.words]
    await in_slack.ada.press(copy, "Approve")
    await in_teams.reads(HEARD, said)
    await in_teams.until(lambda: "by Ada, in Slack" in in_teams.now(question).words)
    assert in_teams.now(question).labels == []
    await in_slack.told(in_slack.ada, "Approved")
    assert in_slack.now(copy).labels == []


async def test_what_is_asked_in_slack_is_decided_in_teams(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel
) -> None:
    in_slack, ada = teams_deployment.in_slack(), in_teams.ada
    await _link(in_teams, in_slack)
    question = await in_slack.asked("tell moons")
    copy = await in_teams.told(ada, "Asked in Slack")
    dialog = dialog_of(await ada.press(copy, "Answer..."))
    await ada.submit(ada.chat, dialog, {"Your answer": "They rise late"}, of=copy)
    await in_slack.said("The crew heard: .*They rise late", question)
    await in_slack.until(lambda: _saying(in_slack, question, "by Ada, in Teams"))
    await in_teams.until(lambda: "They rise late" in in_teams.now(copy).words)
    assert in_teams.now(copy).labels == []


async def test_what_was_asked_before_somebody_linked_is_decided_from_the_list(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel
) -> None:
    in_slack, ada = teams_deployment.in_slack(), in_teams.ada
    question = await in_slack.asked("ask moons")
    await _link(in_teams, in_slack)
    await ada.say(ada.chat, "status")
    listed = await in_teams.told(ada, "Waiting for you")
    assert "May moons go on?" in listed.words
    dialog = dialog_of(await ada.press(listed, "Show 1"))
    decided = await ada.submit(ada.chat, dialog, {}, "Approve", of=listed)
    assert "Recorded" in words([dialog_of(decided)])
    await in_slack.said(HEARD, question)
    await in_slack.until(lambda: _saying(in_slack, question, "by Ada, in Teams"))


async def test_a_run_whose_conversation_lost_the_app_is_decided_in_slack(
    teams_deployment: TeamsDeployment, in_teams: TeamsChannel
) -> None:
    in_slack = teams_deployment.in_slack()
    await _link(in_teams, in_slack)
    await in_teams.asked("ask tides")
    copy = await in_slack.told(in_slack.ada, "Asked in Teams")
    in_teams.teams.close(in_teams.channel)
    await in_teams.bob.install(in_teams.channel, added=False)
    assert "They go on" in (await in_teams.told(in_teams.ada, "I was removed from")).words
    await in_slack.ada.press(copy, "Approve")
    await in_teams.told(in_teams.ada, HEARD)
    await in_slack.told(in_slack.ada, "Approved")


def _saying(in_slack: ChannelDeployment, message: SlackMessage, words: str) -> SlackMessage:
    now = in_slack.now(message)
    if words not in now.words:
        raise LookupError(words)
    return now


async def _approves(page: httpx.AsyncClient, question: Message) -> httpx.Response:
    _, question_id, *_ = str(question.actions[0]["data"]["crewdeck"]["value"]).split()
    return await page.post(f"/questions/{question_id}/answer", json={"action": "approve"})


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────


async def test_guests_may_decide_only_where_their_crew_admits_them(in_teams: TeamsChannel) -> None:
    guest = in_teams.teams.person("Gil", guest=True)
    said, question = await in_teams.asked("vote tides")
    refused = await guest.press(question, "Approve")
    assert "admit" in refused.body["value"]
    said, question = await in_teams.asked("welcome tides")
    await guest.press(question, "Approve")
    await in_teams.reads("The crew heard: Gil approved", said)


async def test_nobody_decides_of_whom_teams_does_not_say_who_they_are(in_teams: TeamsChannel) -> None:
    said, question = await in_teams.asked("vote tides")
    stranger = in_teams.teams.person("Sam")
    in_teams.channel.members.pop(stranger.user.id)
    refused = await stranger.press(question, "Approve")
    assert "who you are" in refused.body["value"]
    await in_teams.bob.press(question, "Approve")
    await in_teams.reads("The crew heard: Bob approved", said)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": "00000000-0000-0000-0000-000000000000"}, 401),
        ({"iss": "https://login.microsoftonline.com/x/v2.0"}, 401),
        ({"serviceurl": "https://evil.example/"}, 401),
        ({"exp": 1}, 401),
        ({}, 403),
    ],
)
async def test_what_is_not_teams_to_this_tenant_is_refused(
    in_teams: TeamsChannel, claims: dict[str, Any], status: int
) -> None:
    activity = in_teams.ada.activity("message", in_teams.channel, "1", text="start tell tides")
    if not claims:
        activity["conversation"]["tenantId"] = "another"
    headers = {"Authorization": f"Bearer {in_teams.teams.token(**claims)}"}
    sent = await in_teams.teams.send_raw(json.dumps(activity).encode(), headers)
    assert sent.status == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b'{"type": "message"}'])
async def test_bad_bodies_are_400_and_unsigned_ones_are_not_read(in_teams: TeamsChannel, body: bytes) -> None:
    signed = {"Authorization": f"Bearer {in_teams.teams.token()}"}
    assert (await in_teams.teams.send_raw(body, signed)).status == 400
    assert (await in_teams.teams.send_raw(body, {})).status == 401


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adaptiveCard/action", None),
        ("adaptiveCard/action", {"action": "approve"}),
        ("adaptiveCard/action", {"action": {"data": "text"}, "trigger": "manual"}),
        ("task/fetch", {"data": {"crewdeck": {"action": "answer.approve"}}}),
        ("task/submit", []),
        ("fileConsent/invoke", {"action": "accept"}),
        ("something/new", {}),
    ],
)
async def test_strange_invokes_are_answered_and_never_with_500(
    in_teams: TeamsChannel,
    name: str,
    value: Any,  # noqa: ANN401 - that is the point
) -> None:
    answered = await in_teams.ada.invoke(name, value, in_teams.channel)
    assert answered.status in {200, 400, 501}
    assert answered.status != 200 or answered.body


# ── the app and its conversations ───────────────────────────────────────────────────────────────────────


async def test_where_the_app_is_removed_requesters_are_told_and_runs_go_on(in_teams: TeamsChannel) -> None:
    _, question = await in_teams.asked("ask tides")
    await in_teams.bob.install(in_teams.channel, added=False)
    assert "They go on" in (await in_teams.told(in_teams.ada, "I was removed from")).words
    assert question.refresh
    await in_teams.ada.install(in_teams.ada.chat)
    await in_teams.told(in_teams.ada, "list")
