"""Buttons, selects and modals: one decision counts, and every other press is explained."""

import asyncio

import pytest

from tests.scenario.stage import Scene, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


@over_both
@pytest.mark.parametrize(("label", "heard"), [("Approve", "approved"), ("Reject", "rejected")])
async def test_an_approval_is_decided_by_a_press(scene: Scene, label: str, heard: str) -> None:
    question = await scene.asked("ask tides")
    done = await scene.ada.press(question, label)
    assert done.ok
    assert heard in await scene.said("The crew heard", question)
    settled = scene.now(question)
    assert not {"Approve", "Reject"} & set(settled.labels)
    assert scene.ada.id in settled.words


@over_both
async def test_whose_name_has_half_a_surrogate_pair_can_decide(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    await scene.slack.change(scene.ada, name="Ada \ud83d")
    await scene.ada.press(question, "Approve")
    assert "Ada \ufffd approved" in await scene.said("The crew heard", question)


async def test_a_choice_is_made_by_a_press(scene: Scene) -> None:
    question = await scene.asked("pick colours")
    assert {"red", "green", "blue"} <= set(question.labels)
    await scene.ada.press(question, "blue")
    assert "chose 'blue'" in await scene.said("The crew heard", question)


@over_both
async def test_a_long_choice_is_made_in_a_select(scene: Scene) -> None:
    question = await scene.asked("pick_many colours")
    await scene.ada.select(question, "g7")
    assert "chose 'g7'" in await scene.said("The crew heard", question)


@over_both
async def test_a_question_is_answered_in_a_modal(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.ada.press(question, "open.reply")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    done = await scene.ada.submit(view, {"words": "They <come> & go"})
    assert done.ok
    words = await scene.said("The crew heard", question)
    assert "The crew heard: Ada answered: They <come> & go" in words


@over_both
async def test_a_review_asks_for_changes_until_it_is_approved(scene: Scene) -> None:
    question = await scene.asked("review tides")
    await scene.ada.press(question, "open.reply")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    await scene.ada.submit(view, {"words": "Approve"})
    again = await scene.until(
        lambda: next(m for m in scene.open_questions(question) if m.ts != question.ts), 20
    )
    await scene.ada.press(again, "Approve")
    await scene.said("Completed|A draft about tides", question)


@over_both
async def test_all_of_a_long_question_is_read_before_it_is_decided(scene: Scene) -> None:
    question = await scene.asked("long tides")
    assert "Approve" not in question.labels
    await scene.ada.press(question, "open.full")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    assert " ".join(view.words.split()).count("All of this has to be read") == 260
    await scene.ada.press(view, "Approve")
    assert "approved" in await scene.said("The crew heard", question)
    await scene.slack.wait_for(lambda: "Recorded" in scene.slack.view(scene.ada.id).words)


@over_both
async def test_of_two_presses_at_once_one_counts(scene: Scene) -> None:
    question = await scene.asked("vote tides")
    both = await asyncio.gather(scene.ada.press(question, "Approve"), scene.bob.press(question, "Reject"))
    assert all(done.ok for done in both)
    words = await scene.said("The crew heard", question)
    assert ("approved" in words) != ("Bob rejected" in words)
    late = [*scene.private(scene.ada), *scene.private(scene.bob)]
    assert len([each for each in late if "already settled" in each.words]) == 1


@over_both
async def test_somebody_elses_press_is_explained_each_time(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    assert (await scene.bob.press(question, "Approve")).ok
    assert (await scene.bob.press(question, "Reject")).ok
    await scene.slack.wait_for(lambda: len(scene.private(scene.bob)) == 2)
    assert f"Ask <@{scene.ada.id}>" in scene.private(scene.bob)[0].words
    assert "Approve" in scene.now(question).labels


async def test_somebody_else_gets_no_modal(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.bob.press(question, "open.reply")
    await scene.told(scene.bob, "isn't yours to decide")
    with pytest.raises(LookupError):
        scene.slack.view(scene.bob.id)


async def test_who_may_answer_is_checked_again_when_a_modal_is_sent(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    await scene.ada.press(question, "open.reply")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    done = await scene.bob.submit(view, {"words": "mine"})
    assert any("isn't yours" in why for why in done.field_errors.values())


async def test_a_press_on_a_settled_question_is_explained(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    await scene.ada.press(question, "Approve")
    await scene.said("The crew heard", question)
    assert (await scene.ada.press(question, "Reject")).ok
    assert "Approve" in (await scene.told(scene.ada, "already settled by")).words


@over_both
async def test_a_modal_of_a_settled_question_says_so(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    await scene.ada.press(question, "open.reply")
    view = await scene.slack.wait_for(lambda: scene.slack.view(scene.ada.id))
    await scene.ada.press(question, "Approve")
    done = await scene.ada.submit(view, {"words": "too late"})
    assert any("already settled" in why for why in done.field_errors.values())


async def test_a_press_on_an_unknown_question_is_explained(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    unknown = str(question.body).replace(question.button("Approve")[1]["value"], "gone gone")
    stale = type(question)(__import__("ast").literal_eval(unknown), question.channel)
    assert (await scene.ada.press(stale, "Approve")).ok
    await scene.told(scene.ada, "no longer there")


async def test_a_press_after_the_run_was_cancelled_is_explained(scene: Scene) -> None:
    question = await scene.asked("ask tides")
    told = (await scene.crew("cancel")).private[0]
    await scene.ada.select(told, told.labels[0])
    await scene.told(scene.ada, "Cancelled")
    await scene.ada.press(question, "Approve")
    await scene.told(scene.ada, "was withdrawn because its run ended")


@over_both
async def test_the_same_press_again_says_and_does_nothing_more(scene: Scene) -> None:
    question = await scene.asked("vote tides")
    first = await scene.ada.press(question, "Approve")
    for attempt in (1, 2, 3):
        assert (await scene.ada.redeliver(first, attempt)).ok
    words = await scene.said("The crew heard", question)
    assert words.count("The crew heard") == 1
    assert not [m for m in scene.private(scene.ada) if "settled" in m.words]


@over_both
async def test_a_modal_that_comes_too_late_is_explained(scene: Scene) -> None:
    question = await scene.asked("tell tides")
    scene.slack.fail("views.open", error="expired_trigger_id")
    assert (await scene.ada.press(question, "open.reply")).ok
    await scene.told(scene.ada, "press again")


@over_both
async def test_the_home_tab_shows_what_waits_for_me(scene: Scene) -> None:
    await scene.asked("ask tides")
    assert (await scene.ada.open_home()).ok
    home = await scene.slack.wait_for(lambda: scene.slack.home(scene.ada.id))
    assert "May tides go on?" in home.words
