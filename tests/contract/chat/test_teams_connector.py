"""The Bot Connector on good days and bad ones: tokens, rate limits, files, people, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from bot.core.files import stored_file
from bot.metrics import Metrics
from bot.store.redis import open_store
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import Target
from bot.surfaces.chat.failures import (
    CredentialsRefused,
    OutcomeUnknown,
    Rejected,
    RejectionReason,
    RetryLater,
    Unrenderable,
)
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.formatted_text import ChannelName, Mention
from bot.surfaces.chat.messages import Actions, Audience, Button, Message, Paragraph, Quote, text_message
from bot.surfaces.chat.places import Conversation, MessageRef
from bot.surfaces.chat.platform import Priority, SharedFile
from bot.surfaces.teams.connector.client import RateLimited
from bot.surfaces.teams.connector.platform import TeamsPlatform, open_platform
from bot.surfaces.teams.credentials import TeamsApp
from tests.contract.examples import claimed
from tests.loopback.teams import LoopbackTeams, Person

HELLO = text_message("Hello")
TIDES = SharedFile("result.md", b"# Tides", "The result")
IN_CHAT = "&context=%7B%22contextType%22%3A%22chat%22%7D"
TARGET = Target("run", "question").encode()


@pytest.fixture
async def teams() -> AsyncIterator[LoopbackTeams]:
    async with LoopbackTeams() as peer:
        yield peer


def app_of(teams: LoopbackTeams) -> TeamsApp:
    return TeamsApp(
        teams.app_id,
        teams.tenant.id,
        teams.app_password,
        console="https://crew.example.com",
        local_peer=True,
        login_url=teams.login_url,
        graph_url=teams.graph_url,
    )


@pytest.fixture
async def platform(teams: LoopbackTeams, redis_url: str) -> AsyncIterator[TeamsPlatform]:
    async with connected(teams, redis_url, app_of(teams)) as made:
        yield made


@asynccontextmanager
async def connected(teams: LoopbackTeams, redis_url: str, app: TeamsApp) -> AsyncIterator[TeamsPlatform]:
    """A platform that knows where the loopback's conversations are served."""
    async with (
        open_store(redis_url) as store,
        open_platform(app, store.key_values, store.files, Metrics(), AckPriority()) as platform,
    ):
        await platform.service_urls.record(teams.channel().id, teams.service_url)
        yield platform


def general(teams: LoopbackTeams) -> Conversation:
    return Conversation(teams.channel().id)


def question(*deciders: Person) -> Message:
    principals = tuple(f"teams:{each.user.tenant}:{each.object_id}" for each in deciders)
    row = Actions((Button("Approve", actions.ANSWER_APPROVE, TARGET),), Audience(principals, TARGET))
    return Message(("Publish?",), (Paragraph(tuple(map(Mention, principals))), row))


# ── tokens ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_token_is_issued_once_and_replaced_when_it_is_refused(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    await platform.post(general(teams), HELLO)
    await platform.post(general(teams), HELLO)
    assert len(teams.called("issue_token")) == 1
    teams.connector.tokens.clear()
    await platform.post(general(teams), HELLO)
    assert len(teams.called("issue_token")) == 2
    assert len(teams.messages(teams.channel())) == 3


async def test_wrong_credentials_shut_us_out_and_are_not_in_the_error(
    teams: LoopbackTeams, redis_url: str
) -> None:
    async with connected(teams, redis_url, replace(app_of(teams), password="a-wrong-one")) as platform:
        with pytest.raises(CredentialsRefused) as refused:
            await platform.post(general(teams), HELLO)
    assert refused.value.code == "invalid_client"
    assert "a-wrong-one" not in repr(refused.value)


async def test_a_managed_identity_proves_itself_by_its_machine(
    teams: LoopbackTeams, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    async def issue(request: web.Request) -> web.Response:
        asked.append({**request.query, "proof": request.headers["X-IDENTITY-HEADER"]})
        answer = {"access_token": teams.outbound_token, "expires_on": str(int(time.time()) + 3600)}
        return web.json_response(answer | {"resource": request.query["resource"], "token_type": "Bearer"})

    application = web.Application()
    application.router.add_get("/msi/token", issue)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "a-header")
    try:
        app = replace(app_of(teams), password="", managed_identity=True)
        async with connected(teams, redis_url, app) as platform:
            await platform.post(general(teams), HELLO)
            await platform.post(general(teams), HELLO)
    finally:
        await runner.cleanup()
    [once] = asked
    assert (once["resource"], once["client_id"]) == ("https://api.botframework.com", teams.app_id)
    assert once["proof"] == "a-header"


async def test_no_token_for_now_is_tried_later(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    teams.fail("issue_token", 503)
    with pytest.raises(RetryLater):
        await platform.post(general(teams), HELLO)
    await platform.post(general(teams), HELLO)


@pytest.mark.parametrize(
    ("local_peer", "service_url"),
    [(False, ""), (True, "http://connector.example.com/"), (True, "ftp://127.0.0.1/")],
)
async def test_our_token_is_told_to_no_insecure_address(
    teams: LoopbackTeams, redis_url: str, service_url: str, *, local_peer: bool
) -> None:
    app = replace(app_of(teams), local_peer=local_peer, outbound_token=teams.outbound_token)
    async with connected(teams, redis_url, app) as platform:
        await platform.service_urls.record(teams.channel().id, service_url or teams.service_url)
        with pytest.raises(Rejected, match="insecure_service_url"):
            await platform.post(general(teams), HELLO)
    assert teams.calls == []


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [429, 412])
async def test_a_rate_limit_says_when_to_try_again(
    teams: LoopbackTeams, platform: TeamsPlatform, status: int
) -> None:
    teams.rate_limit("post", retry_after=3, status=status)
    before = time.monotonic()
    with pytest.raises(RateLimited) as limited:
        await platform.post(general(teams), HELLO)
    assert limited.value.seconds == 3
    waits = platform.seconds_until_post(teams.channel().id)
    assert before + 3 - time.monotonic() <= waits <= 3.01
    assert teams.messages(teams.channel()) == []


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_message_is_not_posted_again_by_itself_when_the_server_fails(
    teams: LoopbackTeams, platform: TeamsPlatform, *, arrived: bool
) -> None:
    platform.history.looks_after_s = (0.0,)
    teams.fail("post", 502, applied=arrived)
    with pytest.raises(OutcomeUnknown):
        await platform.post(general(teams), HELLO)
    assert len(teams.called("post")) == 1
    assert len(teams.messages(teams.channel())) == arrived


@pytest.mark.parametrize("kind", ["channel", "thread", "group chat"])
@pytest.mark.parametrize("how", ["connection", 504, 408, 201])
async def test_a_message_that_had_arrived_is_found_and_not_posted_again(
    teams: LoopbackTeams, platform: TeamsPlatform, kind: str, how: str | int
) -> None:
    """`how`: the connection breaks, or an answer with this status doesn't say which message it is."""
    teams.connector.consent = True
    platform.history.looks_after_s = (0.0,)
    chat = teams.group_chat(teams.person("Ada"))
    where = Conversation(chat.id, "chat") if kind == "group chat" else general(teams)
    if kind == "thread":
        where = (await platform.post(where, HELLO)).thread
    if isinstance(how, int):
        teams.fail("post", how, applied=True)
    else:
        teams.lose_answer("post")
    posted = await platform.post(where, text_message("Is this there?"))
    await platform.update(posted, text_message("It is."))
    shown = teams.messages(teams.tenant.conversations[where.channel])
    assert [each.words for each in shown][-1] == "It is."
    assert len(shown) == (2 if kind == "thread" else 1)


async def test_a_message_is_found_among_others_that_were_edited(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    teams.connector.consent = True
    platform.history.looks_after_s = (0.0,)
    await platform.update(await platform.post(general(teams), HELLO), text_message("Edited"))
    teams.lose_answer("post")
    await platform.post(general(teams), HELLO)
    assert len(teams.messages(teams.channel())) == 2


async def test_a_channel_is_found_in_its_team(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    teams.connector.consent = True
    platform.history.looks_after_s = (0.0,)
    side = teams.channel("side")
    side.team = "19:team@thread.tacv2"
    await platform.service_urls.record(side.id, teams.service_url, side.team)
    teams.lose_answer("post")
    await platform.post(Conversation(side.id), HELLO)
    assert len(teams.messages(side)) == 1


@pytest.mark.parametrize("consent", [True, False])
async def test_a_message_that_is_not_found_may_be_posted_again(
    teams: LoopbackTeams, platform: TeamsPlatform, *, consent: bool
) -> None:
    teams.connector.consent = consent
    platform.history.looks_after_s = (0.0, 0.0)
    await platform.post(general(teams), HELLO)
    teams.fail("post", 502)
    with pytest.raises(OutcomeUnknown):
        await platform.post(general(teams), HELLO)
    assert len(teams.called("history")) == (2 if consent else 1)


async def test_graph_is_asked_with_a_token_of_its_own(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    teams.connector.consent = True
    platform.history.looks_after_s = (0.0,)
    teams.fail("post", 502, applied=True)
    await platform.post(general(teams), HELLO)
    scopes = [call.body["scope"] for call in teams.called("issue_token")]
    assert scopes == ["https://api.botframework.com/.default", "https://graph.microsoft.com/.default"]


async def test_a_server_that_is_away_is_tried_later(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    await platform.post(general(teams), HELLO)
    async with teams.outage():
        with pytest.raises(RetryLater):
            await platform.post(general(teams), HELLO)
    await platform.post(general(teams), HELLO)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("BotNotInConversationRoster", RejectionReason.NOT_A_MEMBER),
        ("MessageWritesBlocked", RejectionReason.DIRECT_MESSAGES_OFF),
        ("BotDisabledByAdmin", RejectionReason.POSTING_RESTRICTED),
        ("SomethingNew", RejectionReason.NOT_A_MEMBER),
    ],
)
async def test_a_closed_conversation_says_why(
    teams: LoopbackTeams, platform: TeamsPlatform, code: str, reason: RejectionReason
) -> None:
    teams.close(teams.channel(), code)
    with pytest.raises(Rejected) as rejected:
        await platform.post(general(teams), HELLO)
    assert (rejected.value.code, rejected.value.reason) == (code, reason)


async def test_what_is_too_long_is_not_sent(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    with pytest.raises(Unrenderable):
        await platform.post(general(teams), Message(("x",), (Quote("x" * 60_000),)))
    assert teams.called("post") == []


async def test_a_message_that_is_gone_is_rejected(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    with pytest.raises(Rejected, match="ActivityNotFoundInConversation"):
        await platform.update(MessageRef(teams.channel().id, "1"), HELLO)


async def test_where_nobody_said_who_serves_it_nothing_is_posted(
    teams: LoopbackTeams, redis_url: str
) -> None:
    async with (
        open_store(redis_url) as store,
        open_platform(app_of(teams), store.key_values, store.files, Metrics(), AckPriority()) as platform,
    ):
        with pytest.raises(Rejected, match="no_service_url"):
            await platform.post(general(teams), HELLO)


# ── conversations ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_thread_is_a_reply_chain_and_edits_reach_its_messages(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    first = await platform.post(general(teams), HELLO)
    reply = await platform.post(first.thread, HELLO)
    await platform.update(reply, text_message("Bye"))
    shown = teams.messages(teams.channel(), thread=first.message_id)
    assert [(each.words, each.thread) for each in shown] == [("Hello", None), ("Bye", first.message_id)]


async def test_a_personal_chat_is_opened_once_and_served_where_it_says(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    ada = teams.person("Ada")
    await platform.post(await platform.open_direct(ada.object_id), HELLO)
    posted = await platform.post(await platform.open_direct(ada.object_id), HELLO)
    assert len(teams.called("create_conversation")) == 1
    assert len(teams.messages(ada.chat)) == 2
    assert platform.thread_of(posted) == Conversation(ada.chat.id, "chat")


async def test_nobody_of_another_organisation_gets_a_personal_chat(platform: TeamsPlatform) -> None:
    with pytest.raises(Rejected):
        await platform.open_direct("nobody")


@pytest.mark.parametrize(
    ("channel", "link"),
    [
        (
            "19:a@thread.tacv2",
            "https://teams.microsoft.com/l/message/19%3Aa%40thread.tacv2/7?tenantId={tenant}",
        ),
        (
            "19:a@thread.v2",
            "https://teams.microsoft.com/l/message/19%3Aa%40thread.v2/7?tenantId={tenant}{chat}",
        ),
        ("a:1", "https://teams.microsoft.com/l/chat/0/0?users=28:{app}"),
    ],
)
async def test_a_message_has_an_address(
    teams: LoopbackTeams, platform: TeamsPlatform, channel: str, link: str
) -> None:
    address = link.format(tenant=teams.tenant.id, app=teams.app_id, chat=IN_CHAT)
    assert await platform.link_to(MessageRef(channel, "7")) == address


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_decides_gets_a_view_of_their_own_and_is_mentioned(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    teams.channel()
    ada, bob = teams.person("Ada"), teams.person("Bob")
    for _ in range(2):
        await platform.post(general(teams), question(ada, bob))
    shown = teams.messages(teams.channel())[-1]
    assert shown.labels == ["Show all"]
    assert shown.refresh is not None
    assert shown.refresh["userIds"] == [ada.user.id, bob.user.id]
    mentions = shown.cards[0]["msteams"]["entities"]
    assert [each["mentioned"] for each in mentions] == [
        {"id": ada.user.id, "name": "Ada"},
        {"id": bob.user.id, "name": "Bob"},
    ]
    assert len(teams.called("member")) == 2


async def test_somebody_who_is_not_in_the_conversation_is_not_mentioned(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    teams.channel()
    ada, eve = teams.person("Ada"), teams.person("Eve", tenant="another")
    del teams.channel().members[eve.user.id]
    await platform.post(general(teams), question(ada, eve))
    [shown] = teams.messages(teams.channel())
    assert shown.refresh is not None
    assert shown.refresh["userIds"] == [ada.user.id]


async def test_somebody_who_decided_elsewhere_is_named(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    eve = teams.person("Eve")
    chat = await platform.open_direct(eve.object_id)
    await platform.post(chat, question(eve))
    del teams.channel().members[eve.user.id]
    await platform.post(
        general(teams), text_message(Mention(f"teams:{eve.user.tenant}:{eve.object_id}"), " approved")
    )
    [shown] = teams.messages(teams.channel())
    assert shown.words == "Eve approved"
    assert "entities" not in shown.cards[0]["msteams"]


async def test_in_a_personal_chat_the_buttons_are_there_at_once(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    ada = teams.person("Ada")
    await platform.post(await platform.open_direct(ada.object_id), question(ada))
    [shown] = teams.messages(ada.chat)
    assert (shown.labels, shown.refresh) == (["Approve"], None)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_is_offered_in_a_personal_chat_and_uploaded_once_it_is_wanted(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    ada = teams.person("Ada")
    chat = await platform.open_direct(ada.object_id)
    await platform.upload(chat, TIDES, run_id="r1")
    [offered] = teams.messages(ada.chat)
    consent = offered.body["attachments"][0]
    assert (consent["name"], consent["content"]["sizeInBytes"]) == ("result.md", 7)
    accepted = {
        "action": "accept",
        "context": consent["content"]["acceptContext"],
        "uploadInfo": {"uploadUrl": teams.upload_url("result.md"), "uniqueId": "u1", "fileType": "md"},
    }
    shown = await platform.files.accept(accepted)
    assert teams.uploads == {"result.md": b"# Tides"}
    assert shown is not None
    assert shown["attachments"][0]["content"] == {"uniqueId": "u1", "fileType": "md"}
    assert await platform.files.accept(accepted) is None


async def test_a_file_of_a_run_is_offered_as_long_as_its_run_is_there(
    teams: LoopbackTeams, redis_url: str
) -> None:
    content = bytes(range(256)) * 1000
    async with open_store(redis_url) as store, connected(teams, redis_url, app_of(teams)) as platform:
        claim = await claimed(store)
        file = stored_file("tides.bin", content)
        await store.files.attach(claim, file, content)
        offers = [
            await platform.files.offer(SharedFile(file.name, content, file.name, file.id), claim.run.id)
            for _ in range(2)
        ]
        wanted = [
            {
                "action": "accept",
                "context": offer["attachments"][0]["content"]["acceptContext"],
                "uploadInfo": {"uploadUrl": teams.upload_url("tides.bin")},
            }
            for offer in offers
        ]
        assert await platform.files.accept(wanted[0]) is not None
        assert teams.uploads == {"tides.bin": content}
        await store.queue.finish(claim, result="done")
        await store.runs.delete(claim.run.id)
        assert await platform.files.accept(wanted[1]) is None


async def test_a_file_that_is_declined_is_not_kept(teams: LoopbackTeams, platform: TeamsPlatform) -> None:
    offered = await platform.files.offer(TIDES, "r1")
    context = offered["attachments"][0]["content"]["declineContext"]
    wanted = {"context": context, "uploadInfo": {"uploadUrl": teams.upload_url("result.md")}}
    assert await platform.files.accept({**wanted, "action": "decline"}) is None
    assert await platform.files.accept({**wanted, "action": "accept"}) is None
    assert teams.uploads == {}


async def test_a_file_whose_upload_failed_can_be_wanted_again(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    offered = await platform.files.offer(TIDES, "r1")
    context = offered["attachments"][0]["content"]["acceptContext"]
    wanted = {"action": "accept", "context": context}
    url = teams.upload_url("result.md")
    async with teams.outage():
        with pytest.raises(RetryLater):
            await platform.files.accept({**wanted, "uploadInfo": {"uploadUrl": url}})
    assert await platform.files.accept({**wanted, "uploadInfo": {"uploadUrl": url}}) is not None
    assert teams.uploads == {"result.md": b"# Tides"}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/x",
        "http://contoso.sharepoint.com/x",
        "https://sharepoint.com.evil.example/x",
        "https://169.254.169.254/x",
        "",
        "https://[::1",
    ],
)
async def test_a_file_goes_nowhere_but_to_storage_of_teams(
    teams: LoopbackTeams, platform: TeamsPlatform, url: str
) -> None:
    offered = await platform.files.offer(TIDES, "r1")
    context = offered["attachments"][0]["content"]["acceptContext"]
    with pytest.raises(Rejected):
        await platform.files.accept(
            {"action": "accept", "context": context, "uploadInfo": {"uploadUrl": url}}
        )
    assert teams.uploads == {}


async def test_in_a_channel_a_file_is_a_page_of_the_console(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    await platform.upload(general(teams), TIDES, run_id="r1")
    [shown] = teams.messages(teams.channel())
    assert "https://crew.example.com/#/runs/r1" in json.dumps(shown.cards)


async def test_without_a_public_console_the_text_is_posted_instead(
    teams: LoopbackTeams, redis_url: str
) -> None:
    app = replace(app_of(teams), console="http://127.0.0.1:3000")
    async with connected(teams, redis_url, app) as platform:
        with pytest.raises(Rejected, match="no_public_console"):
            await platform.upload(general(teams), TIDES, run_id="r1")


# ── rate limits ─────────────────────────────────────────────────────────────────────────────────────────


async def test_progress_does_not_wait_for_room_that_a_decision_needs(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    posted = await platform.post(general(teams), HELLO)
    for _ in range(4):
        await platform.update(posted, HELLO)
    teams.rate_limit("update", retry_after=5)
    with pytest.raises(RateLimited):
        await platform.update(posted, HELLO)
    with pytest.raises(RetryLater, match="no room for progress"):
        await platform.update(posted, HELLO, priority=Priority.PROGRESS)


# ── channels ────────────────────────────────────────────────────────────────────────────────────────────


async def named(teams: LoopbackTeams, platform: TeamsPlatform, *channels: str) -> str:
    """The words of a message that names these channels."""
    line = tuple(part for each in channels for part in (" in ", ChannelName(each)))
    await platform.post(general(teams), Message(line, (Paragraph(line),)))
    return teams.messages(teams.channel())[-1].words


@pytest.mark.parametrize(("name", "shown"), [("Payments", "in Payments"), ("", "in General")])
async def test_channels_are_called_by_their_names(
    teams: LoopbackTeams, platform: TeamsPlatform, name: str, shown: str
) -> None:
    teams.channel().name = name
    for _ in range(2):
        assert shown in await named(teams, platform, teams.channel().id)
    assert len(teams.called("channels")) == 1


async def test_what_cannot_be_named_is_a_channel_or_a_chat(
    teams: LoopbackTeams, platform: TeamsPlatform
) -> None:
    teams.fail("channels", 403, error="Forbidden")
    unknown = await named(teams, platform, teams.channel().id, "19:other@thread.tacv2", "a:chat")
    assert "in a channel in a channel in a chat" in unknown
