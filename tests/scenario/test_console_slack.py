"""`/crew console` in Slack: a private link that opens the console as the person who asked, once."""

import re

import httpx
import pytest

from tests.loopback.slack import Person
from tests.scenario.slack_deployment import ChannelDeployment, over_both
from tests.waiting import WITHIN

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINK = re.compile(r"http://127\.0\.0\.1:\d+(/console/link/[\w-]+)")


def browser(deployment: ChannelDeployment) -> httpx.AsyncClient:
    url = deployment.server.url
    return httpx.AsyncClient(base_url=url, headers={"Origin": url}, trust_env=False, timeout=WITHIN)


async def link(deployment: ChannelDeployment, who: Person | None = None) -> str:
    told = await deployment.answer("console", who)
    found = LINK.search(str(told.body))
    assert found
    return found[1]


async def test_the_link_signs_in_as_oneself_once(deployment: ChannelDeployment) -> None:
    where = await link(deployment)
    assert not deployment.slack.messages(deployment.channel)
    async with browser(deployment) as ada, browser(deployment) as preview:
        assert "Sign in" in (await preview.get(where)).text
        assert "Set-Cookie" not in (await preview.get(where)).headers
        assert (await ada.post(where)).status_code == 303
        me = (await ada.get("/me")).json()
        assert (me["surface"], me["name"], me["scopes"]) == ("console", "Ada", ["read", "start", "answer"])
        assert (await preview.post(where)).status_code == 410
        assert (await preview.get(where)).status_code == 410


@over_both
async def test_asked_again_the_link_is_the_same_until_it_was_used(deployment: ChannelDeployment) -> None:
    where = await link(deployment)
    assert await link(deployment) == where
    assert await link(deployment, deployment.bob) != where
    async with browser(deployment) as ada:
        assert (await ada.post(where)).status_code == 303
        fresh = await link(deployment)
        assert fresh != where
        assert (await ada.post(where)).status_code == 410
        assert (await ada.post(fresh)).status_code == 303


async def test_another_sites_page_cannot_use_the_link(deployment: ChannelDeployment) -> None:
    where = await link(deployment)
    async with browser(deployment) as ada:
        foreign = await ada.post(where, headers={"Origin": "http://elsewhere.invalid"})
        assert "Set-Cookie" not in foreign.headers
        assert (await ada.post(where)).status_code == 303


async def test_in_the_console_people_may_what_they_may_in_slack(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("ask kites")
    async with browser(deployment) as ada, browser(deployment) as bob:
        assert (await ada.post(await link(deployment))).status_code == 303
        assert (await bob.post(await link(deployment, deployment.bob))).status_code == 303
        mine = (await ada.get("/questions?mine=true")).json()["questions"]
        [kites] = [each for each in mine if each["prompt"] == "May kites go on?"]
        his = (await bob.get("/questions?mine=true")).json()["questions"]
        assert kites["question_id"] not in [each["question_id"] for each in his]
        answer = f"/questions/{kites['question_id']}/answer"
        assert (await bob.post(answer, json={"action": "approve"})).status_code == 404
        assert (await ada.post(answer, json={"action": "approve"})).status_code == 200
    await deployment.said("approved", question)


async def test_in_the_console_people_see_what_is_theirs_to_know(deployment: ChannelDeployment) -> None:
    await deployment.question(await deployment.started("ask secrets"))
    await deployment.question(await deployment.started("vote lunch"))
    async with browser(deployment) as ada, browser(deployment) as bob:
        assert (await ada.post(await link(deployment))).status_code == 303
        assert (await bob.post(await link(deployment, deployment.bob))).status_code == 303
        runs = (await ada.get("/runs?limit=200")).json()["runs"]
        hers = {run["inputs"]["topic"]: run["run_id"] for run in runs if run["requester"]["name"] == "Ada"}
        assert {"secrets", "lunch"} <= set(hers)
        secret, lunch = hers["secrets"], hers["lunch"]
        seen = {run["run_id"] for run in (await bob.get("/runs?limit=200")).json()["runs"]}
        assert (secret in seen, lunch in seen) == (False, True)
        for path in (f"/runs/{secret}", f"/runs/{secret}/events", f"/poll/human-input/{secret}"):
            refused = await bob.get(path)
            assert (refused.status_code, refused.json()["code"]) == (404, "unknown_run")
        told = (await bob.get("/poll/human-input")).json()["events"]
        about = {event.get("execution_id") for event in told}
        assert (secret in about, lunch in about) == (False, True)


async def test_an_unknown_link_opens_nothing(deployment: ChannelDeployment) -> None:
    async with browser(deployment) as eve:
        for answer in (
            await eve.get("/console/link/" + "x" * 43),
            await eve.post("/console/link/" + "x" * 43),
        ):
            assert answer.status_code == 410
            assert "Set-Cookie" not in answer.headers
