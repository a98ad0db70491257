"""The arguments of `ask_human` are described once; other tools are described as CrewAI does it."""

from inspect import unwrap
from itertools import count
from typing import Any

import pytest
from crewai.tools import BaseTool
from crewai.tools.structured_tool import format_description_for_llm
from crewai.utilities.agent_utils import convert_tools_to_openai_schema
from crewai.utilities.pydantic_schema_utils import generate_model_description
from pydantic import BaseModel

from crews.crewai_adapter import install
from crews.human_input.ask_human import AskHuman

NUMBERS = count()


class Dated(BaseModel):
    """Arguments that are described differently each time."""

    day: str

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        return super().model_json_schema(*args, **options) | {"description": f"number {next(NUMBERS)}"}


class Calendar(BaseTool):
    """A tool of an author."""

    name: str = "calendar"
    description: str = "Knows what happens."
    args_schema: type[BaseModel] = Dated

    def _run(self, day: str) -> str:
        return f"nothing on {day}"


@pytest.fixture(autouse=True)
def _installed() -> None:
    install.install()


def parameters(tool: BaseTool) -> dict[str, Any]:
    [schema], _, _ = convert_tools_to_openai_schema([tool])
    found: dict[str, Any] = schema["function"]["parameters"]
    return found


def test_ask_human_is_described_as_crewai_does_it_and_once() -> None:
    tool = AskHuman()
    original = unwrap(format_description_for_llm)
    assert tool.formatted_description == original(tool.name, tool.args_schema, tool.description)
    assert AskHuman().formatted_description is tool.formatted_description
    assert AskHuman().to_structured_tool().formatted_description is tool.formatted_description
    assert AskHuman(description="Ask Ada.").formatted_description.endswith("Ask Ada.")


def test_each_model_is_offered_ask_human_with_a_schema_of_its_own() -> None:
    offered = parameters(AskHuman())
    schema = generate_model_description(AskHuman().args_schema, strip_null_types=False)
    expected = schema["json_schema"]["schema"]
    assert offered == {name: each for name, each in expected.items() if name not in {"title", "description"}}
    offered["properties"].clear()
    assert parameters(AskHuman())["properties"] == expected["properties"]


def test_a_tool_of_an_author_is_described_anew_each_time() -> None:
    assert Calendar().formatted_description != Calendar().formatted_description
