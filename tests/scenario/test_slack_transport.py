"""How deliveries arrive: verified, acknowledged at once whatever Slack's Web API does, and each only once."""

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.scenario.stage import Scene, Stage, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
PROMPT = 2.5


@pytest.fixture
def http(stage: Stage) -> Stage:
    if stage.transport != "http":
        pytest.skip("Socket Mode has no request URL")
    return stage


def command(scene: Scene) -> bytes:
    fields = {
        "command": "%2Fcrew",
        "text": "start+ask+forged",
        "team_id": scene.slack.workspace.team_id,
        "channel_id": scene.channel,
        "user_id": scene.ada.id,
        "trigger_id": f"forged.{scene.channel}",
    }
    return "&".join(f"{name}={value}" for name, value in fields.items()).encode()


async def test_the_request_url_is_verified(http: Stage) -> None:
    receipt = await http.slack.url_verification("a challenge")
    assert receipt.status == 200
    assert receipt.body["challenge"] == "a challenge"


async def test_a_signed_command_has_an_effect(http: Stage, scene: Scene) -> None:
    body = command(scene)
    assert (await http.slack.send_raw(body, http.slack.sign(body) | FORM)).status == 200
    await scene.until(lambda: scene.runs()[0])


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
    http: Stage, scene: Scene, changed: dict[str, str], status: int
) -> None:
    body = command(scene)
    receipt = await http.slack.send_raw(body, http.slack.sign(body) | FORM | changed)
    assert receipt.status == status
    assert not scene.slack.messages(scene.channel)


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_what_was_signed_long_ago_or_will_be_has_no_effect(
    http: Stage, scene: Scene, seconds: int
) -> None:
    body = command(scene)
    at = scene.slack.workspace.clock() + seconds
    assert (await http.slack.send_raw(body, http.slack.sign(body, at=at) | FORM)).status == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[1]", b"7", b"{}", b'{"type": "nothing"', b"\xff"])
async def test_signed_bodies_that_are_no_payload_are_refused(http: Stage, body: bytes) -> None:
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
    http: Stage, payload: dict[str, object]
) -> None:
    body = json.dumps(payload).encode()
    status = (await http.slack.send_raw(body, http.slack.sign(body) | JSON)).status
    assert status in {200, 400}


async def test_an_event_that_is_sent_again_as_a_form_approves_nothing(http: Stage, scene: Scene) -> None:
    question = await scene.asked("vote tides")
    _, approve = question.button("Approve")
    press = {
        "type": "block_actions",
        "team": {"id": scene.slack.workspace.team_id},
        "user": {"id": scene.bob.id},
        "actions": [{"action_id": "answer.approve", "action_ts": "1.1", "value": approve["value"]}],
    }
    hidden = f"x&payload={quote(json.dumps(press))}&y="
    said = await scene.ada.say(scene.channel, hidden)
    body = json.dumps(said.payload).encode()
    receipt = await http.slack.send_raw(body, http.slack.sign(body) | FORM)
    assert receipt.status == 400
    await scene.ada.press(question, "Approve")
    assert "Ada approved" in await scene.said("The crew heard", question)


async def test_a_request_that_is_sent_again_acts_once_and_is_acknowledged(http: Stage, scene: Scene) -> None:
    body = command(scene).replace(b"start+ask+forged", b"console")
    signed = http.slack.sign(body) | FORM
    first = await http.slack.send_raw(body, signed)
    assert "/console/link/" in str(first.body)
    again = await http.slack.send_raw(body, signed)
    assert (again.status, again.body) == (200, None)


@over_both
async def test_an_envelope_of_another_kind_is_acknowledged_and_nothing_is_done(
    stage: Stage, scene: Scene
) -> None:
    if stage.transport == "http":
        pytest.skip("there are no envelopes over HTTP")
    sent = await scene.crew("console")
    assert sent.private
    other = await stage.slack.sockets.send(replace(sent.parcel, kind="events_api", envelope_id="other"))
    assert (other.status, other.body) == (200, None)


async def test_a_body_that_is_too_long_is_refused(http: Stage) -> None:
    body = b"x" * (2 * 1024 * 1024)
    assert await asyncio.to_thread(posted, http, body) == 413


def posted(http: Stage, body: bytes) -> int:
    """The status; the loopback Slack's own client warns of bodies that are as long as this."""
    headers = http.slack.sign(body) | JSON
    request = urllib.request.Request(f"{http.server.url}/slack/events", body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


async def test_nothing_can_be_got_from_the_request_url(http: Stage) -> None:
    assert http.server.get("/slack/events")[0] == 405


@over_both
async def test_in_socket_mode_there_is_no_request_url(stage: Stage) -> None:
    if stage.transport == "http":
        pytest.skip("this one has a request URL")
    assert stage.server.get("/slack/events")[0] == 404


@over_both
async def test_everything_is_acknowledged_while_slack_is_slow(scene: Scene) -> None:
    question = await scene.asked("vote tides")
    scene.slack.delay("*", 4)
    stranger = scene.slack.person(f"{scene.ada.id}EVE", name="Eve")
    acts = await asyncio.gather(
        scene.crew("start ask later"),
        scene.crew("list"),
        scene.crew("status", stranger),
        scene.ada.press(question, "open.reply"),
        stranger.press(question, "Approve"),
    )
    assert all(done.ok and done.elapsed < PROMPT for done in acts), [(d.status, d.elapsed) for d in acts]
    scene.slack.heal()
    assert "Eve approved" in await scene.said("The crew heard", question, 30)


@over_both
@pytest.mark.parametrize("status", [429, 503])
async def test_everything_is_acknowledged_while_slack_fails(scene: Scene, status: int) -> None:
    question = await scene.asked("ask tides")
    if status == 429:
        scene.slack.rate_limit("*", retry_after=1, times=None)
    else:
        scene.slack.fail("*", times=None, status=status)
    started = await scene.crew("start tell later")
    pressed = await scene.ada.press(question, "Approve")
    assert started.ok
    assert pressed.ok
    assert max(started.elapsed, pressed.elapsed) < PROMPT
    scene.slack.heal()
    await scene.said("The crew heard", question, 30)
    await scene.until(
        lambda: next(m for m in scene.slack.messages(scene.channel) if "What about later?" in m.words), 30
    )


@over_both
async def test_a_command_is_acknowledged_in_milliseconds(scene: Scene) -> None:
    await scene.crew("list")
    times = sorted([(await scene.crew("start ask tides")).elapsed for _ in range(9)])
    assert times[4] < 0.1


@over_both
async def test_events_that_are_delivered_again_act_once(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    assert question.thread_ts
    first = await scene.ada.reply(scene.channel, question.thread_ts, "blue")
    for attempt in (1, 2, 3):
        assert (await scene.ada.redeliver(first, attempt)).ok
    words = await scene.said("The crew heard", question)
    assert words.count("The crew heard") == 1
    assert not [m for m in scene.private(scene.ada) if "settled" in m.words]


@over_both
async def test_the_figures_have_acknowledgements(scene: Scene) -> None:
    await scene.crew("list")
    assert 'crewdeck_ack_seconds_count{kind="command"}' in scene.server.get("/metrics")[1]


@over_both
async def test_a_socket_is_replaced_when_slack_asks_for_it(stage: Stage, scene: Scene) -> None:
    if stage.transport == "http":
        pytest.skip("there are no sockets over HTTP")
    before = list(stage.slack.sockets.open)
    await stage.slack.sockets.refresh()
    await stage.slack.wait_for(lambda: stage.slack.sockets.open and stage.slack.sockets.open != before)
    await stage.slack.wait_for(lambda: not set(map(id, before)) & set(map(id, stage.slack.sockets.open)))
    assert (await scene.crew("list")).ok


@over_both
async def test_a_lost_socket_comes_back(stage: Stage, scene: Scene) -> None:
    if stage.transport == "http":
        pytest.skip("there are no sockets over HTTP")
    await stage.slack.sockets.drop()
    await stage.slack.wait_for(lambda: stage.slack.sockets.open, 20)
    assert (await scene.crew("list")).ok
