"""What goes into places, buttons and copies comes out again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.runs.place import Place
from bot.surfaces.chat.actions import ANSWERS, Target, choose
from bot.surfaces.chat.places import ChatPlace, MessageRef, group
from bot.surfaces.slack import SURFACE

IDS = st.from_regex(r"[A-Z0-9]{1,12}", fullmatch=True)
STAMPS = st.from_regex(r"[0-9]{10}\.[0-9]{6}", fullmatch=True)
WORDS = st.from_regex(r"[a-z0-9.-]{1,36}", fullmatch=True)


@given(IDS, IDS, st.none() | STAMPS)
def test_places_round_trip(team: str, channel: str, thread_ts: str | None) -> None:
    place = ChatPlace(SURFACE, team, channel, thread_ts)
    assert ChatPlace.decode(place.encode(), SURFACE) == place
    assert place.encode().group == group(SURFACE, team, channel)


@given(IDS, STAMPS)
def test_copies_round_trip(channel: str, ts: str) -> None:
    assert MessageRef.decode(MessageRef(channel, ts).encode()) == MessageRef(channel, ts)


OPTIONS = st.from_regex(r"[a-z0-9.-]{1,18}", fullmatch=True)
DIGESTS = st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")


@given(WORDS, st.just("") | WORDS, st.just("") | OPTIONS, st.just("") | DIGESTS)
def test_targets_round_trip_and_fit_an_option(run: str, question: str, option: str, digest: str) -> None:
    target = Target(run, question, option, digest)
    assert Target.decode(target.encode()) == target
    assert len(target.encode()) <= 150


@pytest.mark.parametrize("value", ["", " ", "a b c d", f"a b c {'A' * 43} e", f"a b c {'A' * 44}"])
def test_what_is_no_target_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="target"):
        Target.decode(value)


def test_a_place_of_another_surface_is_refused() -> None:
    with pytest.raises(ValueError, match="not a place"):
        ChatPlace.decode(Place(surface="http", ref="C1/1.1"), SURFACE)


@pytest.mark.parametrize("ref", ["", "C1", "C1/", "/1.1"])
def test_what_is_no_message_is_refused(ref: str) -> None:
    with pytest.raises(ValueError, match="not a message"):
        MessageRef.decode(ref)


def test_answers_are_recognised_by_their_action() -> None:
    assert ANSWERS.fullmatch(choose("3"))
    assert ANSWERS.fullmatch("answer.approve")
    assert not ANSWERS.fullmatch("open.reply")
