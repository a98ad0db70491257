"""An answer passes at most ten files from its request to the rules; `docs/architecture.md` names them all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from bot.core.forms.fields import Field
from bot.core.questions.question import Action, QuestionKind
from bot.store.redis import RedisStore
from bot.surfaces.chat import actions
from bot.surfaces.chat.actions import REPLY_FIELD, input_field
from tests.contract.chat.memory_inbound import target_of
from tests.contract.chat.played_crew import ADA
from tests.contract.chat.slack_inbound import SlackChat, slack_chat_over_a_socket, slack_chat_over_http
from tests.contract.chat.teams_inbound import TeamsChat, teams_chat
from tests.contract.examples import DEMO
from tests.contract.http.served import serve
from tests.contract.paths import REPOSITORY, FilePath, paths_to_the_rules

MOST_FILES = 10
CHATS: dict[str, Callable[[str], AbstractAsyncContextManager[SlackChat | TeamsChat]]] = {
    "slack over http": slack_chat_over_http,
    "slack over a socket": slack_chat_over_a_socket,
    "teams": teams_chat,
}
CITY = Field(name="city", required=True)


def check(path: FilePath, first: str) -> None:
    """One answer's path: from the request to the rules, over few files, which the page names."""
    assert (path[0], path[-1]) == (first, "core/questions/decision.py")
    assert len(path) <= MOST_FILES, path
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    named = page.split("An answer passes", 1)[1].split("\n\n", 1)[0]
    assert [file for file in path if f"{file.rpartition('/')[2]}`" not in named] == []


@pytest.mark.parametrize("kind", list(CHATS))
async def test_a_press_and_a_form_of_a_chat_platform(redis_url: str, kind: str) -> None:
    module = {"slack over a socket": "slack/inbound/socket_mode.py", "teams": "teams/inbound/request_url.py"}
    first = f"surfaces/{module.get(kind, 'slack/inbound/request_url.py')}"
    with paths_to_the_rules() as paths:
        async with CHATS[kind](redis_url) as chat:
            pressed, rejected, said = [await chat.asking(each) for each in ("pressed", "rejected", "said")]
            filled = await chat.asking("filled", kind=QuestionKind.FORM, options=(), form=(CITY,))
            await chat.press(ADA, actions.ANSWER_APPROVE, target_of(pressed))
            check(paths.pop(), first)
            for callback, question, values in (
                (actions.REJECT, rejected, {REPLY_FIELD: "no"}),
                (actions.REPLY, said, {REPLY_FIELD: "no"}),
                (actions.FORM, filled, {input_field(CITY.name): "Oslo"}),
            ):
                assert await chat.submit(ADA, callback, target_of(question).encode(), **values) == {}
                check(paths.pop(), first)
            assert paths == []
            outcomes = [await chat.outcome(each) for each in (pressed, rejected, said, filled)]
            assert outcomes == [Action.APPROVE, Action.REJECT, Action.RESPOND, Action.SUBMIT]


async def test_an_answer_over_http(store: RedisStore) -> None:
    await store.catalogue.announce("here", [DEMO])
    with paths_to_the_rules() as paths:
        async with serve(store, {}) as served:
            question = await served.ask(await served.started())
            answer = {"action": "approve", "digest": question.digest}
            assert (await served.post(f"/questions/{question.id}/answer", answer)).status_code == 200
    assert paths
    for path in paths:
        check(path, "surfaces/http/site.py")
