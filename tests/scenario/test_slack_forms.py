"""A form of seven fields in Slack: two steps, errors at their fields, and two people who fill it in."""

import pytest

from tests.loopback.slack.shown import View
from tests.scenario.slack_deployment import ChannelDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST = {"Amount": "12.5", "Mail": "ada@example.com", "Due": "2026-12-24", "Extras": ["card", "bow"]}


async def shown(deployment: ChannelDeployment, user: str, step: int) -> View:
    def there() -> View:
        view = deployment.slack.view(user)
        if f"Step {step} of 2" not in view.words:
            raise LookupError("another step is shown")
        return view

    return await deployment.slack.wait_for(there)


@over_both
async def test_a_form_is_filled_in_by_the_first_of_two_people(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("order tides")
    for person in (deployment.ada, deployment.bob):
        await deployment.slack.wait_for(lambda: deployment.now(question))
        await person.press(question, "open.reply")
    ada = await shown(deployment, deployment.ada.id, 1)
    bob = await shown(deployment, deployment.bob.id, 1)

    wrong = await deployment.ada.submit(ada, FIRST | {"Amount": "-1", "Mail": "nobody"})
    assert wrong.field_errors.keys() == {"input.amount", "input.mail"}
    assert wrong.elapsed < 3

    for person, view in ((deployment.ada, ada), (deployment.bob, bob)):
        assert not (await person.submit(view, FIRST)).field_errors
    last = await shown(deployment, deployment.ada.id, 2)
    assert not (await deployment.ada.submit(last, {"Note": "soon"})).field_errors
    late = await deployment.bob.submit(await shown(deployment, deployment.bob.id, 2), {"Note": "mine"})
    assert not late.field_errors
    told = deployment.slack.view(deployment.bob.id).words
    for words in ("Ada was first", "ada@example.com", "mine"):
        assert words in told

    heard = await deployment.said("The crew heard", question)
    assert '"amount": 12.5' in heard
    assert '"extras": ["bow", "card"]' in heard
    assert '"note": "soon"' in heard


async def test_words_lead_to_the_form_which_keeps_what_was_filled_in(deployment: ChannelDeployment) -> None:
    question = await deployment.asked("order tides")
    await deployment.ada.press(question, "open.reply")
    view = await shown(deployment, deployment.ada.id, 1)
    await deployment.ada.submit(view, FIRST)
    await deployment.ada.close(await shown(deployment, deployment.ada.id, 2))
    await deployment.ada.reply(deployment.channel, question.thread_ts or "", "12.50, please")
    told = await deployment.told(deployment.ada, "Words don't answer a form")
    await deployment.ada.press(told, "open.reply")
    again = await shown(deployment, deployment.ada.id, 1)
    filled = {block["block_id"]: block["element"] for block in again.blocks if block["type"] == "input"}
    assert filled["input.amount"]["initial_value"] == "12.5"
    assert filled["input.due"]["initial_date"] == "2026-12-24"
