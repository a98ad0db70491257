"""Lists in pages: complete, in order, and with an end."""

import time
import uuid
from typing import Any

import pytest

from bot.core.people.policy import Approvers
from bot.core.ports.lists import RunFilter
from bot.core.questions.question import QuestionKind
from bot.store import redis_keys, run_lists
from bot.store.redis import RedisStore
from tests.contract.examples import DEMO, new_run
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, Served, bearer, demo


async def pages(served: Served, path: str, key: str, **query: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    headers = query.pop("headers", {})
    found, cursor = [], None
    while True:
        asked = query | ({"cursor": cursor} if cursor else {})
        answer = await served.get(path, params=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()[key])
        cursor = answer.json()["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_open_questions_come_in_pages_oldest_first(limit: int, served: Served) -> None:
    asked = []
    for _ in range(3):
        claim = await served.started()
        asked += [await served.ask(claim, f"{number}?", QuestionKind.TEXT) for number in range(3)]
    found = await pages(served, "/questions", "questions", state="open", limit=limit)
    # Of those that were asked in the same millisecond, none is older.
    oldest_first = sorted(asked, key=lambda each: (each.created_at, each.run_id, each.id))
    assert [question["question_id"] for page in found for question in page] == [q.id for q in oldest_first]
    assert all(len(page) == limit for page in found[:-1])


async def test_a_callers_own_questions_come_in_pages_too(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    mine = []
    for number, crew in enumerate((demo(), demo(approvers=Approvers(anyone=True))) * 2):
        await served.store.catalogue.announce("here", [crew])
        who = "ci" if number % 2 else "other"
        question = await served.ask(await served.started(headers=bearer(who)))
        if who == "ci" or crew.approvers.anyone:
            mine.append(question.id)
    found = await pages(served, "/questions", "questions", mine="true", limit=1, headers=bearer("ci"))
    assert [question["question_id"] for page in found for question in page] == mine


@pytest.mark.parametrize("path", ["/questions", "/runs"])
async def test_a_cursor_that_is_none_of_ours_is_refused(path: str, served: Served) -> None:
    answer = await served.get(path, params={"cursor": "nonsense"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


async def test_the_last_page_says_so(served: Served) -> None:
    for _ in range(4):
        await served.start()
    assert [len(page) for page in await pages(served, "/runs", "runs", limit=2)] == [2, 2]


async def test_what_is_rare_is_found_however_far_back_it_is(store: RedisStore, served: Served) -> None:
    rare = DEMO.model_copy(update={"name": "rare"})
    old = [(await store.runs.start(new_run(crew=rare)))[0].id for _ in range(2)]
    # Two thousand newer ones, as the list keeps them; they were forgotten just now, which a list passes over.
    soon = round(time.time() * 1000) + 1000
    for number in range(run_lists.MAX_SCANNED_RUNS + 100):
        shard, newer = number % redis_keys.SHARDS, {str(uuid.uuid4()): soon + number}
        await store.connection.redis.zadd(f"{redis_keys.base(shard)}:runs", newer)
    page = await store.runs.page(RunFilter(crew="rare", limit=20))
    assert (page.runs, page.next is None) == ([], False)
    found = await pages(served, "/runs", "runs", crew="rare")
    assert len(found) == 2
    # Both may have begun in the same millisecond.
    assert sorted(run["run_id"] for page in found for run in page) == sorted(old)
