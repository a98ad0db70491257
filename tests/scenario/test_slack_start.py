"""Starting crews from Slack: what is missing is asked for, and what is wrong is refused."""

import pytest

from tests.loopback.slack import NotSubmittedError, typed
from tests.scenario.slack_deployment import ChannelDeployment, SlackDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


@over_both
async def test_the_main_job_from_command_to_result(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("demo topic=“tide mills” pace=0")
    assert question.thread_ts
    assert "tide mills" in question.words
    assert deployment.ada.id in question.words
    await deployment.ada.press(question, "Approve")
    words = await deployment.said("The decision on the note about tide mills", question)
    assert "The decision on the note about tide mills: Ada approved." in words
    assert "Nendrum" in words


async def test_the_command_is_answered_privately_and_only_the_thread_is_public(
    deployment: ChannelDeployment,
) -> None:
    parent = await deployment.started("ask tides")
    assert [each.ts for each in deployment.runs()] == [parent.ts]
    assert "Ask" in (await deployment.told(deployment.ada, "Starting")).words
    assert not deployment.private(deployment.bob)


@pytest.mark.parametrize(
    "words",
    ["ask topic=lighthouses", "ask lighthouses", 'ask topic="lighthouses"', "ASK \u2018lighthouses\u2019"],
)
async def test_inputs_arrive_however_they_are_written(deployment: ChannelDeployment, words: str) -> None:
    assert "May lighthouses go on?" in (await deployment.asked(words)).words


async def test_text_reaches_the_crew_as_it_was_typed(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask " + typed("a < b & <!channel>"))
    assert "May a < b & <!channel> go on?" in question.words
    assert "<!channel>" not in question.body["text"]


async def test_it_works_in_a_private_channel(slack_deployment: SlackDeployment) -> None:
    deployment = slack_deployment.in_a_channel("group")
    question = await deployment.asked("ask tides")
    assert question.channel == deployment.channel
    assert "May tides go on?" in question.words
    await deployment.ada.press(question, "Approve")
    await deployment.said("The crew heard: Ada approved", question)


@over_both
async def test_it_works_in_a_direct_message(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask tides", channel=deployment.ada.im)
    assert question.channel == deployment.ada.im
    await deployment.ada.press(question, "Approve")
    await deployment.said("The crew heard: Ada approved", question)
    assert not deployment.slack.messages(deployment.channel)


@over_both
async def test_an_unknown_crew_is_answered_with_the_nearest(deployment: ChannelDeployment) -> None:
    told = await deployment.answer("start dmeo tides")
    assert "Did you mean start demo?" in told.words
    assert not deployment.slack.messages(deployment.channel)


async def test_without_a_crew_the_catalogue_is_shown(deployment: ChannelDeployment) -> None:
    words = (await deployment.answer("start")).words
    assert "(demo)" in words
    assert "(ask)" in words


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("form topic=a body=b count=many", "count must be a whole number"),
        ("form tone=rude topic=a", "tone must be one of plain, playful"),
        ("form tpoic=a", "tpoic is no input of this crew"),
        ("form topic=a body=b count=1 day=tomorrow", "day must be a date"),
    ],
)
async def test_a_wrong_value_is_refused_with_the_reason(
    deployment: ChannelDeployment, words: str, reason: str
) -> None:
    told = await deployment.answer(f"start {words}")
    assert reason in told.words
    assert not deployment.slack.messages(deployment.channel)


@over_both
async def test_what_is_missing_is_asked_for_in_a_modal(deployment: ChannelDeployment) -> None:
    await deployment.crew("start form tide mills")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    assert {block["element"]["type"] for block in view.blocks if block["type"] == "input"} >= {
        "plain_text_input",
        "number_input",
        "datepicker",
        "static_select",
    }
    done = await deployment.ada.submit(view, {"Body": "words", "Count": "3", "Day": "2026-03-31"})
    assert done.ok
    parent = await deployment.until(lambda: deployment.runs()[0])
    await deployment.said(r"tide mills, words, 3, 0\.5, \w+, plain, 2026-03-31", parent)


async def test_a_wrong_value_in_the_modal_is_refused_at_its_field(deployment: ChannelDeployment) -> None:
    await deployment.crew("start form tide mills")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    try:
        done = await deployment.ada.submit(view, {"Body": "words", "Count": "3.5"})
    except NotSubmittedError:
        return  # Slack's own client refuses it for us
    assert any("whole number" in why for why in done.field_errors.values())
    assert not deployment.slack.messages(deployment.channel)


@over_both
async def test_a_form_that_is_sent_twice_starts_one_run(deployment: ChannelDeployment) -> None:
    await deployment.crew("start form tide mills")
    view = await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))
    sent = await deployment.ada.submit(view, {"Body": "words", "Count": "3"})
    await deployment.ada.redeliver(sent)
    await deployment.ada.submit(view, {"Body": "words", "Count": "3"})
    parent = await deployment.until(lambda: deployment.runs()[0])
    await deployment.said("tide mills, words", parent)
    assert len(deployment.runs()) == 1


async def test_a_modal_that_comes_too_late_is_explained(deployment: ChannelDeployment) -> None:
    deployment.slack.fail("views.open", error="expired_trigger_id")
    await deployment.crew("start form tide mills")
    await deployment.told(deployment.ada, "press again")


@over_both
async def test_where_the_app_is_no_member_it_says_how_to_invite_it(deployment: ChannelDeployment) -> None:
    elsewhere = deployment.slack.add_channel(f"{deployment.channel}X", members=(deployment.ada,), app=False)
    await deployment.crew("start ask tides", channel=elsewhere.id)
    told = await deployment.until(
        lambda: next(
            each for each in deployment.slack.ephemerals(deployment.ada.id) if "invite" in each.words.lower()
        )
    )
    assert told.channel == elsewhere.id
    assert not deployment.slack.messages(elsewhere.id)


async def test_in_direct_messages_of_other_people_it_says_where_else_to_start_it(
    deployment: ChannelDeployment,
) -> None:
    theirs = deployment.slack.add_channel(
        f"D{deployment.channel}", kind="im", members=(deployment.ada, deployment.bob), app=False
    )
    await deployment.crew("start ask tides", channel=theirs.id)
    told = await deployment.until(
        lambda: next(
            each for each in deployment.slack.ephemerals(deployment.ada.id) if "other people" in each.words
        )
    )
    assert "direct messages with me" in told.words
    assert "/invite" not in told.words


@over_both
async def test_the_same_command_again_starts_nothing(deployment: ChannelDeployment) -> None:
    done = await deployment.crew("start ask tides")
    await deployment.ada.redeliver(done)
    parent = await deployment.until(lambda: deployment.runs()[0])
    await deployment.question(parent)
    assert len(deployment.runs()) == 1
