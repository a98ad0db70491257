"""Guests, and people of other workspaces: they neither start nor answer unless the crew admits them."""

import pytest

from tests.loopback.slack import Person
from tests.scenario.slack_deployment import ChannelDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(params=["guest", "single-channel guest", "somebody of another workspace"])
def stranger(request: pytest.FixtureRequest, deployment: ChannelDeployment) -> Person:
    name = f"{deployment.ada.id}EVE"
    person = deployment.slack.person(
        name,
        name="Eve",
        guest=request.param == "guest",
        single_channel_guest=request.param == "single-channel guest",
        team="T0OTHER" if "workspace" in request.param else None,
    )
    deployment.slack.workspace.channel(deployment.channel).members.add(person.id)
    return person


async def test_they_cannot_start_a_crew(deployment: ChannelDeployment, stranger: Person) -> None:
    told = await deployment.answer("start ask tides", stranger)
    assert "can only be started by members, not by guests" in told.words
    assert not deployment.slack.messages(deployment.channel)


@over_both
async def test_they_cannot_answer_with_a_button(deployment: ChannelDeployment, stranger: Person) -> None:
    question = await deployment.asked("vote tides")
    assert (await stranger.press(question, "Approve")).ok
    await deployment.told(stranger, "Guests and people from elsewhere")
    assert "Approve" in deployment.now(question).labels


async def test_they_cannot_answer_in_words(deployment: ChannelDeployment, stranger: Person) -> None:
    question = await deployment.asked("vote tides")
    assert question.thread_ts
    await stranger.reply(deployment.channel, question.thread_ts, "Approve")
    await deployment.told(stranger, "Guests and people from elsewhere")
    assert "Approve" in deployment.now(question).labels


async def test_a_crew_that_admits_them_is_theirs_too(deployment: ChannelDeployment, stranger: Person) -> None:
    question = await deployment.asked("welcome tides", stranger)
    await stranger.press(question, "Approve")
    assert "Eve approved" in await deployment.said("The crew heard", question)


@over_both
async def test_they_get_no_link_into_the_console(deployment: ChannelDeployment, stranger: Person) -> None:
    told = await deployment.answer("console", stranger)
    assert "for members, not for guests" in told.words
    assert "/console/link/" not in str(told.body)


@over_both
@pytest.mark.parametrize("words", ["list", "start", "start nothing", "nothing", "start voet"])
async def test_they_are_told_the_names_of_crews_that_they_may_start(
    deployment: ChannelDeployment, stranger: Person, words: str
) -> None:
    told = await deployment.answer(words, stranger)
    for name in ("vote", "pick", "review"):
        assert name not in told.words
    assert "welcome" in told.words or words == "start voet"
    shown = await deployment.answer("list")
    assert "vote" in shown.words


async def test_their_home_offers_what_they_may_start(deployment: ChannelDeployment, stranger: Person) -> None:
    await stranger.open_home()
    home = await deployment.slack.wait_for(lambda: deployment.slack.home(stranger.id))
    assert "Welcome" in str(home.blocks)
    assert "Vote" not in str(home.blocks)
