"""Inputs are inserted as CrewAI does it, but once, and values stand in prompts as they are."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("inputs", [{}, {"other": "x"}])
def test_what_crewai_refuses_it_refuses(inputs: dict[str, Any]) -> None:
    from crewai import Task

    from crews.crewai_adapter import interpolation

    interpolation.install()
    task = Task(description="About {topic}", expected_output="Words")
    if not inputs:
        task.interpolate_inputs_and_add_conversation_history(inputs)
        assert task.description == "About {topic}"
    else:
        with pytest.raises(ValueError, match="Missing required template variable"):
            task.interpolate_inputs_and_add_conversation_history(inputs)


@given(st.text("{}rolegbackstyinput_nm\ufdd0\ufdd1\ufdd2 "), st.text("{}tols_names\ufdd0\ufdd1\ufdd2 "))
def test_whatever_is_in_a_role_or_a_task_the_prompt_says_it(role: str, task: str) -> None:
    from crewai.agents.agent_executor import AgentExecutor
    from crewai.utilities.prompts import Prompts

    from crews.crewai_adapter import interpolation

    interpolation.install()
    agent = SimpleNamespace(role=role, goal=f"g{role}", backstory=f"b{role}")
    made = Prompts(agent=agent, has_tools=True).task_execution()
    inputs = {"input": task, "tools": f"t{task}", "tool_names": f"n{task}"}
    prompt = AgentExecutor._format_prompt(made["prompt"], inputs)  # noqa: SLF001 - the seam
    for words in (
        f"You are {role}. b{role}\nYour personal goal is: g{role}",
        f"Current Task: {task}",
        f"t{task}",
        f"n{task}",
    ):
        assert words in prompt
