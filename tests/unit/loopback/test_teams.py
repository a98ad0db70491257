"""The loopback Teams: what it accepts and refuses is what Teams does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from tests.loopback.teams import BOT_TOKEN, ISSUER, LoopbackTeams

CARD: dict[str, Any] = {
    "type": "AdaptiveCard",
    "version": "1.5",
    "body": [{"type": "TextBlock", "text": "Publish it?"}],
    "actions": [
        {
            "type": "Action.Execute",
            "title": "Approve",
            "data": {"action": "approve"},
            "fallback": {"type": "Action.Submit", "title": "Approve", "data": {"action": "approve"}},
        }
    ],
}


def message(card: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


@pytest.fixture
async def teams() -> AsyncIterator[LoopbackTeams]:
    async with LoopbackTeams() as peer:
        yield peer


@pytest.fixture
async def heard(teams: LoopbackTeams) -> AsyncIterator[list[dict[str, Any]]]:
    """What a bot hears, with the claims of each token."""
    activities: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        client = jwt.PyJWK(teams.keys.signing.published())
        claims = jwt.decode(token, client, algorithms=["RS256"], audience=teams.app_id, issuer=ISSUER)
        activities.append(await request.json() | {"claims": claims})
        return web.json_response({"statusCode": 200})

    application = web.Application()
    application.router.add_post("/api/messages", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    teams.connect(f"http://127.0.0.1:{runner.addresses[0][1]}/api/messages")
    yield activities
    await runner.cleanup()


async def post(
    teams: LoopbackTeams, path: str, body: dict[str, Any], token: str = BOT_TOKEN
) -> tuple[int, dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{teams.service_url}{path}", json=body, headers={"Authorization": f"Bearer {token}"}
        ) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_message_begins_a_reply_chain_and_another_answers_in_it(teams: LoopbackTeams) -> None:
    general = teams.channel()
    _, first = await post(teams, f"v3/conversations/{general.id}/activities", message(CARD))
    chain = f"v3/conversations/{general.id};messageid={first['id']}/activities"
    _, second = await post(teams, chain, {"type": "message", "text": "and?"})
    assert [each.id for each in teams.messages(general, thread=first["id"])] == [first["id"], second["id"]]
    assert teams.messages(general)[1].thread == first["id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (message(CARD), 200),
        (message({**CARD, "body": [{"type": "TextBlock"}]}), 400),
        (message({**CARD, "body": [{"type": "TextBlock", "text": "x" * 60_000}]}), 413),
        ({"type": "message"}, 400),
        ({"type": "message", "text": "words"}, 200),
    ],
)
async def test_what_teams_refuses_is_refused(teams: LoopbackTeams, body: dict[str, Any], status: int) -> None:
    answered, _ = await post(teams, f"v3/conversations/{teams.channel().id}/activities", body)
    assert answered == status


async def test_nothing_is_done_without_a_token(teams: LoopbackTeams) -> None:
    where = teams.channel()
    status, _ = await post(teams, f"v3/conversations/{where.id}/activities", message(CARD), "another")
    assert (status, teams.messages(where)) == (401, [])


async def test_a_lost_answer_took_effect_and_a_failed_call_did_not(teams: LoopbackTeams) -> None:
    where = teams.channel()
    teams.lose_answer("post")
    with pytest.raises(aiohttp.ClientError):
        await post(teams, f"v3/conversations/{where.id}/activities", message(CARD))
    teams.fail("post", 502)
    assert (await post(teams, f"v3/conversations/{where.id}/activities", message(CARD)))[0] == 502
    assert len(teams.messages(where)) == 1


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("old_client", "kind", "name"), [(False, "invoke", "adaptiveCard/action"), (True, "message", None)]
)
async def test_a_press_is_an_invoke_and_on_old_clients_a_message(
    teams: LoopbackTeams, heard: list[dict[str, Any]], *, old_client: bool, kind: str, name: str | None
) -> None:
    ada, where = teams.person("Ada"), teams.channel()
    await post(teams, f"v3/conversations/{where.id}/activities", message(CARD))
    [shown] = teams.messages(where)
    receipt = await ada.press(shown, "Approve", old_client=old_client)
    assert receipt.status == 200
    [told] = heard
    assert (told["type"], told.get("name"), told["replyToId"]) == (kind, name, shown.id)
    assert told["from"]["aadObjectId"] == ada.object_id
    data = told["value"] if old_client else told["value"]["action"]["data"]
    assert data == {"action": "approve"}
    assert told["claims"]["serviceurl"] == told["serviceUrl"] == teams.service_url


async def test_a_mention_in_a_channel_names_its_reply_chain(
    teams: LoopbackTeams, heard: list[dict[str, Any]]
) -> None:
    ada, where = teams.person("Ada"), teams.channel()
    await ada.say(where, "start demo", mention=True)
    [told] = heard
    assert told["text"] == "<at>Crewdeck</at> start demo"
    assert told["conversation"]["id"] == f"{where.id};messageid={told['id']}"
    assert told["entities"][0]["mentioned"]["id"] == told["recipient"]["id"]


async def test_tokens_are_issued_for_the_password_and_accepted(teams: LoopbackTeams) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": teams.app_id,
        "client_secret": teams.app_password,
        "scope": "https://api.botframework.com/.default",
    }
    url = f"{teams.login_url}/{teams.tenant.id}/oauth2/v2.0/token"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=form) as answer:
            token = (await answer.json())["access_token"]
        async with session.post(url, data=form | {"client_secret": "wrong"}) as answer:
            assert answer.status == 401
    path = f"v3/conversations/{teams.channel().id}/activities"
    assert (await post(teams, path, message(CARD), token))[0] == 200
