"""`approval` of tools: what a crew's files and the authors of tools may say, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from crewdeck import NotApproved, Policy, requires_approval
from crews.definitions.approval import approvals_of, approved_call
from crews.definitions.defined_crews import read
from crews.definitions.definition import CrewFile
from crews.definitions.exceptions import CrewBroken
from crews.definitions.gates import Gates, same_name
from crews.definitions.tool_options import declare_entry
from tests.unit.crews.definitions.test_defined_crews import CREW, folder, problems

SEARCH = '  search: {use: "our.search:Search", on_interrupted: retry}\n'
SCHEMA: dict[str, Any] = {
    "properties": {"amount": {"type": "number"}, "to": {"type": "string"}, "token": {"type": "string"}}
}


class Search:
    """A tool, as far as gates look at it."""

    name = "Search tool"


def with_approval(approval: str) -> str:
    return CREW.replace("on_interrupted: retry", f"approval: {approval}")


@pytest.mark.parametrize(
    ("approval", "problem"),
    [
        ("", "tools.search.approval: must be a policy's name, or keys such as policy and when; {}"),
        ("null", "tools.search.approval: must be a policy's name"),
        ("false", "tools.search.approval: must be a policy's name"),
        ("pay", "tools.search.approval.policy: must be requester, anyone, a policy's name or a list: there"),
        ("{policy: }", "tools.search.approval.policy: must be requester, anyone, a policy's name, or a list"),
        ("{policy: [nobody]}", "tools.search.approval.policy.0: 'nobody' is no group"),
        ("{polcy: pay}", "tools.search.approval.polcy: is no key that Crewdeck knows"),
        ('{when: "args.amount >"}', "tools.search.approval.when: is no condition: Syntax error"),
        (
            "{when: \"inputs.topci == 'x'\"}",
            "tools.search.approval.when: is no condition: undeclared reference",
        ),
        ('{when: "inputs.topic > 3"}', "tools.search.approval.when: is no condition: found no matching"),
        (
            '{when: "inputs.topic"}',
            "tools.search.approval.when: must be true or false, and is of type string",
        ),
        ("{edit: [a], hide: [a]}", "tools.search.approval: edit: a is hidden, so nobody could see it there"),
        (
            '{title: "Pay {a}", hide: [a]}',
            "tools.search.approval: title: a is hidden, so nobody could see it",
        ),
        ("{edit: amount}", "tools.search.approval.edit: must be a list"),
    ],
)
def test_what_is_wrong_with_an_approval(tmp_path: Path, approval: str, problem: str) -> None:
    folder(tmp_path, crew=with_approval(approval))
    assert [each[: len(problem) + 13] for each in problems(tmp_path)] == [f"crew.yaml:8: {problem}"]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("search: {on_interrupted: retry}", "tools.search: must say with `use` what it is"),
        ("ask_human: {approval: {}}", "tools.ask_human: every agent has ask_human already"),
        (
            "delegate_work_to_coworker: {approval: {}}",
            "tools.delegate_work_to_coworker.approval: is for tools",
        ),
    ],
)
def test_what_is_wrong_with_a_tool(tmp_path: Path, entry: str, problem: str) -> None:
    folder(
        tmp_path,
        crew=CREW + f"  {entry}\n" if "search" not in entry else CREW.replace(SEARCH, f"  {entry}\n"),
    )
    assert any(problem in each for each in problems(tmp_path))


def test_an_agent_can_not_use_what_only_has_a_name(tmp_path: Path) -> None:
    folder(tmp_path, crew=CREW.replace(SEARCH, "  search: {approval: {}}\n"))
    assert problems(tmp_path) == [
        "agents.yaml:5: writer.tools.0: crew.yaml doesn't say with `use` what search is"
    ]


@pytest.mark.parametrize(
    "approval", ["{}", "true", "requester", "[U0ADA]", "{when: \"inputs.topic == 'x'\"}"]
)
def test_what_an_approval_may_be(tmp_path: Path, approval: str) -> None:
    folder(tmp_path, crew=with_approval(approval))
    assert problems(tmp_path) == []


def gates(**approval: Any) -> Gates:
    crew = CrewFile.model_validate({"title": "T", "tools": {"search_tool": {"approval": approval}}})
    return Gates(crew.tools)


@pytest.mark.parametrize(
    ("approval", "mistakes"),
    [
        (
            {"edit": ["amuont"]},
            [(("edit",), "amuont is no argument of the tool (it has: amount, to, token)")],
        ),
        ({"hide": ["tokn"]}, [(("hide",), "tokn is no argument of the tool (it has: amount, to, token)")]),
        ({"hide": ["to.iban"]}, []),
        (
            {"title": "Pay {amuont}"},
            [(("title",), "amuont is no argument of the tool (it has: amount, to, token)")],
        ),
        ({"title": "Use {token}"}, [(("title",), "token is secret, so nobody could see it there")]),
        ({"edit": ["token"]}, [(("edit",), "token is secret, so nobody could see it there")]),
        ({"when": "args.to > 3"}, "found no matching overload"),
        ({"when": "args.amuont > 3"}, "undeclared reference to 'args.amuont'"),
        ({"when": "args.amount > 3", "title": "Pay {amount} to {to}", "edit": ["to"]}, []),
    ],
)
def test_what_does_not_go_with_the_tool(approval: dict[str, Any], mistakes: Any) -> None:  # noqa: ANN401
    gate = gates(**approval).of(Search())
    assert gate is not None
    found = [*gate.mistakes(SCHEMA, ("token",), {})]
    if isinstance(mistakes, str):
        assert mistakes in found[0][1]
    else:
        assert found == mistakes


def test_a_tool_without_a_gate_has_none() -> None:
    assert Gates().of(Search()) is None


USED = "tests.unit.crews.definitions.test_approvals:Search"


def test_an_entry_says_which_of_two_tools_of_a_class_needs_an_approval() -> None:
    tools = {"inside": {"use": USED}, "outside": {"use": USED, "approval": {}}}
    crew = CrewFile.model_validate({"title": "T", "tools": tools})
    inside, outside, made_by_code = Search(), Search(), Search()
    declare_entry(inside, "inside")
    declare_entry(outside, "outside")
    found = [Gates(crew.tools).of(each) is not None for each in (inside, outside, made_by_code)]
    assert found == [False, True, True]


def test_a_name_holds_for_whatever_has_it() -> None:
    crew = CrewFile.model_validate(
        {"title": "T", "tools": {"mine": {"use": USED}, "search_tool": {"approval": {}}}}
    )
    mine = Search()
    declare_entry(mine, "mine")
    assert Gates(crew.tools).of(mine) is not None


@pytest.mark.parametrize(
    ("named", "same"),
    [
        ("npx_bank_wire_money", True),
        ("wire_money", True),
        ("wireMoney", True),
        ("wire-money", True),
        ("wire", False),
        ("money", False),
        ("bank_wire_money", False),
        ("", False),
    ],
)
def test_a_tool_of_an_mcp_server_goes_by_the_servers_name_for_it_too(*, named: str, same: bool) -> None:
    class Remote(Search):
        name = "npx_bank_wire_money"
        original_tool_name = "wireMoney"

    assert same_name(Remote(), named) is same


def test_a_crew_and_an_author_together() -> None:
    """The crew's words go first, both hide, and people are asked if either condition asks."""
    tool = requires_approval(policy=["U0EVE"], when="args.amount > 100", hide=["token"], title="Untrusted")(
        Search()
    )
    gate = gates(policy=["U0ADA"], when="args.amount > 1000", edit=["to"]).of(tool)
    assert gate is not None
    assert gate.approvers is not None
    assert (gate.approvers.listed, gate.edit, gate.title, gate.hide) == (
        ("U0ADA",),
        ("to",),
        "Untrusted",
        ("token",),
    )
    values: dict[str, dict[str, Any]] = {"inputs": {}, "crew": {}, "requester": {}}
    assert [gate.asks({**values, "args": {"amount": each}}) for each in (50, 500, 5000)] == [
        False,
        True,
        True,
    ]


def test_a_condition_of_one_takes_nothing_from_the_other_who_has_none() -> None:
    tool = requires_approval()(Search())
    gate = gates(when="false").of(tool)
    assert gate is not None
    assert gate.asks({"args": {}, "inputs": {}, "crew": {}, "requester": {}})


def test_a_policy_that_nobody_defined_opens_nothing() -> None:
    with pytest.raises(CrewBroken, match="there is no policy 'pay'"):
        Gates().of(requires_approval(policy="pay")(Search()))


# ── the decorator ───────────────────────────────────────────────────────────────────────────────────────


def test_what_is_decorated_is_called_in_an_approved_call_only() -> None:
    @requires_approval(policy=Policy(who=["U0ADA"]))
    def pay(amount: int) -> int:
        """Pays."""
        return amount

    with pytest.raises(NotApproved, match="pay needs an approval"):
        pay(3)
    assert pay.__wrapped__(3) == 3  # type: ignore[attr-defined]
    with approved_call(*approvals_of(pay)):
        assert pay(3) == 3
    with pytest.raises(NotApproved):
        pay(3)


async def test_a_coroutine_stays_one() -> None:
    @requires_approval()
    async def pay(amount: int) -> int:
        return amount

    with pytest.raises(NotApproved):
        await pay(3)
    with approved_call(*approvals_of(pay)):
        assert await pay(3) == 3


def test_an_approval_of_one_function_opens_no_other() -> None:
    def done() -> str:
        return "done"

    one, other = (requires_approval()(done) for _ in range(2))
    with approved_call(*approvals_of(one)):
        assert one() == "done"
        with pytest.raises(NotApproved):
            other()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"when": "args.amount >"}, "Syntax error"),
        ({"when": "amount > 3"}, "undeclared reference to 'amount'"),
        ({"policy": 7}, "must be requester, anyone"),
        ({"edit": ["a"], "hide": ["a"]}, "a is hidden"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        requires_approval(**arguments)


def test_the_shipped_crew_has_a_gate() -> None:
    definition = read([Path(__file__).parents[4] / "config"]).definitions["payments"]
    approval = definition.crew.tools["send_money"].approval
    assert approval is not None
    assert approval.when == "args.amount > 1000"
    [policy] = definition.card().policies
    assert (policy.name, policy.need) == ("pay", 2)


def test_a_class_runs_in_an_approved_call_only_and_so_do_its_subclasses() -> None:
    @requires_approval()
    class Pays:
        def _run(self) -> str:
            return "paid"

        def run(self) -> str:
            return self._run()

    class Inherits(Pays):
        """Nothing of its own."""

    for kind in (Pays, Inherits):
        with pytest.raises(NotApproved):
            kind().run()
        with approved_call(*approvals_of(kind())):
            assert kind().run() == "paid"


# ── several of them ─────────────────────────────────────────────────────────────────────────────────────


class Plain:
    name = "pay"

    def _run(self, **given: object) -> dict[str, object]:
        return given


def on_class() -> Any:  # noqa: ANN401 - a tool
    return ABOVE(BELOW(type("Pays", (Plain,), {})))()


def of_base() -> Any:  # noqa: ANN401 - a tool
    return ABOVE(type("Pays", (BELOW(type("Base", (Plain,), {})),), {}))()


def of_two_bases() -> Any:  # noqa: ANN401 - a tool
    one, other = ABOVE(type("One", (Plain,), {})), BELOW(type("Other", (Plain,), {}))
    return type("Pays", (one, other), {})()


def on_tool() -> Any:  # noqa: ANN401 - a tool
    return ABOVE(BELOW(type("Pays", (Plain,), {}))())


def on_function() -> Any:  # noqa: ANN401 - a tool
    tool: Any = Plain()
    tool.func = ABOVE(BELOW(lambda **given: given))
    return tool


def on_tool_and_function() -> Any:  # noqa: ANN401 - a tool
    tool: Any = Plain()
    tool.func = BELOW(lambda **given: given)
    return ABOVE(tool)


ABOVE = requires_approval(policy=["U0ADA"], when="args.amount > 1000", hide=["token"])
BELOW = requires_approval(
    policy=["U0EVE"], when="args.amount > 100", hide=["pin"], edit=["to"], title="Pay {to}"
)
SEVERAL = [on_class, of_base, of_two_bases, on_tool, on_function, on_tool_and_function]


@pytest.mark.parametrize("made", SEVERAL)
def test_of_several_approvals_of_authors_none_is_lost(made: Any) -> None:  # noqa: ANN401
    gate = Gates().of(tool := made())
    assert gate is not None
    assert gate.approvers is not None
    assert (gate.approvers.listed, gate.edit, gate.title) == (("U0ADA",), ("to",), "Pay {to}")
    assert sorted(gate.hide) == ["pin", "token"]
    assert len(approvals_of(tool)) == 2
    values: dict[str, dict[str, Any]] = {"inputs": {}, "crew": {}, "requester": {}}
    asks = [gate.asks({**values, "args": {"amount": each}}) for each in (50, 500, 5000)]
    assert asks == [False, True, True]


@pytest.mark.parametrize("made", SEVERAL)
def test_a_call_under_several_approvals_is_made_once_all_of_them_are_given(made: Any) -> None:  # noqa: ANN401
    tool = made()
    call = getattr(tool, "func", None) or tool._run  # noqa: SLF001 - as CrewAI calls it
    with pytest.raises(NotApproved):
        call(to="Acme")
    with approved_call(*approvals_of(tool)):
        assert call(to="Acme") == {"to": "Acme"}


def test_of_several_entries_of_a_crew_none_is_lost() -> None:
    entries: dict[str, Any] = {
        "mine": {"use": USED, "approval": {"policy": ["U0ADA"], "when": "false"}},
        "search_tool": {"approval": {"policy": ["U0EVE"], "hide": ["token"]}},
    }
    made = Search()
    declare_entry(made, "mine")
    for tool in (made, Search()):
        gate = Gates(CrewFile.model_validate({"title": "T", "tools": entries}).tools).of(tool)
        assert gate is not None
        assert gate.approvers is not None
        assert (gate.approvers.listed, gate.hide) == (("U0ADA",), ("token",))
        assert gate.asks({"args": {}, "inputs": {}, "crew": {}, "requester": {}})
