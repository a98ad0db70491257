"""Groups, policies and who may decide: what a crew says becomes a policy, and every mistake has its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import SettingsError
from bot.core.people.actor import Actor
from bot.core.people.policy import ANYONE, Approvers, can_decide, policy_for
from crews.definitions.decorator import card_of, crew
from crews.definitions.defined_crews import read
from crews.definitions.policies import ApproverSpec, Policies, Policy, approver_spec
from tests.unit.crews.definitions.test_defined_crews import CREW, TASKS, folder, problems

POLICIES = """\
groups:
  finance: ["@finance", U0123ABCD, "key:erp"]
  legal: [U0ADA, "teams:4f1c-77", partners]
  partners: [U0EVE]
policies:
  pay:
    who: [finance, legal]
    not: [requester]
    per_group: {finance: 1, legal: 1}
  publish: {who: [requester, legal], need: 2, on_reject: counts, if_too_few: wait}
"""
ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA")
EVE = Actor(surface="slack", tenant="T0", user_id="U0EVE")
BOB = Actor(surface="slack", tenant="T0", user_id="U0BOB")


def test_a_crew_names_a_policy_and_gets_it_with_its_groups(tmp_path: Path) -> None:
    folder(tmp_path, crew=CREW + POLICIES + "approvers: pay\n")
    defined = read([tmp_path])
    assert defined.problems == ()
    pay = defined.definitions["tides"].card().approvers.policy
    assert pay is not None
    assert (pay.name, pay.who, pay.not_, pay.per_group) == (
        "pay",
        ("finance", "legal"),
        ("requester",),
        {"finance": 1, "legal": 1},
    )
    assert {group.name: group.members for group in pay.groups} == {
        "finance": ("slack::@finance", "slack::U0123ABCD", "http::key:erp"),
        "legal": ("slack::U0ADA", "teams::4f1c-77", "slack::U0EVE"),
    }


def test_policies_of_a_folder_are_there_for_all_of_its_crews(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    folder(tmp_path, crew=CREW + "approvers: publish\n")
    folder(tmp_path, "waves", crew=CREW + "approvers: [requester, partners]\n")
    defined = read([tmp_path])
    assert defined.problems == ()
    publish = defined.definitions["tides"].card().approvers.policy
    assert publish is not None
    assert (publish.need, publish.on_reject, publish.if_too_few) == (2, "counts", "wait")
    assert defined.definitions["waves"].card().approvers == Approvers(listed=("U0EVE",))


def test_a_task_names_who_reviews_it(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    folder(tmp_path, tasks=TASKS + "  human_input: true\n  approvers: publish\n")
    definition = read([tmp_path]).definitions["tides"]
    reviewers = definition.tasks["second"].approvers
    assert reviewers is not None
    assert reviewers.approvers(definition.policies).policy == definition.policies.named("publish")


def test_the_former_ways_to_name_approvers_stay() -> None:
    none = Policies()
    assert approver_spec("requester").approvers(none) == Approvers()
    assert approver_spec("anyone").approvers(none) == Approvers(requester=False, anyone=True)
    assert approver_spec(["requester", "U1", "key:ci"]).approvers(none) == Approvers(listed=("U1", "key:ci"))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "approvers: paye\n",
            "crew.yaml:19: approvers: must be requester, anyone, a policy's name or a list: ",
        ),
        ("approvers: [finanz]\n", "crew.yaml:19: approvers.0: 'finanz' is no group (groups: finance, legal,"),
        ("approvers: []\n", "crew.yaml:19: approvers: must be requester, anyone, a policy's name, or a list"),
        ("approvers: 7\n", "crew.yaml:19: approvers: must be requester, anyone, a policy's name, or a list"),
        ("approvers:\n", "crew.yaml:19: approvers: must be requester, anyone, a policy's name, or a list"),
        ("cancel: pay\n", "crew.yaml:19: cancel: must be requester, anyone, or a list"),
    ],
)
def test_what_is_wrong_with_who_is_named(tmp_path: Path, lines: str, problem: str) -> None:
    folder(tmp_path, crew=CREW + POLICIES + lines)
    assert [each[: len(problem)] for each in problems(tmp_path)] == [problem]


WRONG = [
    ("who: [finance, legal]", "who: [finanec, legal]", "policies.pay.who.0: 'finanec' is no group"),
    ("who: [finance, legal]", "whom: [finance]", "policies.pay.whom: is no key that Crewdeck knows"),
    (
        "who: [finance, legal]",
        "who: [U0ADA, legal]",
        "policies.pay.per_group.finance: finance has seats, but",
    ),
    ("not: [requester]", "not: [anyone]", "policies.pay.not.0: excludes everybody"),
    ("not: [requester]", "not: [legal]", "policies.pay.per_group.legal: has 0 people, and 1 seats"),
    ("not: [requester]", "not: [legal, finance]", "policies.pay.not: excludes everybody whom `who` names"),
    ("legal: 1}", "legal: 4}", "policies.pay.per_group.legal: has 3 people, and 4 seats"),
    ("legal: 1}", "legal: 0}", "policies.pay.per_group.legal: input should be greater than or equal to 1"),
    ("legal: 1}", "sales: 1}", "policies.pay.per_group.sales: 'sales' is no group"),
    ("legal: 1}", "U0ADA: 1}", "policies.pay.per_group.U0ADA: U0ADA is no group, and only groups have"),
    ("per_group: {finance: 1, legal: 1}", "need: 0", "policies.pay.need: input should be greater than or"),
    ("per_group: {finance: 1, legal: 1}", "need: two", "policies.pay.need: input should be a valid integer"),
    ("per_group:", "need: 2\n    per_group:", "policies.pay: takes `need` or `per_group`, not both"),
    (
        "need: 2,",
        "need: 5,",
        "policies.publish.need: can't be satisfied: it needs 5 people, and 4 may decide",
    ),
    ("who: [requester, legal]", "who: [requester]", "policies.publish.need: can't be satisfied: it needs 2"),
    ("who: [requester, legal], ", "", "policies.publish: must say `who` decides, or give seats to groups"),
    (
        "on_reject: counts",
        "on_reject: maybe",
        "policies.publish.on_reject: input should be 'ends' or 'counts'",
    ),
    ("if_too_few: wait", "if_too_few: anyone", "policies.publish.if_too_few: input should be 'fail' or"),
    ("[U0EVE]", "[]", "groups.partners: has no members"),
    ("[U0EVE]", "[u0eve]", "groups.partners.0: 'u0eve' is no group"),
    ("[U0EVE]", "[requester]", "groups.partners.0: requester is nobody's name; name it in a policy's `who`"),
    ("[U0EVE]", "[legal]", "groups.partners.0: legal has partners in it, which goes round in a circle"),
    ("partners: [U0EVE]", "anyone: [U0EVE]", "groups.anyone: anyone has a meaning already"),
    ("partners: [U0EVE]", "U0XYZ: [U0EVE]", "groups.U0XYZ: looks like an id of Slack; use another name"),
    ("partners: [U0EVE]", '"two words": [U0EVE]', "groups.two words: a name has only letters, digits"),
    ("  publish:", "  requester:", "policies.requester: requester has a meaning already"),
]


@pytest.mark.parametrize(("old", "new", "problem"), WRONG)
def test_mistakes_of_a_crew_have_file_line_and_key(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in POLICIES
    folder(tmp_path, crew=CREW + POLICIES.replace(old, new) + "approvers: requester\n")
    first = next(each for each in problems(tmp_path) if problem.split(":", 1)[0] in each)
    assert first.partition(": ")[2][: len(problem)] == problem
    assert first.startswith("crew.yaml:")
    assert not read([tmp_path]).definitions, "a crew with a mistake in its policies does not load"


@pytest.mark.parametrize(("old", "new", "problem"), WRONG)
def test_mistakes_of_a_folder_put_only_those_aside_who_name_them(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text = POLICIES.replace(old, new)
    (tmp_path / "policies.yaml").write_text(text)
    folder(tmp_path, crew=CREW)
    broken = "pay" if "policies.pay" in problem else "publish" if "policies." in problem else None
    if broken is not None:
        folder(tmp_path, "waves", crew=CREW + f"approvers: {broken}\n")
    defined = read([tmp_path])
    told = [str(each) for each in defined.problems if each.file.name == "policies.yaml"]
    assert any(f": {problem}" in each for each in told)
    assert [*defined.definitions] == ["tides"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("policys: {}\n", "policies.yaml:1: policys: is no key that Crewdeck knows"),
        ("- pay\n", "policies.yaml:1: must have the keys groups and policies"),
        ("policies: [pay]\n", "policies.yaml:1: policies: must have names with what they stand for"),
        ("policies: {pay: [U1]}\n", "policies.yaml:1: policies.pay: must have keys with values below it"),
        ("groups: {finance: U1}\n", "policies.yaml:1: groups.finance: must be a list of members"),
        ("groups: {finance: [1]}\n", "policies.yaml:1: groups.finance: must be a list of members"),
        ("policies: {\n", "policies.yaml:2: is no YAML"),
    ],
)
def test_what_is_wrong_with_the_file_itself(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "policies.yaml").write_text(text)
    folder(tmp_path, crew=CREW + "approvers: pay\n")
    found = [str(each).removeprefix(f"{tmp_path}/") for each in read([tmp_path]).problems]
    assert any(each.startswith(problem) for each in found)
    assert any("there is no policy 'pay'" in each or "has a mistake itself" in each for each in found)
    assert not read([tmp_path]).definitions


def test_a_name_has_one_meaning(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    folder(tmp_path, crew=CREW + "groups:\n  finance: [U0EVE]\napprovers: requester\n")
    assert problems(tmp_path) == [
        "crew.yaml:10: groups.finance: is in policies.yaml, too; give one of them another name"
    ]


# ── Python ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_policy_in_python() -> None:
    pay = Policy(who=["finance"], not_=["requester"], need=2, groups={"finance": ["@finance", "U0EVE"]})
    declared = crew(title="Pay", approvers=pay)(lambda _inputs: None)
    policy = card_of("pay", declared).approvers.policy
    assert policy is not None
    assert (policy.need, policy.groups[0].members) == (2, ("slack::@finance", "slack::U0EVE"))


def test_policies_in_python_by_name() -> None:
    declared = crew(
        title="Pay",
        approvers="pay",
        groups={"finance": ["U0EVE", "U0ADA"]},
        policies={"pay": {"who": ["finance"], "need": 2}},
    )(lambda _inputs: None)
    policy = card_of("pay", declared).approvers.policy
    assert policy is not None
    assert policy.name == "pay"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            {"approvers": "pay"},
            "crewdeck.crew: approvers: must be requester, anyone, a policy's name or a list",
        ),
        ({"approvers": ["finanz"]}, "crewdeck.crew: approvers.0: 'finanz' is no group"),
        (
            {"policies": {"pay": {"who": ["finanz"]}}},
            "crewdeck.crew: policies.pay.who.0: 'finanz' is no group",
        ),
        ({"groups": {"finance": []}}, "crewdeck.crew: groups.finance: has no members"),
    ],
)
def test_mistakes_in_python(keys: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        crew(title="Pay", **keys)  # type: ignore[arg-type]
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"who": ["finance"]},
        {"who": ["U1"], "need": 2},
        {"who": ["U1"], "not_": ["U1"]},
        {"who": ["U1"], "nead": 1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_when_it_is_made(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Policy.model_validate(arguments)


# ── nothing falls back to anyone ────────────────────────────────────────────────────────────────────────

NAMES = st.sampled_from(
    ["requester", "anyone", "finance", "legal", "partners", "U0ADA", "U0EVE", "key:erp", "@finance", "nobody"]
)


GROUPS = {"finance": ["@finance", "U0EVE"], "legal": ["U0ADA", "partners"], "partners": ["U0EVE"]}


def meant(names: list[str]) -> set[str]:
    """Whom the names stand for, worked out independently of the code."""
    plain = {"requester": {"U0ADA"}, "finance": {"U0EVE"}, "legal": {"U0ADA", "U0EVE"}, "partners": {"U0EVE"}}
    return set().union(*(plain.get(name, {name}) for name in names))


@given(
    who=st.lists(NAMES, min_size=1, max_size=4), excluded=st.lists(NAMES, max_size=3), need=st.integers(1, 4)
)
def test_whatever_a_policy_says_it_admits_only_who_is_named(
    who: list[str], excluded: list[str], need: int
) -> None:
    try:
        policy = Policy.model_validate({"who": who, "not": excluded, "need": need, "groups": GROUPS})
    except ValueError:
        return
    resolved = policy_for(Approvers(requester=False, policy=policy.definition()), ADA)
    assert (ANYONE in resolved.deciders) is ("anyone" in who)
    for somebody in (ADA, EVE, BOB):
        named = somebody.user_id in meant(who) or "anyone" in who
        assert can_decide(somebody, resolved) is (named and somebody.user_id not in meant(excluded))


def test_a_choice_without_its_policy_is_an_error() -> None:
    with pytest.raises(KeyError):
        ApproverSpec(policy="pay").approvers(Policies())
