"""What type checkers know of `crewdeck.crew`.

mypy checks this file with the others, and an ignore that isn't needed is an error there: each `type: ignore`
proves that its line is reported in an author's editor.
"""

from collections.abc import Callable
from typing import Any, assert_type, get_args, get_type_hints

import pytest
from pydantic import BaseModel

import crewdeck
from bot.core.errors import SettingsError
from bot.core.forms.fields import FieldType
from crewdeck import Policy, register
from crews.definitions import declarations
from crews.definitions.approval import Approval
from crews.definitions.decorator import declared_by
from crews.definitions.definition import (
    CrewFile,
    DeadlineEntry,
    InputEntry,
    Limits,
    QuestionsEntry,
    Review,
    ToolEntry,
)
from crews.definitions.policies import PolicyEntry


@register(
    title="Refunds",
    description="Pays back",
    inputs={
        "amount": {"type": "number", "required": True, "min": 0.5, "label": "Amount"},
        "reason": {"type": "choice", "choices": ["late", "broken"], "default": "late"},
    },
    main_input="amount",
    groups={"finance": ("U0123ABCD", "key:erp")},
    policies={"pay": {"who": ["finance", "requester"], "not": ["key:erp"], "need": 1, "on_reject": "counts"}},
    approvers="pay",
    cancel=["requester", "finance"],
    reviewers={"write": Policy(who=["U0123ABCD"])},
    tools={
        "refund": {
            "use": "tests.contract.crews.toolbox:Keyed",
            "on_interrupted": "fail",
            "approval": {"policy": "pay", "when": "args.amount > 10", "edit": ["reason"]},
        },
        "notify": {"approval": True},
    },
    admit=["guest"],
    questions={"deadline": "24h", "review": {"deadline": "2h", "on_deadline": "reject"}},
    limits={"time": "10m", "model_calls": 50, "runs": 2},
    review={"rounds": 2},
)
def refunds(inputs: dict[str, Any]) -> str:
    return str(inputs)


def test_everything_that_crew_yaml_has_can_be_declared_with_types() -> None:
    declared = declared_by("refunds", refunds)
    assert declared.limits == Limits.model_validate({"time": "10m", "model_calls": 50, "runs": 2})
    assert declared.policies["pay"].not_ == ["key:erp"]
    assert declared.tools["notify"].approval == Approval()
    assert declared.questions.review == DeadlineEntry.model_validate(
        {"deadline": "2h", "on_deadline": "reject"}
    )
    # The factory keeps its type.
    assert_type(refunds({}), str)


def test_register_is_crew_under_a_name_that_crewai_does_not_use() -> None:
    assert crewdeck.register is crewdeck.crew


@pytest.mark.parametrize(
    "declare",
    [
        lambda: register(title="T", inputs={"topic": {"kind": "text"}}),  # type: ignore[typeddict-unknown-key]
        lambda: register(title="T", inputs={"topic": {"type": "txt"}}),  # type: ignore[typeddict-item]
        lambda: register(title="T", inputs={"topic": {"required": "yes"}}),  # type: ignore[typeddict-item]
        lambda: register(title="T", limits={"model_calls": "3"}),  # type: ignore[arg-type]
        lambda: register(title="T", questions={"deadlines": "1h"}),  # type: ignore[arg-type]
        lambda: register(title="T", policies={"pay": {"need": 2, "whom": ["U1"]}}),  # type: ignore[typeddict-unknown-key]
        lambda: register(title="T", tools={"pay": {"use": "a:b", "on_interrupted": "again"}}),  # type: ignore[typeddict-item]
        lambda: register(title="T", admit=["everybody"]),  # type: ignore[list-item]
        lambda: register(title="T", review={"rounds": 0}),
    ],
)
def test_what_a_type_checker_reports_is_refused_when_it_runs_too(declare: Callable[[], object]) -> None:
    with pytest.raises(SettingsError, match="crewdeck"):
        declare()


def test_a_key_that_does_not_exist_is_no_argument() -> None:
    with pytest.raises(TypeError, match="limit"):
        register(title="T", limit={"time": "10m"})  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("spec", "model"),
    [
        (declarations.InputSpec, InputEntry),
        (declarations.DeadlineSpec, DeadlineEntry),
        (declarations.QuestionsSpec, QuestionsEntry),
        (declarations.LimitsSpec, Limits),
        (declarations.ReviewSpec, Review),
        (declarations.PolicySpec, PolicyEntry),
        (declarations.ApprovalSpec, Approval),
        (declarations.ToolSpec, ToolEntry),
    ],
)
def test_declarations_have_the_keys_of_the_models(spec: type, model: type[BaseModel]) -> None:
    keys = {field.alias or name for name, field in model.model_fields.items()}
    assert set(get_type_hints(spec)) == keys


def test_inputs_have_the_types_of_fields() -> None:
    assert set(get_args(declarations.InputType)) == {kind.value for kind in FieldType}


def test_the_decorator_takes_the_keys_of_crew_yaml_that_a_factory_does_not_decide_itself() -> None:
    taken = set(crewdeck.crew.__annotations__) - {"return", "reviewers"}
    assert taken == set(CrewFile.model_fields) - {"model", "process"}
