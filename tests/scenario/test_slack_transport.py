"""How deliveries arrive: verified, acknowledged at once whatever Slack's Web API does, and each only once."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.loopback.slack import Delivery, Message
from tests.scenario.slack_deployment import ChannelDeployment, SlackDeployment, over_both
from tests.waiting import WITHIN

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
MILLISECONDS = 0.1
MANY = 100
PROMPT = 2.5
ATTEMPTS = 3
"""Where much else is going on, all is acknowledged in time in one of them."""


@pytest.fixture
def http(slack_deployment: SlackDeployment) -> SlackDeployment:
    if slack_deployment.transport != "http":
        pytest.skip("Socket Mode has no request URL")
    return slack_deployment


def command(deployment: ChannelDeployment) -> bytes:
    fields = {
        "command": "%2Fcrew",
        "text": "start+ask+forged",
        "team_id": deployment.slack.workspace.team_id,
        "channel_id": deployment.channel,
        "user_id": deployment.ada.id,
        "trigger_id": f"forged.{deployment.channel}",
    }
    return "&".join(f"{name}={value}" for name, value in fields.items()).encode()


async def test_the_request_url_is_verified(http: SlackDeployment) -> None:
    receipt = await http.slack.url_verification("a challenge")
    assert receipt.status == 200
    assert receipt.body["challenge"] == "a challenge"


async def test_a_signed_command_has_an_effect(http: SlackDeployment, deployment: ChannelDeployment) -> None:
    body = command(deployment)
    assert (await http.slack.send_raw(body, http.slack.sign(body) | FORM)).status == 200
    await deployment.until(lambda: deployment.runs()[0])


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"X-Slack-Signature": "v0=" + "0" * 64}, 401),
        ({"X-Slack-Signature": ""}, 401),
        ({"X-Slack-Signature": "v0=münchen"}, 401),
        ({"X-Slack-Request-Timestamp": "soon"}, 401),
        ({"X-Slack-Request-Timestamp": ""}, 401),
        ({"X-Slack-Request-Timestamp": "1"}, 401),
        ({"X-Slack-Request-Timestamp": "99999999999"}, 401),
        ({"Content-Type": "text/plain"}, 400),
    ],
)
async def test_what_slack_did_not_sign_has_no_effect(
    http: SlackDeployment, deployment: ChannelDeployment, changed: dict[str, str], status: int
) -> None:
    body = command(deployment)
    receipt = await http.slack.send_raw(body, http.slack.sign(body) | FORM | changed)
    assert receipt.status == status
    assert not deployment.slack.messages(deployment.channel)


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_what_was_signed_long_ago_or_will_be_has_no_effect(
    http: SlackDeployment, deployment: ChannelDeployment, seconds: int
) -> None:
    body = command(deployment)
    at = deployment.slack.workspace.clock() + seconds
    assert (await http.slack.send_raw(body, http.slack.sign(body, at=at) | FORM)).status == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[1]", b"7", b"{}", b'{"type": "nothing"', b"\xff"])
async def test_signed_bodies_that_are_no_payload_are_refused(http: SlackDeployment, body: bytes) -> None:
    assert (await http.slack.send_raw(body, http.slack.sign(body) | JSON)).status == 400
    assert (await http.slack.send_raw(body, http.slack.sign(body) | FORM)).status == 400


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "event_callback"},
        {"type": "event_callback", "event": []},
        {"type": "event_callback", "team_id": "T0CREW", "event": {"type": "message", "text": 7}},
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": [{"action_id": "answer.approve"}]},
        {"type": "view_submission", "view": {"callback_id": "reply"}},
        {"type": "something_new"},
        {"type": "event_callback", "team_id": "T0CREW", "event": {"type": "something_new"}},
    ],
)
async def test_signed_payloads_that_lack_parts_are_no_accident(
    http: SlackDeployment, payload: dict[str, object]
) -> None:
    body = json.dumps(payload).encode()
    status = (await http.slack.send_raw(body, http.slack.sign(body) | JSON)).status
    assert status in {200, 400}


async def test_an_event_that_is_sent_again_as_a_form_approves_nothing(
    http: SlackDeployment, deployment: ChannelDeployment
) -> None:
    question = await deployment.asked("vote tides")
    _, approve = question.button("Approve")
    press = {
        "type": "block_actions",
        "team": {"id": deployment.slack.workspace.team_id},
        "user": {"id": deployment.bob.id},
        "actions": [{"action_id": "answer.approve", "action_ts": "1.1", "value": approve["value"]}],
    }
    hidden = f"x&payload={quote(json.dumps(press))}&y="
    said = await deployment.ada.say(deployment.channel, hidden)
    body = json.dumps(said.payload).encode()
    receipt = await http.slack.send_raw(body, http.slack.sign(body) | FORM)
    assert receipt.status == 400
    await deployment.ada.press(question, "Approve")
    assert "Ada approved" in await deployment.said("The crew heard", question)


async def test_a_request_that_is_sent_again_acts_once_and_is_acknowledged(
    http: SlackDeployment, deployment: ChannelDeployment
) -> None:
    body = command(deployment).replace(b"start+ask+forged", b"console")
    signed = http.slack.sign(body) | FORM
    first = await http.slack.send_raw(body, signed)
    assert "/console/link/" in str(first.body)
    again = await http.slack.send_raw(body, signed)
    assert (again.status, again.body) == (200, None)


@over_both
async def test_an_envelope_of_another_kind_is_acknowledged_and_nothing_is_done(
    slack_deployment: SlackDeployment, deployment: ChannelDeployment
) -> None:
    if slack_deployment.transport == "http":
        pytest.skip("there are no envelopes over HTTP")
    sent = await deployment.crew("console")
    assert sent.private
    other = await slack_deployment.slack.sockets.send(
        replace(sent.parcel, kind="events_api", envelope_id="other")
    )
    assert (other.status, other.body) == (200, None)


async def test_a_body_that_is_too_long_is_refused(http: SlackDeployment) -> None:
    body = b"x" * (2 * 1024 * 1024)
    assert await asyncio.to_thread(posted, http, body) == 413


def posted(http: SlackDeployment, body: bytes) -> int:
    """The status; the loopback Slack's own client warns of bodies that are as long as this."""
    headers = http.slack.sign(body) | JSON
    request = urllib.request.Request(f"{http.server.url}/slack/events", body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=WITHIN) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_nothing_can_be_got_from_the_request_url(http: SlackDeployment) -> None:
    assert http.server.get("/slack/events")[0] == 405


@over_both
async def test_in_socket_mode_there_is_no_request_url(slack_deployment: SlackDeployment) -> None:
    if slack_deployment.transport == "http":
        pytest.skip("this one has a request URL")
    assert slack_deployment.server.get("/slack/events")[0] == 404


@over_both
async def test_everything_is_acknowledged_while_slack_is_slow(deployment: ChannelDeployment) -> None:
    stranger = deployment.slack.person(f"{deployment.ada.id}EVE", name="Eve")

    async def attempt() -> tuple[Message, list[Delivery]]:
        question = await deployment.asked("vote tides")
        deployment.slack.delay("*", 4)
        acts = await asyncio.gather(
            deployment.crew("start ask later"),
            deployment.crew("list"),
            deployment.crew("status", stranger),
            deployment.ada.press(question, "open.reply"),
            stranger.press(question, "Approve"),
        )
        deployment.slack.heal()
        return question, list(acts)

    question = await acknowledged_in_time(attempt)
    assert "Eve approved" in await deployment.said("The crew heard", question)


async def acknowledged_in_time(attempt: Callable[[], Awaitable[tuple[Message, list[Delivery]]]]) -> Message:
    """The question of the first attempt in which all that people did was acknowledged in time."""
    late: list[list[tuple[int | None, float]]] = []
    for _ in range(ATTEMPTS):
        question, acts = await attempt()
        if all(done.ok and done.elapsed < PROMPT for done in acts):
            return question
        late.append([(done.status, done.elapsed) for done in acts])
    pytest.fail(f"Each time something is acknowledged too late: {late}")


@over_both
@pytest.mark.parametrize("status", [429, 503])
async def test_everything_is_acknowledged_while_slack_fails(
    deployment: ChannelDeployment, status: int
) -> None:

    async def attempt() -> tuple[Message, list[Delivery]]:
        question = await deployment.asked("ask tides")
        if status == 429:
            deployment.slack.rate_limit("*", retry_after=1, times=None)
        else:
            deployment.slack.fail("*", times=None, status=status)
        started = await deployment.crew("start tell later")
        pressed = await deployment.ada.press(question, "Approve")
        deployment.slack.heal()
        return question, [started, pressed]

    question = await acknowledged_in_time(attempt)
    await deployment.said("The crew heard", question)
    await deployment.until(
        lambda: next(
            m for m in deployment.slack.messages(deployment.channel) if "What about later?" in m.words
        ),
    )


@over_both
async def test_a_command_is_acknowledged_in_milliseconds(deployment: ChannelDeployment) -> None:
    """The quickest is: while others keep the machine busy, each of them waits for its turn."""
    await deployment.crew("list")
    for _ in range(MANY):
        if (await deployment.crew("start ask tides")).elapsed < MILLISECONDS:
            return
    pytest.fail(f"each of {MANY} commands took longer than {MILLISECONDS} s")


@over_both
async def test_events_that_are_delivered_again_act_once(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("tell tides")
    assert question.thread_ts
    first = await deployment.ada.reply(deployment.channel, question.thread_ts, "blue")
    for attempt in (1, 2, 3):
        assert (await deployment.ada.redeliver(first, attempt)).ok
    words = await deployment.said("The crew heard", question)
    assert words.count("The crew heard") == 1
    assert not [m for m in deployment.private(deployment.ada) if "settled" in m.words]


@over_both
async def test_the_figures_have_acknowledgements(deployment: ChannelDeployment) -> None:
    await deployment.crew("list")
    assert 'crewdeck_ack_seconds_count{kind="command"}' in deployment.server.get("/metrics")[1]


@over_both
async def test_a_socket_is_replaced_when_slack_asks_for_it(
    slack_deployment: SlackDeployment, deployment: ChannelDeployment
) -> None:
    if slack_deployment.transport == "http":
        pytest.skip("there are no sockets over HTTP")
    before = list(slack_deployment.slack.sockets.open)
    await slack_deployment.slack.sockets.refresh()
    await slack_deployment.slack.wait_for(
        lambda: slack_deployment.slack.sockets.open and slack_deployment.slack.sockets.open != before
    )
    await slack_deployment.slack.wait_for(
        lambda: not set(map(id, before)) & set(map(id, slack_deployment.slack.sockets.open))
    )
    assert (await deployment.crew("list")).ok


@over_both
async def test_a_lost_socket_comes_back(
    slack_deployment: SlackDeployment, deployment: ChannelDeployment
) -> None:
    if slack_deployment.transport == "http":
        pytest.skip("there are no sockets over HTTP")
    await slack_deployment.slack.sockets.drop()
    await slack_deployment.slack.wait_for(lambda: slack_deployment.slack.sockets.open)
    assert (await deployment.crew("list")).ok
