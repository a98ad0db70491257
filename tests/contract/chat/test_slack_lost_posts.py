"""Posts to Slack whose answer is lost: looked for, and made once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.metrics import Metrics
from bot.settings import Settings
from bot.surfaces.chat.failures import OutcomeUnknown, RetryLater, Unrenderable
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.messages import Form, Message, Paragraph, text_message
from bot.surfaces.chat.places import Conversation
from bot.surfaces.chat.platform import SharedFile
from bot.surfaces.slack.webapi.api import SlackApi, open_api
from tests.loopback.slack import GENERAL, LoopbackSlack
from tests.loopback.slack.faults import Fault


@pytest.fixture
async def slack() -> AsyncIterator[LoopbackSlack]:
    async with LoopbackSlack() as there:
        yield there


@pytest.fixture
async def api(slack: LoopbackSlack) -> AsyncIterator[SlackApi]:
    settings = Settings.model_validate({"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url})
    async with open_api(settings, Metrics(), AckPriority()) as made:
        yield made


def message(words: str) -> Message:
    return Message((words,), (Paragraph((words,)),))


@pytest.mark.parametrize("kind", ["channel", "thread", "direct"])
@pytest.mark.parametrize("how", ["server error", "connection"])
async def test_a_message_that_had_arrived_is_found_and_not_posted_again(
    slack: LoopbackSlack, api: SlackApi, kind: str, how: str
) -> None:
    where = Conversation(GENERAL)
    if kind == "direct":
        where = await api.open_direct(slack.person("U0ADA", name="Ada").id)
    elif kind == "thread":
        where = (await api.post(where, message("First"))).thread
    if how == "connection":
        slack.lose_answer("chat.postMessage")
    else:
        slack.faults.add("chat.postMessage", Fault(1, 503, applied=True))
    posted = await api.post(where, message("Is this there?"))
    await api.update(posted, message("It is."))
    shown = [each.words for each in slack.messages(where.channel)]
    assert shown == (["First", "It is."] if kind == "thread" else ["It is."])


@pytest.mark.parametrize("in_thread", [True, False])
@pytest.mark.parametrize("how", ["server error", "connection"])
async def test_a_file_that_had_arrived_is_not_shared_again(
    slack: LoopbackSlack, api: SlackApi, how: str, *, in_thread: bool
) -> None:
    parent = await api.post(Conversation(GENERAL), message("First"))
    if how == "connection":
        slack.lose_answer("files.completeUploadExternal")
    else:
        slack.faults.add("files.completeUploadExternal", Fault(1, 502, applied=True))
    where = parent.thread if in_thread else Conversation(GENERAL)
    await api.upload(where, SharedFile("result.md", b"All of it", "The result"), run_id="run")
    assert len(slack.messages(GENERAL)) == 2


async def test_a_file_that_is_not_found_is_for_the_caller_to_share_again(
    slack: LoopbackSlack, api: SlackApi
) -> None:
    slack.fail("files.completeUploadExternal")
    with pytest.raises(OutcomeUnknown):
        await api.upload(Conversation(GENERAL), SharedFile("result.md", b"All", "It"), run_id="run")
    assert slack.messages(GENERAL) == []


@pytest.mark.parametrize("searchable", [True, False])
@pytest.mark.parametrize("arrived", [True, False])
async def test_a_message_that_is_not_found_is_for_the_caller_to_post_again(
    slack: LoopbackSlack, api: SlackApi, *, searchable: bool, arrived: bool
) -> None:
    if not searchable:
        slack.fail("conversations.history", error="missing_scope")
    await api.post(Conversation(GENERAL), message("Is this there?"))
    slack.faults.add("chat.postMessage", Fault(1, 500, applied=arrived))
    if searchable and arrived:
        await api.post(Conversation(GENERAL), message("Is this there?"))
    else:
        with pytest.raises(OutcomeUnknown):
            await api.post(Conversation(GENERAL), message("Is this there?"))
    assert len(slack.messages(GENERAL)) == 1 + arrived


async def test_text_alone_has_no_place_for_an_id_and_is_not_looked_for(
    slack: LoopbackSlack, api: SlackApi
) -> None:
    slack.lose_answer("chat.postMessage")
    with pytest.raises(OutcomeUnknown):
        await api.post(Conversation(GENERAL), message("Is this there?").without_blocks())
    assert not [each for each in slack.calls if each.method == "conversations.history"]


async def test_what_slack_did_not_take_is_not_looked_for(slack: LoopbackSlack, api: SlackApi) -> None:
    slack.rate_limit("chat.postMessage", retry_after=1)
    with pytest.raises(Exception, match="Try again"):
        await api.post(Conversation(GENERAL), text_message("Is this there?"))
    assert not [each for each in slack.calls if each.method == "conversations.history"]


@pytest.mark.parametrize(
    "code", ["internal_error", "update_failed", "external_channel_migrating", "accesslimited"]
)
async def test_what_slack_can_not_do_just_now_is_tried_again(
    slack: LoopbackSlack, api: SlackApi, code: str
) -> None:
    posted = await api.post(Conversation(GENERAL), message("Shall it?"))
    slack.fail("chat.update", error=code)
    with pytest.raises(RetryLater):
        await api.update(posted, message("It shall."))
    await api.update(posted, message("It shall."))
    assert slack.message(GENERAL, posted.message_id).words == "It shall."


async def test_a_form_that_is_too_large_is_refused_for_what_it_is(
    slack: LoopbackSlack, api: SlackApi
) -> None:
    slack.fail("views.open", error="view_too_large")
    with pytest.raises(Unrenderable, match="view_too_large"):
        await api.open_view("a trigger", Form("Large", (Paragraph(("All of it",)),)))
