"""Who somebody of Teams is to whom a question is to be sent, also if they have never written to the app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bot.core.people.actor import Actor, Membership
from bot.core.ports.outbox import is_redrawn
from bot.metrics import Metrics
from bot.store.redis import open_store
from bot.surfaces.chat.flow_control import AckPriority
from bot.surfaces.chat.message_keys import question_of
from bot.surfaces.chat.recipients import ProfileUnavailable
from bot.surfaces.teams import SURFACE
from bot.surfaces.teams.connector.platform import TeamsPlatform, open_platform
from bot.surfaces.teams.credentials import TeamsApp
from bot.surfaces.teams.delivery import recipient_lookup
from bot.surfaces.teams.inbound.people import TeamsActors
from bot.tasks import BackgroundTasks
from tests.contract.chat.finishing import finished
from tests.contract.chat.played_crew import ADA, BOB
from tests.contract.chat.teams_inbound import teams_chat
from tests.loopback.teams import LoopbackTeams

Recognise = Callable[[str], Awaitable[Actor]]


@pytest.fixture
async def teams() -> AsyncIterator[LoopbackTeams]:
    async with LoopbackTeams() as peer:
        yield peer


@pytest.fixture
async def platform(teams: LoopbackTeams, redis_url: str) -> AsyncIterator[tuple[TeamsPlatform, TeamsActors]]:
    tenant = teams.tenant.id
    app = TeamsApp(teams.app_id, tenant, teams.app_password, local_peer=True, login_url=teams.login_url)
    async with (
        open_store(redis_url) as store,
        open_platform(app, store.key_values, store.files, Metrics(), AckPriority()) as opened,
    ):
        await opened.service_urls.record(teams.channel().id, teams.service_url)
        yield opened, TeamsActors(tenant, opened.directory, store.key_values, BackgroundTasks())


@pytest.fixture
def people(platform: tuple[TeamsPlatform, TeamsActors]) -> TeamsActors:
    return platform[1]


@pytest.fixture
def recognise(platform: tuple[TeamsPlatform, TeamsActors]) -> Recognise:
    opened, people = platform
    return recipient_lookup(people, opened)


@pytest.mark.parametrize(("guest", "membership"), [(False, Membership.MEMBER), (True, Membership.GUEST)])
async def test_somebody_who_never_wrote_is_looked_up_in_their_personal_chat(
    teams: LoopbackTeams, recognise: Recognise, *, guest: bool, membership: Membership
) -> None:
    zoe = teams.person("Zoe", guest=guest)
    actor = await recognise(zoe.object_id)
    assert (actor.user_id, actor.name, actor.membership) == (zoe.object_id, "Zoe", membership)
    assert len(teams.called("create_conversation")) == 1


async def test_somebody_in_whose_chat_the_app_is_not_is_not_recognised(
    teams: LoopbackTeams, recognise: Recognise
) -> None:
    zoe = teams.person("Zoe")
    teams.fail("create_conversation", 403, error="BotNotInConversationRoster")
    with pytest.raises(ProfileUnavailable):
        await recognise(zoe.object_id)
    assert (await recognise(zoe.object_id)).name == "Zoe"


async def test_who_is_nobody_of_the_tenant_is_not_recognised(recognise: Recognise) -> None:
    with pytest.raises(ProfileUnavailable):
        await recognise("00000000-0000-4000-8000-000000000000")


async def test_a_membership_is_asked_about_where_somebody_has_acted(
    teams: LoopbackTeams, people: TeamsActors
) -> None:
    zoe, gone, channel = teams.person("Zoe"), teams.person("Gone"), teams.channel()
    channel.members.pop(gone.user.id)
    acted = {
        each.object_id: Actor(surface="teams", tenant=teams.tenant.id, user_id=each.object_id)
        for each in (zoe, gone)
    }
    for person in acted.values():
        # As long as they haven't, there is no conversation to ask about, and what is known of them stays.
        assert await people.current_membership(person) is Membership.MEMBER
    assert (await people.actor(zoe.object_id, channel.id)).name == "Zoe"
    with pytest.raises(ProfileUnavailable):
        await people.actor(gone.object_id, channel.id)
    assert await people.current_membership(acted[zoe.object_id]) is Membership.MEMBER
    with pytest.raises(ProfileUnavailable):
        await people.current_membership(acted[gone.object_id])


async def test_who_adds_the_app_is_asked_what_they_could_not_be_asked_before(redis_url: str) -> None:
    async with teams_chat(redis_url) as chat:
        question, ada = await chat.asking("ok", ADA), chat.people[ADA]
        for person in (ada, chat.people[BOB]):
            assert (await person.install(person.chat)).status == 200
        await finished(chat.inbound.background)
        state = await chat.store.outbox.state(SURFACE, question.run_id)
        [redrawn] = filter(is_redrawn, state.outdated)
        assert question_of(redrawn) == question.id


async def test_where_the_app_is_removed_what_is_open_is_to_be_asked_elsewhere(redis_url: str) -> None:
    async with teams_chat(redis_url) as chat:
        question = await chat.asking("ok", ADA)
        assert (await chat.people[BOB].install(chat.channel, added=False)).status == 200
        await finished(chat.inbound.background)
        state = await chat.store.outbox.state(SURFACE, question.run_id)
        [redrawn] = filter(is_redrawn, state.outdated)
        assert question_of(redrawn) == question.id
        assert "I was removed" in chat.teams.messages(chat.people[ADA].chat)[-1].words
