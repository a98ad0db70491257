"""Places and messages of chat platforms come out of the store as they went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.runs.place import Place
from bot.surfaces.chat.message_keys import (
    direct_question,
    is_direct,
    is_orphaned_opener,
    orphaned_opener,
    orphaned_question,
    question_of,
)
from bot.surfaces.chat.places import ChatPlace, MessageRef

#: Whatever identifies something on a platform; a slash separates the parts of a stored reference.
IDS = st.text(st.characters(codec="ascii", min_codepoint=33, exclude_characters="/"), min_size=1, max_size=40)
SURFACES = st.sampled_from(["slack", "teams"])


@given(SURFACES, IDS, IDS, st.none() | IDS)
def test_places_round_trip(surface: str, tenant: str, channel: str, thread: str | None) -> None:
    place = ChatPlace(surface, tenant, channel, thread)
    assert ChatPlace.decode(place.encode(), surface) == place


@given(IDS, IDS)
def test_messages_round_trip(channel: str, message_id: str) -> None:
    posted = MessageRef(channel, message_id)
    assert MessageRef.decode(posted.encode()) == posted


def test_what_is_stored_of_slacks_places_is_as_it_was() -> None:
    place = ChatPlace("slack", "T1", "C1", "1700.1").encode()
    assert place == Place(surface="slack", tenant="T1", ref="C1/1700.1", group="slack:T1:C1")
    assert ChatPlace("slack", "T1", "C1").encode().ref == "C1/"


def test_a_place_on_another_surface_is_refused() -> None:
    with pytest.raises(ValueError, match="not a place on teams"):
        ChatPlace.decode(Place(surface="slack", ref="C1/1.1"), "teams")


@pytest.mark.parametrize("ref", ["", "C1", "C1/", "/1.1"])
def test_what_is_no_message_is_refused(ref: str) -> None:
    with pytest.raises(ValueError, match="not a message"):
        MessageRef.decode(ref)


def test_orphaned_messages_have_keys_of_their_own() -> None:
    posted = MessageRef("C1", "1700.1")
    assert is_orphaned_opener(orphaned_opener(posted))
    assert question_of(orphaned_question("q1", posted)) == "q1"
    assert is_direct(direct_question("q1", "U1"), "q1")
    assert not is_direct(orphaned_question("q1", posted))
