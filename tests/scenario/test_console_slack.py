"""`/crew console` in Slack: a private link that opens the console as the person who asked, once."""

import re

import httpx
import pytest

from tests.scenario.stage import Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

LINK = re.compile(r"http://127\.0\.0\.1:\d+(/console/link/[\w-]+)")


def browser(scene: Scene) -> httpx.AsyncClient:
    url = scene.server.url
    return httpx.AsyncClient(base_url=url, headers={"Origin": url}, trust_env=False, timeout=10)


async def link(scene: Scene) -> str:
    done = await scene.crew("console")
    found = LINK.search(str(done.private[0].body))
    assert found
    assert not scene.slack.messages(scene.channel)
    return found[1]


async def test_the_link_signs_in_as_oneself_once(scene: Scene) -> None:
    where = await link(scene)
    async with browser(scene) as ada, browser(scene) as preview:
        assert "Sign in" in (await preview.get(where)).text
        assert "Set-Cookie" not in (await preview.get(where)).headers
        assert (await ada.post(where)).status_code == 303
        me = (await ada.get("/me")).json()
        assert (me["surface"], me["name"], me["scopes"]) == ("console", "Ada", ["read", "start", "answer"])
        assert (await preview.post(where)).status_code == 410
        assert (await preview.get(where)).status_code == 410


async def test_another_sites_page_cannot_use_the_link(scene: Scene) -> None:
    where = await link(scene)
    async with browser(scene) as ada:
        foreign = await ada.post(where, headers={"Origin": "http://elsewhere.invalid"})
        assert "Set-Cookie" not in foreign.headers
        assert (await ada.post(where)).status_code == 303


async def test_in_the_console_people_may_what_they_may_in_slack(scene: Scene) -> None:
    question = await scene.asked("ask kites")
    async with browser(scene) as ada, browser(scene) as bob:
        assert (await ada.post(await link(scene))).status_code == 303
        given = await scene.crew("console", scene.bob)
        found = LINK.search(str(given.private[0].body))
        assert found
        assert (await bob.post(found[1])).status_code == 303
        mine = (await ada.get("/questions?mine=true")).json()["questions"]
        [kites] = [each for each in mine if each["prompt"] == "May kites go on?"]
        his = (await bob.get("/questions?mine=true")).json()["questions"]
        assert kites["question_id"] not in [each["question_id"] for each in his]
        answer = f"/questions/{kites['question_id']}/answer"
        assert (await bob.post(answer, json={"action": "approve"})).status_code in {403, 404}
        assert (await ada.post(answer, json={"action": "approve"})).status_code == 200
    await scene.said("approved", question)


async def test_an_unknown_link_opens_nothing(scene: Scene) -> None:
    async with browser(scene) as eve:
        for answer in (
            await eve.get("/console/link/" + "x" * 43),
            await eve.post("/console/link/" + "x" * 43),
        ):
            assert answer.status_code == 410
            assert "Set-Cookie" not in answer.headers
