"""Starting crews from Slack: what is missing is asked for, and what is wrong is refused."""

import pytest

from tests.loopback.slack import NotSubmittedError, typed
from tests.scenario.stage import Scene, Stage, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


@over_both
async def test_the_main_job_from_command_to_result(scene: Scene) -> None:
    question = await scene.asked("demo topic=“tide mills” pace=0")
    assert question.thread_ts
    assert "tide mills" in question.words
    assert scene.ada.id in question.words
    await scene.ada.press(question, "Approve")
    words = await scene.said("The decision on the note about tide mills", question)
    assert "The decision on the note about tide mills: Ada approved." in words
    assert "Nendrum" in words


async def test_the_command_is_answered_privately_and_only_the_thread_is_public(scene: Scene) -> None:
    parent = await scene.started("ask tides")
    assert [each.ts for each in scene.runs()] == [parent.ts]
    assert "Ask" in (await scene.told(scene.ada, "Starting")).words
    assert not scene.private(scene.bob)


@pytest.mark.parametrize(
    "words",
    ["ask topic=lighthouses", "ask lighthouses", 'ask topic="lighthouses"', "ASK \u2018lighthouses\u2019"],
)
async def test_inputs_arrive_however_they_are_written(scene: Scene, words: str) -> None:
    assert "May lighthouses go on?" in (await scene.asked(words)).words


async def test_text_reaches_the_crew_as_it_was_typed(scene: Scene) -> None:
    question = await scene.asked("ask " + typed("a < b & <!channel>"))
    assert "May a < b & <!channel> go on?" in question.words
    assert "<!channel>" not in question.body["text"]


async def test_it_works_in_a_private_channel(stage: Stage) -> None:
    scene = stage.scene("group")
    question = await scene.asked("ask tides")
    assert question.channel == scene.channel
    assert "May tides go on?" in question.words
    await scene.ada.press(question, "Approve")
    await scene.said("The crew heard: Ada approved", question)


@over_both
async def test_it_works_in_a_direct_message(scene: Scene) -> None:
    question = await scene.asked("ask tides", channel=scene.ada.im)
    assert question.channel == scene.ada.im
    await scene.ada.press(question, "Approve")
    await scene.said("The crew heard: Ada approved", question)
    assert not scene.slack.messages(scene.channel)


@over_both
async def test_an_unknown_crew_is_answered_with_the_nearest(scene: Scene) -> None:
    done = await scene.crew("start dmeo tides")
    assert "Did you mean start demo?" in done.private[0].words
    assert not scene.slack.messages(scene.channel)


async def test_without_a_crew_the_catalogue_is_shown(scene: Scene) -> None:
    words = (await scene.crew("start")).private[0].words
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
async def test_a_wrong_value_is_refused_with_the_reason(scene: Scene, words: str, reason: str) -> None:
    done = await scene.crew(f"start {words}")
    assert reason in done.private[0].words
    assert not scene.slack.messages(scene.channel)


@over_both
async def test_what_is_missing_is_asked_for_in_a_modal(scene: Scene) -> None:
    await scene.crew("start form tide mills")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    assert {block["element"]["type"] for block in view.blocks if block["type"] == "input"} >= {
        "plain_text_input",
        "number_input",
        "datepicker",
        "static_select",
    }
    done = await scene.ada.submit(view, {"Body": "words", "Count": "3", "Day": "2026-03-31"})
    assert done.ok
    parent = await scene.until(lambda: scene.runs()[0])
    await scene.said(r"tide mills, words, 3, 0\.5, \w+, plain, 2026-03-31", parent)


async def test_a_wrong_value_in_the_modal_is_refused_at_its_field(scene: Scene) -> None:
    await scene.crew("start form tide mills")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    try:
        done = await scene.ada.submit(view, {"Body": "words", "Count": "3.5"})
    except NotSubmittedError:
        return  # Slack's own client refuses it for us
    assert any("whole number" in why for why in done.field_errors.values())
    assert not scene.slack.messages(scene.channel)


@over_both
async def test_a_form_that_is_sent_twice_starts_one_run(scene: Scene) -> None:
    await scene.crew("start form tide mills")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    sent = await scene.ada.submit(view, {"Body": "words", "Count": "3"})
    await scene.ada.redeliver(sent)
    await scene.ada.submit(view, {"Body": "words", "Count": "3"})
    parent = await scene.until(lambda: scene.runs()[0])
    await scene.said("tide mills, words", parent)
    assert len(scene.runs()) == 1


async def test_a_modal_that_comes_too_late_is_explained(scene: Scene) -> None:
    scene.slack.fail("views.open", error="expired_trigger_id")
    await scene.crew("start form tide mills")
    await scene.told(scene.ada, "press again")


@over_both
async def test_where_the_app_is_no_member_it_says_how_to_invite_it(scene: Scene) -> None:
    elsewhere = scene.slack.add_channel(f"{scene.channel}X", members=(scene.ada,), app=False)
    await scene.crew("start ask tides", channel=elsewhere.id)
    told = await scene.until(
        lambda: next(each for each in scene.slack.ephemerals(scene.ada.id) if "invite" in each.words.lower())
    )
    assert told.channel == elsewhere.id
    assert not scene.slack.messages(elsewhere.id)


@over_both
async def test_the_same_command_again_starts_nothing(scene: Scene) -> None:
    done = await scene.crew("start ask tides")
    await scene.ada.redeliver(done)
    parent = await scene.until(lambda: scene.runs()[0])
    await scene.question(parent)
    assert len(scene.runs()) == 1
