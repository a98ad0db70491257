"""Files in Slack: chosen in the form that starts a crew, and posted into the run's thread."""

import pytest

from tests.loopback.slack.shown import View
from tests.scenario.slack_deployment import ChannelDeployment, over_both

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def form(deployment: ChannelDeployment, words: str = "reader") -> View:
    await deployment.crew(f"start {words}")
    return await deployment.slack.wait_for(lambda: deployment.slack.view(deployment.ada.id))


@over_both
async def test_a_chosen_file_reaches_the_crew_whose_file_is_posted(deployment: ChannelDeployment) -> None:
    view = await form(deployment, "reader topic=wind")
    chosen = deployment.ada.choose_file("plan.txt", b"PLAN", deployment.slack.url)
    assert not (await deployment.ada.submit(view, {"Document": chosen})).field_errors
    parent = await deployment.slack.wait_for(lambda: deployment.runs()[-1])
    words = await deployment.said("is done", parent)
    assert "inputs/doc/plan.txt" in words
    assert "plan.txt" in deployment.now(parent).words
    content = await deployment.slack.wait_for(lambda: deployment.slack.files()["report-wind.md"])
    assert content.endswith(b"inputs/doc/plan.txt")


async def test_a_wrong_file_is_refused_at_its_field_and_another_one_is_taken(
    deployment: ChannelDeployment,
) -> None:
    view = await form(deployment)
    for name, content, why in (("plan.pdf", b"x", "of type txt"), ("plan.txt", b"x" * 1025, "at most 1024")):
        chosen = deployment.ada.choose_file(name, content, deployment.slack.url)
        refused = await deployment.ada.submit(view, {"Document": chosen})
        assert why in refused.field_errors["input.doc"]
    assert not deployment.runs()
    chosen = deployment.ada.choose_file("plan.txt", b"PLAN", deployment.slack.url)
    assert not (await deployment.ada.submit(view, {"Document": chosen})).field_errors
    await deployment.slack.wait_for(lambda: deployment.runs()[-1])


@pytest.mark.parametrize("at", ["https://files.slack.com.evil.example", "http://169.254.169.254", "file://"])
async def test_the_token_is_sent_to_no_other_host(deployment: ChannelDeployment, at: str) -> None:
    view = await form(deployment)
    chosen = deployment.ada.choose_file("plan.txt", b"PLAN", at)
    refused = await deployment.ada.submit(view, {"Document": chosen})
    assert "foreign_url" in refused.field_errors["input.doc"]


async def test_without_the_scope_the_form_says_what_is_missing(deployment: ChannelDeployment) -> None:
    view = await form(deployment)
    scopes = deployment.slack.workspace.scopes
    scopes.discard("files:read")
    chosen = deployment.ada.choose_file("plan.txt", b"PLAN", deployment.slack.url)
    refused = await deployment.ada.submit(view, {"Document": chosen})
    scopes.add("files:read")
    assert "files:read" in refused.field_errors["input.doc"]


async def test_a_file_is_not_given_in_words(deployment: ChannelDeployment) -> None:
    told = await deployment.answer("start reader doc=plan.txt")
    assert "upload it in the form" in told.words


async def test_a_file_may_be_left_out_and_the_form_is_there_for_who_has_one(
    deployment: ChannelDeployment,
) -> None:
    await deployment.crew("start keeper wind")
    parent = await deployment.slack.wait_for(lambda: deployment.runs()[0])
    assert "Kept what is about wind" in await deployment.said("is done", parent)
    view = await form(deployment, "keeper")
    assert not (await deployment.ada.submit(view, {})).field_errors
    parent = await deployment.slack.wait_for(lambda: deployment.runs()[1])
    assert "Kept what is about tides" in await deployment.said("is done", parent)
