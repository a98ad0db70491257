"""CrewAI projects of several kinds, run by `crewdeck serve` without an edit."""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from bot.core.forms.fields import FieldType
from bot.core.questions.question import QuestionKind
from tests.contract.crews.deployment import Deployment
from tests.loopback.models import Conversation, LoopbackModel, Turn, call, say, text_of
from tests.scenario.server import Server

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
TOOLS = ("archive", "timetable")
STARTED_WITHIN = 240.0
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def answer(conversation: Conversation) -> Turn:
    """The model of all projects: uses a tool that it is offered once, then says what it was asked."""
    offered = [each["function"] for each in conversation.body.get("tools") or ()]
    tool = next((each for each in offered if each["name"] in TOOLS), None)
    if tool is not None and not conversation.results:
        return call(tool["name"], **dict.fromkeys(tool["parameters"]["properties"], "Rye to Hove"))
    asked = next(text_of(each) for each in conversation.messages if each["role"] == "user")
    found = f" Found: {conversation.results[-1]}" if conversation.results else ""
    return say(f"Done: {' '.join(asked.split())[:160]}{found}")


class ProjectDeployment(Deployment):
    """One server for all projects, and the model that they talk to."""

    server: Server
    model: LoopbackModel
    #: Where the projects are.
    folder: Path

    async def all_announced(self, names: Iterable[str]) -> None:
        """Each worker imports crewai, all of them at once."""
        wanted = set(names)
        async with asyncio.timeout(STARTED_WITHIN):
            for _ in itertools.count():
                assert not await self.store.catalogue.problems(), self.server.story()
                if wanted <= {*await self.store.catalogue.crews()}:
                    return
                await asyncio.sleep(0.2)

    async def card(self, name: str) -> dict[str, tuple[FieldType, bool, object]]:
        """The inputs that a crew is announced with: type, required, default."""
        crew = (await self.announced(name))[name]
        return {each.name: (each.type, each.required, each.default) for each in crew.inputs}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProjectDeployment]:
    folder = tmp_path_factory.mktemp("projects")
    shutil.copytree(PROJECTS, folder, dirs_exist_ok=True)
    names = sorted(each.name for each in folder.iterdir())
    async with LoopbackModel() as model:
        model.script("default", answer)
        (folder / "help_center" / ".env").write_text(
            f"MODEL=openai/gpt-4o-mini\nHELP_SIGNATURE=The clerks\nOPENAI_BASE_URL={model.base_url}\n"
            "SLACK_BOT_TOKEN=xoxb-of-the-project\nCREWDECK_LEASE=1\n"
        )
        (folder / "newsroom" / "paper.env").write_text(
            "PAPER=The Daily Moss\nSLACK_BOT_TOKEN=xoxb-of-the-project\n"
        )
        settings = {
            "OPENAI_API_KEY": "sk-loopback",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_BASE": model.base_url,
            "CREWDECK_PROJECTS": ",".join(str(folder / name) for name in names),
        }
        async with (
            Server.start(settings) as server,
            ProjectDeployment.at(server.store_url, server.story) as deployment,
        ):
            deployment.server, deployment.model, deployment.folder = server, model, folder
            await deployment.all_announced(names)
            yield deployment


async def test_a_class_with_yaml_and_a_tool_of_its_own(on: ProjectDeployment) -> None:
    texts = {"subject": (FieldType.STRING, True, None), "year": (FieldType.STRING, True, None)}
    assert await on.card("newsroom") == texts
    result = await on.result(await on.start("newsroom", subject="canals", year="2026"))
    assert "Write a piece on canals" in result
    sent = str([each.body["messages"] for each in on.model.requests])
    assert "The Daily Moss on Rye to Hove: one page in 1987. (no token)" in sent, "load_dotenv() is as it was"


async def test_a_crew_in_jsonc(on: ProjectDeployment) -> None:
    assert await on.card("travel_desk") == {
        "origin": (FieldType.STRING, True, None),
        "destination": (FieldType.STRING, True, None),
        "margin": (FieldType.STRING, True, "15"),
    }
    result = await on.result(await on.start("travel_desk", origin="Rye", destination="Hove"))
    assert "takes at least 15 minutes" in result
    assert "Trains Rye to Hove: 8:12" in str([each.body["messages"] for each in on.model.requests])


async def test_a_flow_with_two_crews_that_are_its_parts(on: ProjectDeployment) -> None:
    fields = await on.card("gazette")
    assert fields["pages"] == (FieldType.INTEGER, True, 4)
    assert fields["theme"] == (FieldType.STRING, False, None)
    assert not [name for name in await on.store.catalogue.crews() if name.startswith("gazette-")]
    result = await on.result(await on.start("gazette", theme="moss", pages=2))
    assert result.startswith("2 pages: Done:")
    assert "Draw the cover of the issue on moss" in result


async def test_knowledge_dotenv_and_kickoff_hooks_as_under_crewai_run(on: ProjectDeployment) -> None:
    crew = (await on.announced("help_center"))["help_center"]
    assert (crew.title, crew.main_input) == ("Help center", "letter")
    run = await on.start("help_center", letter="When are you open?")
    result = await on.result(run)
    assert 'Answer the letter "When are you open?" and sign as The clerks' in result
    assert result.endswith("-- The clerks")
    prompts = [str(each.body["messages"]) for each in on.model.requests]
    assert any("On Fridays it closes at noon" in each for each in prompts)
    [logged] = [each for each in on.server.log if each.get("names") == ["CREWDECK_LEASE", "SLACK_BOT_TOKEN"]]
    assert logged["message"] == "Variables of the project's .env that its worker doesn't get"
    [letter] = await on.store.files.list(run.id)
    assert (letter.name, letter.path) == ("letter.md", "answers/letter.md")


async def test_a_module_with_a_plain_crew_and_a_manager(on: ProjectDeployment) -> None:
    crew = (await on.announced("market_study"))["market_study"]
    assert crew.main_input == "product"
    runs = [await on.start("market_study", product=product) for product in ("bicycles", "kites")]
    results = [await on.result(run) for run in runs]
    assert "the market of bicycles" in results[0]
    assert "the market of kites" in results[1], "each run has a crew of its own"


async def test_a_declarative_flow_asks_people(on: ProjectDeployment) -> None:
    assert await on.card("greeter") == {
        "guest": (FieldType.STRING, True, None),
        "language": (FieldType.CHOICE, True, "en"),
    }
    run = await on.start("greeter", guest="Ada")
    question = await on.question(run)
    assert question.kind is QuestionKind.CHOICE
    assert question.prompt == "Shall the guest be greeted so?"
    await on.say(question, "agreed")
    result = await on.result(run)
    assert result.startswith("Said to Ada: Done: ")
    assert "Greet Ada in en" in result


async def test_a_run_goes_on_where_it_was_when_its_worker_is_killed(on: ProjectDeployment) -> None:
    run = await on.start("greeter", guest="Grace Hopper")
    question = await on.question(run)
    [worker] = [
        each for each in on.server.workers if each.environ().get("CREWDECK_PROJECT", "").find("greeter") > 0
    ]
    assert Path(worker.cwd()) == on.folder / "greeter"
    await asyncio.to_thread(on.server.kill_worker, worker)
    await on.say(question, "agreed")
    done = await on.over(run, STARTED_WITHIN)
    assert (done.result or "").startswith("Said to Grace Hopper: Done: "), done.error
    assert done.epoch > 1
    asked = [each for each in on.model.requests if "Grace Hopper" in str(each.body["messages"])]
    assert len(asked) == 1, "what the model said is recorded"


async def test_none_of_them_stays_a_problem(on: ProjectDeployment) -> None:
    """A worker that died is one until its successor has loaded the project."""
    async with asyncio.timeout(STARTED_WITHIN):
        for _ in itertools.count():
            if not await on.store.catalogue.problems():
                return
            await asyncio.sleep(0.2)
