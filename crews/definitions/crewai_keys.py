"""CrewAI's own keys in agents.yaml, tasks.yaml and crew.yaml. CrewAI reads their values when a crew is built.

They are listed, since definitions are read without CrewAI; tests/unit/crews/definitions/test_crewai_keys.py
compares the lists with the installed release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, GetJsonSchemaHandler, JsonValue, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from crews.definitions.entry import Entry

# ruff: noqa: SIM905 - words read best without quotes around each

AGENT_KEYS = frozenset(
    (
        "a2a allow_code_execution apps cache callbacks code_execution_mode embedder executor_class "
        "from_repository function_calling_llm guardrail guardrail_max_retries i18n knowledge_config "
        "knowledge_sources max_reasoning_attempts max_tokens mcps memory multimodal planning "
        "planning_config prompt_template reasoning response_template security_config skills "
        "step_callback system_template tool_failure_policy use_better_compaction use_system_prompt "
        "verbose"
    ).split()
)
TASK_KEYS = frozenset(
    (
        "allow_crewai_trigger_context callback callbacks condition converter_cls "
        "guardrail guardrail_max_retries guardrails input_files max_retries output_json "
        "output_pydantic prompt_context response_model security_config tool_failure_policy type"
    ).split()
)
CREW_KEYS = frozenset(
    (
        "after_kickoff_callbacks before_kickoff_callbacks cache chat_llm embedder "
        "function_calling_llm knowledge_sources manager_agent manager_llm max_rpm memory "
        "output_log_file planning planning_llm prompt_file security_config skills step_callback "
        "stream task_callback tool_failure_policy trained_agents_file verbose"
    ).split()
)
IN_EDITORS = "A key of CrewAI, which checks its value when the crew is built."
"""The description of each in the JSON Schema."""
REFUSED: Mapping[str, str] = {
    "max_execution_time": "would count the time that people take; set limits.time in crew.yaml",
    "checkpoint": "isn't supported: runs go on from Crewdeck's journal, step by step",
}
"""Keys of CrewAI that are an error here, and why."""

REFERENCES = frozenset(
    (
        "callback callbacks condition converter_cls executor_class output_json output_pydantic "
        "response_model step_callback task_callback before_kickoff_callbacks "
        "after_kickoff_callbacks knowledge_sources guardrail guardrails"
    ).split()
)
"""Keys whose values may be `module:name`; every key takes `{python: module.name}`, as in CrewAI's JSON."""

OTHERS = "(crewai)"
"""The name under which a validated entry keeps them; no key can be written so."""


class WithCrewaiKeys(Entry):
    """An entry that also takes keys of CrewAI."""

    crewai_keys: ClassVar[frozenset[str]] = frozenset()

    #: What is written for keys of CrewAI, as it is.
    crewai: dict[str, JsonValue] = Field(default={}, alias="(crewai)")

    @model_validator(mode="before")
    @classmethod
    def _keep_keys_of_crewai(cls, written: Any) -> Any:  # noqa: ANN401 - as it was read
        if not isinstance(written, dict) or OTHERS in written:
            return written
        keys = cls.crewai_keys
        others = {key: value for key, value in written.items() if key in keys and value is not None}
        return {**{key: value for key, value in written.items() if key not in keys}, OTHERS: others}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """With each key of CrewAI, which checks its values when the crew is built."""
        made = handler.resolve_ref_schema(handler(core))
        made["properties"].pop(OTHERS, None)
        made["properties"] |= {key: {"description": IN_EDITORS} for key in sorted(cls.crewai_keys)}
        return made
