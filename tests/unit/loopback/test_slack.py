"""The loopback Slack, as Slack's own SDK meets it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.loopback.slack import (
    GENERAL,
    SLACK_BUDGETS,
    LoopbackSlack,
    Message,
    NotSubmittedError,
    Person,
    sign,
    typed,
)
from tests.loopback.slack.state import TRIGGER_SECONDS
from tests.waiting import WITHIN

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
Body = dict[str, Any]


class RequestUrl:
    """An app's request URL that verifies what it gets with Slack's own verifier and answers as told."""

    def __init__(self) -> None:
        self.received: list[tuple[Body, dict[str, str]]] = []
        self.answer: Callable[[Body], web.Response] = lambda _: web.Response()
        self._verifier = SignatureVerifier(SECRET)

    async def handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if not self._verifier.is_valid_request(raw, dict(request.headers)):
            return web.Response(status=401)
        body = _payload(raw, request.content_type)
        self.received.append((body, dict(request.headers)))
        return self.answer(body)

    def events(self, kind: str = "message") -> list[Body]:
        bodies = [body for body, _ in self.received if body.get("type") == "event_callback"]
        return [body["event"] for body in bodies if body["event"]["type"] == kind]


def _payload(raw: bytes, content_type: str) -> Body:
    if content_type == "application/json":
        return dict(json.loads(raw))
    form = {key: values[0] for key, values in parse_qs(raw.decode(), keep_blank_values=True).items()}
    return dict(json.loads(form["payload"])) if "payload" in form else dict(form)


@pytest.fixture
async def slack() -> AsyncIterator[LoopbackSlack]:
    async with LoopbackSlack(trigger_seconds=TRIGGER_SECONDS) as slack:
        yield slack


@pytest.fixture
def client(slack: LoopbackSlack) -> AsyncWebClient:
    return AsyncWebClient(slack.bot_token, base_url=slack.api_url)


@pytest.fixture
def ada(slack: LoopbackSlack) -> Person:
    return slack.person("U0ADA", name="Ada")


@pytest.fixture
async def app(slack: LoopbackSlack) -> AsyncIterator[RequestUrl]:
    url = RequestUrl()
    application = web.Application()
    application.router.add_post("/slack/events", url.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.connect_http(f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events", SECRET)
    yield url
    await runner.cleanup()


@asynccontextmanager
async def refused(error: str) -> AsyncIterator[None]:
    with pytest.raises(SlackApiError) as caught:
        yield
    assert caught.value.response["error"] == error


def text(words: str, kind: str = "mrkdwn") -> Body:
    return {"type": kind, "text": words}


def section(words: str) -> Body:
    return {"type": "section", "text": text(words)}


def button(label: str, action_id: str, **more: Any) -> Body:
    return {"type": "button", "text": text(label, "plain_text"), "action_id": action_id, **more}


def actions(*elements: Body, **more: Any) -> Body:
    return {"type": "actions", "elements": list(elements), **more}


def option(label: str, value: str) -> Body:
    return {"text": text(label, "plain_text"), "value": value}


def select(*options: Body) -> Body:
    return {"type": "static_select", "action_id": "pick", "options": list(options)}


def field(label: str, element: Body, **more: Any) -> Body:
    return {
        "type": "input",
        "block_id": label.lower(),
        "label": text(label, "plain_text"),
        "element": element,
        **more,
    }


def modal(*blocks: Body, **more: Any) -> Body:
    title, submit = text("Start", "plain_text"), text("Go", "plain_text")
    return {"type": "modal", "title": title, "submit": submit, "blocks": list(blocks), **more}


TYPED = {"type": "plain_text_input", "action_id": "words"}


# --- The Web API


async def test_auth_test_says_who_the_app_is_and_what_it_may_do(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == ("T0CREW", "U0CREWBOT", "B0CREWBOT")
    assert "chat:write" in answer.headers["X-OAuth-Scopes"].split(",")


async def test_unknown_revoked_and_unscoped_tokens_are_refused(slack: LoopbackSlack) -> None:
    async with refused("invalid_auth"):
        await AsyncWebClient("xoxb-other", base_url=slack.api_url).auth_test()
    client = AsyncWebClient(slack.bot_token, base_url=slack.api_url)
    slack.workspace.scopes.remove("chat:write")
    async with refused("missing_scope"):
        await client.chat_postMessage(channel=GENERAL, text="hi")
    slack.workspace.revoked = True
    async with refused("token_revoked"):
        await client.auth_test()


async def test_a_thread_is_posted_edited_read_and_deleted(
    slack: LoopbackSlack, client: AsyncWebClient
) -> None:
    parent = await client.chat_postMessage(channel=GENERAL, text="run", blocks=[section("*run*")])
    reply = await client.chat_postMessage(channel=GENERAL, text="first", thread_ts=parent["ts"])
    assert [m.text for m in slack.thread(GENERAL, parent["ts"])] == ["run", "first"]
    assert float(reply["ts"]) > float(parent["ts"])
    await client.chat_update(channel=GENERAL, ts=parent["ts"], text="done", blocks=[section("done")])
    assert slack.message(GENERAL, parent["ts"]).words == "done"
    await client.chat_update(channel=GENERAL, ts=parent["ts"], text="only text")
    assert slack.message(GENERAL, parent["ts"]).blocks == []
    await client.chat_delete(channel=GENERAL, ts=reply["ts"])
    assert len(slack.thread(GENERAL, parent["ts"])) == 1
    link = await client.chat_getPermalink(channel=GENERAL, message_ts=parent["ts"])
    assert link["permalink"].endswith("p" + parent["ts"].replace(".", ""))


async def test_form_encoded_arguments_mean_the_same_as_json(
    slack: LoopbackSlack, client: AsyncWebClient
) -> None:
    form = {"channel": GENERAL, "blocks": json.dumps([section("as form")])}
    posted = await client.api_call("chat.postMessage", data=form)
    assert slack.message(GENERAL, posted["ts"]).words == "as form"


async def test_replies_and_history_come_in_pages(client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel=GENERAL, text="0"))["ts"]
    for number in range(1, 5):
        await client.chat_postMessage(channel=GENERAL, text=str(number), thread_ts=parent)
    seen: list[str] = []
    async for page in await client.conversations_replies(channel=GENERAL, ts=parent, limit=2):
        seen.extend(message["text"] for message in page["messages"])
    assert seen == ["0", "1", "2", "3", "4"]
    history = await client.conversations_history(channel=GENERAL)
    assert [(m["text"], m["reply_count"]) for m in history["messages"]] == [("0", 4)]
    async with refused("thread_not_found"):
        await client.conversations_replies(channel=GENERAL, ts="1.000000")


async def test_channels_that_are_foreign_private_or_archived_refuse_posts(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    slack.add_channel("C0OPEN", app=False)
    slack.add_channel("C0SECRET", kind="group", members=[ada], app=False)
    for channel, error in (
        ("C0OPEN", "not_in_channel"),
        ("C0SECRET", "channel_not_found"),
        ("C0", "channel_not_found"),
    ):
        async with refused(error):
            await client.chat_postMessage(channel=channel, text="hi")
    await slack.archive(GENERAL)
    async with refused("is_archived"):
        await client.chat_postMessage(channel=GENERAL, text="hi")


@pytest.mark.usefixtures("app")
async def test_other_peoples_messages_cannot_be_edited_and_nonexistent_ones_not_answered(
    client: AsyncWebClient, ada: Person
) -> None:
    said = (await ada.say(GENERAL, "mine")).message
    assert said
    async with refused("cant_update_message"):
        await client.chat_update(channel=GENERAL, ts=said.ts, text="yours")
    async with refused("message_not_found"):
        await client.chat_update(channel=GENERAL, ts="1.000000", text="x")
    async with refused("thread_not_found"):
        await client.chat_postMessage(channel=GENERAL, text="x", thread_ts="1.000000")


async def test_ephemerals_are_for_one_member_only(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    await client.chat_postEphemeral(channel=GENERAL, user=ada.id, text="only you")
    assert [m.text for m in slack.ephemerals(ada.id)] == ["only you"]
    assert slack.messages(GENERAL) == []
    async with refused("user_not_in_channel"):
        await client.chat_postEphemeral(channel=GENERAL, user="U0NOBODY", text="hi")


async def test_a_direct_conversation_is_the_same_each_time(client: AsyncWebClient, ada: Person) -> None:
    opened = await client.conversations_open(users=[ada.id])
    assert opened["channel"]["id"] == ada.im
    posted = await client.chat_postMessage(channel=ada.id, text="psst")
    assert posted["channel"] == ada.im


async def test_a_file_is_uploaded_into_a_thread(slack: LoopbackSlack, client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel=GENERAL, text="run"))["ts"]
    await client.files_upload_v2(
        channel=GENERAL,
        thread_ts=parent,
        filename="result.md",
        content="# Tides",
        initial_comment="The result",
    )
    shared = slack.thread(GENERAL, parent)[-1]
    assert (shared.text, shared.body["files"][0]["name"]) == ("The result", "result.md")
    assert slack.files() == {"result.md": b"# Tides"}


async def test_users_say_whether_they_are_guests_or_strangers(
    slack: LoopbackSlack, client: AsyncWebClient
) -> None:
    slack.person("U0GUEST", guest=True)
    slack.person("U0OTHER", team="T0OTHER")
    guest = (await client.users_info(user="U0GUEST"))["user"]
    stranger = (await client.users_info(user="U0OTHER"))["user"]
    assert (guest["is_restricted"], guest["is_ultra_restricted"]) == (True, False)
    assert ("is_stranger" in stranger, stranger["team_id"]) == (False, "T0OTHER")


# --- Block Kit's limits


BAD_BLOCKS: dict[str, list[Body]] = {
    "51 blocks": [{"type": "divider"}] * 51,
    "section of 3001": [section("x" * 3001)],
    "empty section": [section("")],
    "section of nothing": [{"type": "section"}],
    "header of 151": [{"type": "header", "text": text("x" * 151, "plain_text")}],
    "header in mrkdwn": [{"type": "header", "text": text("x")}],
    "11 fields": [{"type": "section", "fields": [text("x")] * 11}],
    "field of 2001": [{"type": "section", "fields": [text("x" * 2001)]}],
    "11 in a context": [{"type": "context", "elements": [text("x")] * 11}],
    "26 buttons": [actions(*(button("x", str(n)) for n in range(26)))],
    "label of 76": [actions(button("x" * 76, "a"))],
    "label of 38 wide emoji": [actions(button("\N{WATER WAVE}" * 38, "a"))],
    "value of 2001": [actions(button("x", "a", value="x" * 2001))],
    "accessibility label of 76": [actions(button("x", "a", accessibility_label="x" * 76))],
    "action_id of 256": [actions(button("x", "a" * 256))],
    "block_id of 256": [section("x") | {"block_id": "b" * 256}],
    "same action_id": [actions(button("x", "a"), button("y", "a"))],
    "same block_id": [section("x") | {"block_id": "b"}, section("y") | {"block_id": "b"}],
    "style": [actions(button("x", "a", style="warning"))],
    "101 options": [actions(select(*(option("x", str(n)) for n in range(101))))],
    "option label of 76": [actions(select(option("x" * 76, "v")))],
    "option value of 151": [actions(select(option("x", "v" * 151)))],
    "no option": [actions(select())],
    "11 radio buttons": [
        actions({**select(*(option("x", str(n)) for n in range(11))), "type": "radio_buttons"})
    ],
    "confirm text of 301": [
        actions(
            button(
                "x",
                "a",
                confirm={
                    "title": text("t", "plain_text"),
                    "text": text("x" * 301, "plain_text"),
                    "confirm": text("y", "plain_text"),
                    "deny": text("n", "plain_text"),
                },
            )
        )
    ],
    "typed input in actions": [actions(TYPED)],
    "unknown type": [{"type": "sectoin"}],
    "unknown property": [section("x") | {"colour": "red"}],
}


@pytest.mark.parametrize("blocks", BAD_BLOCKS.values(), ids=BAD_BLOCKS)
async def test_blocks_beyond_a_limit_are_refused_with_the_place(
    client: AsyncWebClient, blocks: list[Body]
) -> None:
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=GENERAL, text="x", blocks=blocks)
    assert caught.value.response["error"] == "invalid_blocks"
    assert "[json-pointer:/blocks" in caught.value.response["response_metadata"]["messages"][0]


async def test_blocks_at_the_limits_are_taken(slack: LoopbackSlack, client: AsyncWebClient) -> None:
    blocks = [
        section("x" * 3000),
        {"type": "header", "text": text("x" * 150, "plain_text")},
        actions(*(button("x" * 75, str(n), value="x" * 2000) for n in range(25))),
        actions(select(*(option("x" * 10, f"{n:150}") for n in range(100)))),
        *[{"type": "divider"}] * 46,
    ]
    posted = await client.chat_postMessage(channel=GENERAL, text="x", blocks=blocks)
    assert len(slack.message(GENERAL, posted["ts"]).labels) == 125


async def test_texts_that_are_too_long_or_absent_are_refused(client: AsyncWebClient) -> None:
    async with refused("msg_too_long"):
        await client.chat_postMessage(channel=GENERAL, text="x" * 40_001)
    async with refused("no_text"):
        await client.api_call("chat.postMessage", json={"channel": GENERAL})
    async with refused("msg_blocks_too_long"):
        await client.chat_postMessage(channel=GENERAL, text="x", blocks=[section("x" * 2700)] * 5)
    async with refused("msg_blocks_too_long"):
        markdown = {"type": "markdown", "text": "x" * 12_001}
        await client.chat_postMessage(channel=GENERAL, text="x", blocks=[markdown])
    async with refused("invalid_blocks_format"):
        await client.api_call("chat.postMessage", data={"channel": GENERAL, "blocks": "[{"})


BAD_VIEWS: dict[str, Body] = {
    "title of 25": modal(section("x"), title=text("x" * 25, "plain_text")),
    "no title": {"type": "modal", "blocks": [section("x")]},
    "submit of 25": modal(section("x"), submit=text("x" * 25, "plain_text")),
    "input without submit": modal(field("Topic", TYPED), submit=None),
    "private_metadata of 3001": modal(section("x"), private_metadata="x" * 3001),
    "callback_id of 256": modal(section("x"), callback_id="x" * 256),
    "101 blocks": modal(*[{"type": "divider"}] * 101),
    "markdown": modal({"type": "markdown", "text": "x"}),
    "input of 3001": modal(field("Topic", {**TYPED, "max_length": 3001})),
}


@pytest.mark.parametrize("view", BAD_VIEWS.values(), ids=BAD_VIEWS)
@pytest.mark.usefixtures("app")
async def test_views_beyond_a_limit_are_refused(client: AsyncWebClient, ada: Person, view: Body) -> None:
    trigger = (await ada.command("/crew")).payload["trigger_id"]
    async with refused("invalid_arguments"):
        await client.views_open(trigger_id=trigger, view=view)


# --- Bad days


async def test_scripted_failures_are_what_the_sdks_retry_handlers_wait_out(
    slack: LoopbackSlack, client: AsyncWebClient
) -> None:
    client.retry_handlers += [
        AsyncRateLimitErrorRetryHandler(max_retry_count=2),
        # The SDK counts the attempts of all handlers together.
        AsyncServerErrorRetryHandler(max_retry_count=2),
    ]
    slack.rate_limit("chat.postMessage", retry_after=1)
    slack.fail("chat.postMessage", status=503)
    started = time.monotonic()
    await client.chat_postMessage(channel=GENERAL, text="at last")
    assert time.monotonic() - started >= 1
    assert [call.status for call in slack.called("chat.postMessage")] == [429, 503, 200]
    slack.fail("chat.update", error="is_inactive")
    async with refused("is_inactive"):
        await client.chat_update(channel=GENERAL, ts="1.0", text="x")


async def test_budgets_are_kept_when_asked(slack: LoopbackSlack, client: AsyncWebClient) -> None:
    slack.enforce(SLACK_BUDGETS)
    for _ in range(5):
        await client.chat_postMessage(channel=GENERAL, text="burst")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=GENERAL, text="one too many")
    assert caught.value.response.status_code == 429
    assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 5
    assert len(slack.messages(GENERAL)) == 5


async def test_a_lost_answer_took_effect_all_the_same(slack: LoopbackSlack) -> None:
    client = AsyncWebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    slack.lose_answer("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=GENERAL, text="there")
    assert [m.text for m in slack.messages(GENERAL)] == ["there"]


async def test_slow_calls_wait_before_they_take_effect(slack: LoopbackSlack, client: AsyncWebClient) -> None:
    slack.delay("chat.postMessage", 0.3)
    posting = asyncio.create_task(client.chat_postMessage(channel=GENERAL, text="slow"))
    await slack.wait_for(lambda: slack.called("chat.postMessage"))
    assert slack.messages(GENERAL) == []
    await posting
    assert len(slack.messages(GENERAL)) == 1


async def test_an_outage_refuses_connections_and_forgets_nothing(slack: LoopbackSlack) -> None:
    client = AsyncWebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])
    posted = await client.chat_postMessage(channel=GENERAL, text="before")
    async with slack.outage():
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.auth_test()
    assert (await client.conversations_replies(channel=GENERAL, ts=posted["ts"]))["messages"][0][
        "text"
    ] == "before"


async def test_waiting_ends_with_the_last_calls_when_nothing_comes(
    slack: LoopbackSlack, client: AsyncWebClient
) -> None:
    await client.auth_test()
    with pytest.raises(AssertionError, match=r"auth\.test"):
        await slack.wait_for(lambda: slack.messages()[0], within=0.05)


# --- People, over signed HTTP


async def test_a_command_is_signed_and_has_slacks_fields(app: RequestUrl, ada: Person) -> None:
    app.answer = lambda _: web.json_response({"text": "Started *demo*."})
    done = await ada.command("/crew", 'start demo topic="tide mills"')
    assert (done.status, [m.text for m in done.private]) == (200, ["Started *demo*."])
    assert 0 < done.elapsed < 3
    form, headers = app.received[0]
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form["text"] == 'start demo topic="tide mills"'
    assert set(form) == {
        "token",
        "team_id",
        "team_domain",
        "channel_id",
        "channel_name",
        "user_id",
        "user_name",
        "command",
        "text",
        "api_app_id",
        "is_enterprise_install",
        "response_url",
        "trigger_id",
    }


async def test_signatures_can_be_wrong_stale_or_missing(slack: LoopbackSlack, app: RequestUrl) -> None:
    body, kind = b'{"type":"event_callback"}', {"Content-Type": "application/json"}
    assert (await slack.send_raw(body, slack.sign(body) | kind)).status == 200
    assert (await slack.send_raw(body, sign("other", body) | kind)).status == 401
    assert (await slack.send_raw(body, slack.sign(body, at=time.time() - 301) | kind)).status == 401
    assert (await slack.send_raw(body, kind)).status == 401
    assert len(app.received) == 1


async def test_url_verification_carries_a_challenge(slack: LoopbackSlack, app: RequestUrl) -> None:
    app.answer = lambda body: web.json_response({"challenge": body["challenge"]})
    assert (await slack.url_verification("abc")).body == {"challenge": "abc"}


@pytest.mark.usefixtures("app")
async def test_a_press_carries_the_message_and_its_answer_is_private(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    parent = (await client.chat_postMessage(channel=GENERAL, text="run"))["ts"]
    blocks = [section("Publish?"), actions(button("Approve", "approve", value="q1", style="primary"))]
    posted = await client.chat_postMessage(channel=GENERAL, text="Publish?", blocks=blocks, thread_ts=parent)
    question = slack.message(GENERAL, posted["ts"])
    assert (question.words, question.labels) == ("Publish?\nApprove", ["Approve"])
    done = await ada.press(question, "Approve")
    payload = done.payload
    assert payload["container"] == {
        "type": "message",
        "message_ts": question.ts,
        "channel_id": GENERAL,
        "is_ephemeral": False,
        "thread_ts": parent,
    }
    assert payload["message"]["blocks"][1]["elements"][0]["value"] == "q1"
    assert (payload["user"]["id"], payload["team"]["id"]) == ("U0ADA", "T0CREW")
    pressed = payload["actions"][0]
    assert (pressed["type"], pressed["value"], pressed["block_id"]) == (
        "button",
        "q1",
        question.blocks[1]["block_id"],
    )
    await AsyncWebhookClient(payload["response_url"]).send(text="Thank you", response_type="ephemeral")
    assert [m.text for m in done.private] == ["Thank you"]
    with pytest.raises(LookupError, match="Approve"):
        await ada.press(question, "Reject")


@pytest.mark.usefixtures("app")
async def test_a_response_url_is_good_for_five_uses(slack: LoopbackSlack, ada: Person) -> None:
    done = await ada.command("/crew")
    webhook = AsyncWebhookClient(done.payload["response_url"])
    answers = [(await webhook.send(text=str(number))).status_code for number in range(6)]
    assert answers == [200, 200, 200, 200, 200, 404]
    assert [post["text"] for post in slack.response_posts(done)] == ["0", "1", "2", "3", "4"]


@pytest.mark.usefixtures("app")
async def test_a_choice_is_in_the_action_and_in_the_state(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    chooser = actions(select(option("Plain", "p"), option("Playful", "f")), block_id="tone")
    posted = await client.chat_postMessage(channel=GENERAL, text="Tone?", blocks=[chooser])
    payload = (await ada.select(slack.message(GENERAL, posted["ts"]), "Playful")).payload
    assert payload["actions"][0]["selected_option"]["value"] == "f"
    assert payload["state"]["values"]["tone"]["pick"]["selected_option"] == option("Playful", "f")


@pytest.mark.usefixtures("app")
async def test_a_modal_is_opened_once_within_three_seconds(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    trigger = (await ada.command("/crew")).payload["trigger_id"]
    await client.views_open(trigger_id=trigger, view=modal(section("x")))
    assert slack.view(ada.id).title == "Start"
    async with refused("exchanged_trigger_id"):
        await client.views_open(trigger_id=trigger, view=modal(section("x")))
    late = (await ada.command("/crew")).payload["trigger_id"]
    slack.workspace.triggers[late].expires -= 3.1
    async with refused("expired_trigger_id"):
        await client.views_open(trigger_id=late, view=modal(section("x")))


async def test_a_submission_has_the_state_and_obeys_the_answer(
    slack: LoopbackSlack, app: RequestUrl, client: AsyncWebClient, ada: Person
) -> None:
    number = {"type": "number_input", "action_id": "n", "is_decimal_allowed": False}
    day = {"type": "datepicker", "action_id": "d", "initial_date": "2026-01-31"}
    view = modal(
        field("Topic", TYPED),
        field("Tone", select(option("Plain", "p"))),
        field("Count", number, optional=True),
        field("Day", day),
        private_metadata="q1",
    )
    trigger = (await ada.command("/crew")).payload["trigger_id"]
    await client.views_open(trigger_id=trigger, view=view)
    with pytest.raises(NotSubmittedError, match="Topic"):
        await ada.submit(slack.view(), {"Tone": "Plain"})
    app.answer = lambda _: web.json_response({"response_action": "errors", "errors": {"topic": "Too short"}})
    refused_once = await ada.submit(slack.view(), {"Topic": "x", "Tone": "Plain"})
    assert refused_once.field_errors == {"topic": "Too short"}
    app.answer = lambda _: web.json_response({"response_action": "errors", "errors": {"nowhere": "?"}})
    assert "nowhere" in ((await ada.submit(slack.view(), {"Topic": "x", "Tone": "Plain"})).error or "")
    app.answer = lambda _: web.Response()
    done = await ada.submit(slack.view(), {"Topic": "tides", "tone": "p", "Count": 3})
    sent = done.payload["view"]
    assert sent["private_metadata"] == "q1"
    assert sent["state"]["values"] == {
        "topic": {"words": {"type": "plain_text_input", "value": "tides"}},
        "tone": {"pick": {"type": "static_select", "selected_option": option("Plain", "p")}},
        "count": {"n": {"type": "number_input", "value": "3"}},
        "day": {"d": {"type": "datepicker", "selected_date": "2026-01-31"}},
    }
    with pytest.raises(LookupError):
        slack.view()


async def test_a_reply_is_stored_and_told_and_the_apps_own_words_come_back_marked(
    slack: LoopbackSlack, app: RequestUrl, client: AsyncWebClient, ada: Person
) -> None:
    parent = (await client.chat_postMessage(channel=GENERAL, text="run"))["ts"]
    await slack.wait_for(lambda: [e for e in app.events() if e.get("bot_id") == "B0CREWBOT"])
    done = await ada.reply(GENERAL, parent, typed("a < b"))
    event = app.events()[-1]
    assert (done.status, event["text"], event["thread_ts"], event["user"]) == (
        200,
        "a &lt; b",
        parent,
        "U0ADA",
    )
    assert event["channel_type"] == "channel"
    assert "subtype" not in event
    assert slack.thread(GENERAL, parent)[-1].text == "a &lt; b"
    envelope = done.payload
    assert envelope["authorizations"][0]["user_id"] == "U0CREWBOT"
    assert envelope["event_id"].startswith("Ev")
    broadcast = (await ada.reply(GENERAL, parent, "to all", broadcast=True)).payload["event"]
    assert (broadcast["subtype"], broadcast["root"]["ts"]) == ("thread_broadcast", parent)


@pytest.mark.usefixtures("app")
async def test_a_mention_is_told_twice_with_one_ts(ada: Person) -> None:
    done = await ada.mention(GENERAL, "help")
    assert done.twin
    assert done.payload["event"]["type"] == "app_mention"
    assert done.payload["event"]["ts"] == done.twin.payload["event"]["ts"]
    assert done.payload["event_id"] != done.twin.payload["event_id"]
    assert done.payload["event"]["text"] == "<@U0CREWBOT> help"


async def test_edits_deletions_joins_and_files_have_their_subtypes(app: RequestUrl, ada: Person) -> None:
    said = (await ada.say(GENERAL, "one")).message
    assert said
    await ada.edit(said, "two")
    await ada.delete(said)
    await ada.join(GENERAL)
    await ada.upload(GENERAL, ["plan.pdf"], "see this")
    events = app.events()[1:]
    assert [e["subtype"] for e in events] == [
        "message_changed",
        "message_deleted",
        "channel_join",
        "file_share",
    ]
    assert (events[0]["message"]["text"], events[0]["hidden"]) == ("two", True)
    assert events[3]["files"][0]["name"] == "plan.pdf"


async def test_of_a_deleted_message_with_replies_a_tombstone_is_left(app: RequestUrl, ada: Person) -> None:
    said = (await ada.say(GENERAL, "one")).message
    assert said
    await ada.reply(GENERAL, said.ts, "two")
    await ada.delete(said)
    told = app.events()[-1]
    assert (told["subtype"], told["message"]["subtype"]) == ("message_changed", "tombstone")
    assert (told["message"]["ts"], told["previous_message"]["text"]) == (said.ts, "one")


async def test_nothing_is_told_of_channels_the_app_is_not_in(
    slack: LoopbackSlack, app: RequestUrl, ada: Person
) -> None:
    slack.add_channel("C0OTHER", members=[ada], app=False)
    done = await ada.mention("C0OTHER", "help")
    assert (done.status, app.received) == (None, [])
    assert "not a member" in (done.error or "")
    assert (await ada.command("/crew", "help", channel="C0OTHER")).ok


@pytest.mark.usefixtures("app")
async def test_people_of_other_workspaces_are_marked_and_so_is_the_channel(slack: LoopbackSlack) -> None:
    eve = slack.person("U0EVE", team="T0OTHER")
    done = await eve.say(GENERAL, "hello")
    assert done.payload["is_ext_shared_channel"] is True
    assert (done.payload["event"]["user_team"], done.payload["team_id"]) == ("T0OTHER", "T0CREW")


@pytest.mark.usefixtures("app")
async def test_app_home_is_opened_and_published(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    opened = (await ada.open_home()).payload["event"]
    assert (opened["type"], opened["tab"]) == ("app_home_opened", "home")
    await client.views_publish(user_id=ada.id, view={"type": "home", "blocks": [section("Your questions")]})
    assert slack.home(ada.id).words == "Your questions"
    assert (await ada.open_home()).payload["event"]["view"]["id"] == slack.home(ada.id).id


async def test_a_redelivery_is_the_same_event_marked_as_a_retry(app: RequestUrl, ada: Person) -> None:
    done = await ada.say(GENERAL, "once")
    await ada.redeliver(done, retry_num=2)
    (first, _), (again, headers) = app.received
    assert first == again
    assert (headers["X-Slack-Retry-Num"], headers["X-Slack-Retry-Reason"]) == ("2", "http_timeout")


@pytest.mark.usefixtures("app")
async def test_an_app_that_is_away_or_late_is_seen_as_that(slack: LoopbackSlack, ada: Person) -> None:
    slack.connect_http("http://127.0.0.1:1/slack/events", SECRET)
    away = await ada.command("/crew")
    assert (away.status, away.ok) == (None, False)
    assert away.error


async def test_revocation_is_told_and_the_token_is_dead(
    slack: LoopbackSlack, app: RequestUrl, client: AsyncWebClient
) -> None:
    await slack.revoke_tokens()
    assert app.events("tokens_revoked")
    async with refused("token_revoked"):
        await client.auth_test()


# --- Socket Mode


class SocketApp:
    """Slack's own Socket Mode client, acknowledging with a payload."""

    def __init__(self, slack: LoopbackSlack) -> None:
        self.requests: list[SocketModeRequest] = []
        web_client = AsyncWebClient(base_url=slack.api_url)
        self.client = SocketModeClient(slack.app_token, web_client=web_client, ping_interval=0.2)
        self.client.socket_mode_request_listeners.append(self._heard)

    async def _heard(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.requests.append(request)
        payload = {"text": "on it"} if request.type == "slash_commands" else None
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))


@pytest.fixture
async def socket_app(slack: LoopbackSlack) -> AsyncIterator[SocketApp]:
    app = SocketApp(slack)
    await app.client.connect()  # type: ignore[no-untyped-call]
    await slack.wait_for(lambda: slack.sockets.open)
    yield app
    await app.client.close()  # type: ignore[no-untyped-call]


async def test_socket_mode_carries_the_same_acts_and_their_answers(
    slack: LoopbackSlack, socket_app: SocketApp, client: AsyncWebClient, ada: Person
) -> None:
    done = await ada.command("/crew", "help")
    assert (done.status, [m.text for m in done.private]) == (200, ["on it"])
    posted = await client.chat_postMessage(channel=GENERAL, text="?", blocks=[actions(button("Yes", "yes"))])
    assert (await ada.press(slack.message(GENERAL, posted["ts"]), "Yes")).ok
    assert (await ada.reply(GENERAL, posted["ts"], "words")).ok
    kinds = {request.type for request in socket_app.requests}
    assert kinds == {"slash_commands", "interactive", "events_api"}


async def test_socket_mode_redelivers_the_envelope_with_its_attempt(
    socket_app: SocketApp, ada: Person
) -> None:
    done = await ada.say(GENERAL, "once")
    assert (await ada.redeliver(done, retry_num=1, reason="timeout")).ok
    first, again = socket_app.requests
    assert (first.retry_attempt, again.retry_attempt, again.retry_reason) == (0, 1, "timeout")
    assert first.payload == again.payload
    assert first.envelope_id == again.envelope_id


@pytest.mark.usefixtures("socket_app")
async def test_a_refresh_moves_the_client_to_a_new_connection(slack: LoopbackSlack, ada: Person) -> None:
    before = slack.sockets.open[0]
    await slack.sockets.refresh()
    await slack.wait_for(lambda: slack.sockets.open and before not in slack.sockets.open)
    assert (await ada.command("/crew")).ok


async def test_without_a_socket_nothing_is_acknowledged(ada: Person) -> None:
    done = await ada.command("/crew")
    assert (done.status, done.error) == (None, "no socket is connected")


@pytest.mark.usefixtures("socket_app")
async def test_an_acknowledgement_that_comes_too_late_is_none() -> None:
    async with LoopbackSlack(ack_seconds=0.1) as slack:
        person = slack.person("U0ADA")
        silent = SocketModeClient(slack.app_token, web_client=AsyncWebClient(base_url=slack.api_url))
        await silent.connect()  # type: ignore[no-untyped-call]
        await slack.wait_for(lambda: slack.sockets.open)
        done = await person.command("/crew")
        await silent.close()  # type: ignore[no-untyped-call]
    assert (done.status, done.error) == (None, "timeout")


async def test_stale_snapshots_press_as_they_were(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    posted = await client.chat_postMessage(channel=GENERAL, text="?", blocks=[actions(button("Yes", "yes"))])
    stale: Message = slack.message(GENERAL, posted["ts"])
    await client.chat_update(channel=GENERAL, ts=posted["ts"], text="Settled", blocks=[section("Settled")])
    assert slack.message(GENERAL, posted["ts"]).labels == []
    assert (await ada.press(stale, "Yes")).payload["message"]["blocks"][0]["elements"]


@pytest.mark.usefixtures("app")
async def test_pushed_views_stack_three_high_and_a_submission_closes_the_top_one(
    slack: LoopbackSlack, client: AsyncWebClient, ada: Person
) -> None:
    view = modal(section("first"), actions(button("More", "more")))
    trigger = (await ada.command("/crew")).payload["trigger_id"]
    await client.views_open(trigger_id=trigger, view=view)
    for _ in range(2):
        pressed = await ada.press(slack.view(ada.id), "More")
        await client.views_push(trigger_id=pressed.payload["trigger_id"], view=view)
    over = await ada.press(slack.view(ada.id), "More")
    assert over.payload["container"] == {"type": "view", "view_id": slack.view(ada.id).id}
    async with refused("push_limit_reached"):
        await client.views_push(trigger_id=over.payload["trigger_id"], view=view)
    top = slack.view(ada.id).id
    await ada.submit(slack.view(ada.id))
    assert slack.view(ada.id).id != top
    changed = modal(section("second"))
    await client.views_update(view_id=slack.view(ada.id).id, view=changed)
    assert slack.view(ada.id).words == "second"


@pytest.mark.usefixtures("socket_app")
async def test_direct_messages_and_other_bots_are_told_as_what_they_are(
    slack: LoopbackSlack, ada: Person
) -> None:
    direct = (await ada.say(ada.im, "hello")).payload["event"]
    assert (direct["channel_type"], direct["channel"]) == ("im", ada.im)
    in_direct = await ada.mention(ada.im, "help")
    assert (in_direct.payload["event"]["type"], in_direct.twin) == ("message", None)
    robot = slack.person("U0ROBOT", bot=True)
    assert (await robot.say(GENERAL, "beep")).payload["event"]["bot_id"] == "B0ROBOT"


async def test_a_real_bolt_app_takes_all_of_it_over_socket_mode(slack: LoopbackSlack, ada: Person) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    bolt = AsyncApp(client=AsyncWebClient(slack.bot_token, base_url=slack.api_url))

    @bolt.command("/crew")
    async def opened(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        await ack("Here is the form.")
        await client.views_open(
            trigger_id=body["trigger_id"], view=modal(field("Topic", TYPED), callback_id="start")
        )

    @bolt.view("start")
    async def submitted(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        await ack()
        topic = body["view"]["state"]["values"]["topic"]["words"]["value"]
        blocks = [actions(button(f"Go on with {topic}", "go"))]
        await client.chat_postMessage(channel=GENERAL, text="Ready", blocks=blocks)

    @bolt.action("go")
    async def pressed(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("Off it goes")

    @bolt.event("message")
    async def said(event: Body) -> None:
        heard.put_nowait(event["text"])

    handler = AsyncSocketModeHandler(bolt, slack.app_token, web_client=bolt.client)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        await slack.wait_for(lambda: slack.sockets.open)
        done = await ada.command("/crew", "start")
        assert [m.text for m in done.private] == ["Here is the form."]
        form = await slack.wait_for(lambda: slack.view(ada.id))
        assert (await ada.submit(form, {"Topic": "tides"})).ok
        ready = await slack.wait_for(lambda: slack.messages()[-1])
        press = await ada.press(ready, "Go on with tides")
        await slack.wait_for(lambda: press.private)
        assert press.private[0].text == "Off it goes"
        await ada.reply(GENERAL, ready.ts, "words")
        # Bolt drops the app's own messages, which came before.
        async with asyncio.timeout(WITHIN):
            assert await heard.get() == "words"
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]
