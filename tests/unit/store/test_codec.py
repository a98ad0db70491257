"""A run that has just been started is not parsed: it is what parsing it would have made."""

import json

import pytest

from bot.core.errors import UnreadableRecord
from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor, Membership
from bot.core.people.policy import Approvers, PolicyDefinition, policy_for
from bot.core.questions.question import Deadline
from bot.core.runs.crew import Crew
from bot.core.runs.place import Place
from bot.core.runs.run import NewRun, Run
from bot.store.codec import RUN_FIELDS, SentRun, read_run

ADA = Actor(
    surface="slack",
    tenant="T1",
    user_id="U1",
    name="Ada",
    membership=Membership.GUEST,
    linked=("http::key:ada",),
)
FINANCE = PolicyDefinition.model_validate(
    {"name": "pay", "who": ["U1", "U2"], "not": ["requester"], "need": 2}
)
CREW = Crew(
    name="pay",
    title="Pay",
    inputs=(
        Field(name="amount", type=FieldType.NUMBER, min=0.5, max=10, default=1.5),
        Field(name="tags", type=FieldType.MULTI_CHOICE, choices=("a", "b"), default=("a",)),
        Field(name="invoice", type=FieldType.FILE, accept=("pdf",), max_size=1000),
    ),
    approvers=Approvers(policy=FINANCE),
    allowed_memberships=(Membership.MEMBER, Membership.GUEST),
    policies=(FINANCE,),
    deadlines={"": Deadline(after=3600)},
)
PLACE = Place(surface="slack", tenant="T1", ref="C1/", group="slack:T1:C1")
NEW = NewRun(
    id="r1",
    crew=CREW,
    inputs={"amount": 2.0, "tags": ["b"], "deep": {"a": [None, True, "\N{SNOWMAN}"]}},
    requester=ADA,
    approvers=policy_for(CREW.approvers, ADA, CREW.allowed_memberships),
    cancellers=policy_for(CREW.cancellers, ADA, CREW.allowed_memberships),
    place=PLACE,
    awaiting_thread=True,
    followers=(PLACE.model_copy(update={"surface": "teams"}),),
)


def stored(spec: str, **fields: str) -> list[str | None]:
    """What the store has of a run that was just started."""
    known = {"version": "1", "state": "awaiting_thread", "status": "queued", "created_at": "1700000000000"}
    known |= {"place": PLACE.model_dump_json(), "seq": "1", "epoch": "0", "spec": spec}
    return [(known | fields).get(name) for name in RUN_FIELDS]


def test_a_run_as_it_was_sent_is_what_parsing_it_makes() -> None:
    sent = SentRun(NEW)
    run, parsed = read_run("r1", stored(sent.spec), sent), read_run("r1", stored(sent.spec))
    assert isinstance(run, Run)
    assert isinstance(parsed, Run)
    assert run == parsed
    assert run.model_dump_json() == parsed.model_dump_json()
    assert run.crew is CREW
    assert parsed.crew is not CREW


def test_what_is_stored_counts_where_another_request_had_started_the_run() -> None:
    earlier = NEW.model_copy(update={"inputs": {"amount": 9.0}})
    run = read_run("r1", stored(SentRun(earlier).spec), SentRun(NEW))
    assert run is not None
    assert run.inputs == {"amount": 9.0}
    assert read_run("r1", stored(SentRun(earlier).spec, state="queued", status="running"), SentRun(NEW)) == (
        read_run("r1", stored(SentRun(earlier).spec, state="queued", status="running"))
    )


def test_a_run_as_it_was_sent_is_read_from_no_newer_release() -> None:
    sent = SentRun(NEW)
    with pytest.raises(UnreadableRecord):
        read_run("r1", stored(sent.spec, version="999"), sent)
    with pytest.raises(UnreadableRecord):
        read_run("r1", stored(json.dumps([1])), sent)
