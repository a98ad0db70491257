"""The arguments of `ask_human` are described once; other tools are described as CrewAI does it."""

from __future__ import annotations

from inspect import unwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from crewai.tools import BaseTool


@pytest.fixture(autouse=True)
def _installed() -> None:
    from crews.crewai_adapter import install

    install.install()


def parameters(tool: BaseTool) -> dict[str, Any]:
    from crewai.utilities.agent_utils import convert_tools_to_openai_schema

    [schema], _, _ = convert_tools_to_openai_schema([tool])
    found: dict[str, Any] = schema["function"]["parameters"]
    return found


def test_ask_human_is_described_as_crewai_does_it_and_once() -> None:
    from crewai.tools.structured_tool import format_description_for_llm

    from crews.human_input.ask_human import AskHuman

    tool = AskHuman()
    original = unwrap(format_description_for_llm)
    assert tool.formatted_description == original(tool.name, tool.args_schema, tool.description)
    assert AskHuman().formatted_description is tool.formatted_description
    assert AskHuman().to_structured_tool().formatted_description is tool.formatted_description
    assert AskHuman(description="Ask Ada.").formatted_description.endswith("Ask Ada.")


def test_each_model_is_offered_ask_human_with_a_schema_of_its_own() -> None:
    from crewai.utilities.pydantic_schema_utils import generate_model_description

    from crews.human_input.ask_human import AskHuman

    offered = parameters(AskHuman())
    schema = generate_model_description(AskHuman().args_schema, strip_null_types=False)
    expected = schema["json_schema"]["schema"]
    assert offered == {name: each for name, each in expected.items() if name not in {"title", "description"}}
    offered["properties"].clear()
    assert parameters(AskHuman())["properties"] == expected["properties"]


def test_a_tool_of_an_author_is_described_anew_each_time() -> None:
    from tests.unit.crews.crewai_adapter.calendar_tool import Calendar

    assert Calendar().formatted_description != Calendar().formatted_description
