"""The list of crews is made once for each catalogue, and for each kind of person."""

from bot.core.people.actor import Actor, Membership
from bot.core.runs.crew import Crew, CrewProblem
from bot.surfaces.chat.wording.crew_list import CrewLists
from bot.surfaces.slack.renderer import LIMITS, render_message

ADA = Actor(surface="slack", tenant="T0", user_id="U0ADA")
GUEST = ADA.model_copy(update={"membership": Membership.GUEST})
OPEN = Crew.model_validate({"name": "open", "title": "Open", "admits": ["member", "guest"]})
CLOSED = Crew(name="closed", title="Closed")
CREWS = {"open": OPEN, "closed": CLOSED}
BROKEN = (CrewProblem(name="broken", problem="A mistake.", remedy="Mend it."),)


def test_the_same_catalogue_is_listed_once_and_another_one_anew() -> None:
    lists = CrewLists(LIMITS)
    first = lists.shown(CREWS, (), ADA)
    assert lists.shown(CREWS, (), ADA) is first
    assert "closed" not in render_message(lists.shown({"open": OPEN}, (), ADA))["text"]
    assert "broken" in render_message(lists.shown(CREWS, BROKEN, ADA))["text"]


def test_nobody_gets_the_list_of_others() -> None:
    lists = CrewLists(LIMITS)
    assert "closed" in render_message(lists.shown(CREWS, (), ADA))["text"]
    admin = GUEST.model_copy(update={"admin": True})
    for person, names in ((ADA, True), (GUEST, False), (admin, True)):
        listed = render_message(lists.shown(CREWS, BROKEN, person))["text"]
        assert "open" in listed
        assert ("closed" in listed, "broken" in listed) == (names, names)
