"""What people type, and what it is taken for."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import InvalidInputs
from bot.core.forms.fields import Field, FieldType
from bot.core.runs.crew import Crew
from bot.surfaces.chat.inbound import parser
from bot.surfaces.chat.inbound.parser import (
    Cancel,
    Command,
    Help,
    LinkIdentity,
    ListCrews,
    Start,
    Status,
    UnlinkIdentity,
    looks_like_command,
    nearest,
    parse,
)
from bot.surfaces.slack.inbound import words
from tests.linear import LINEAR, growth

CREW = Crew(
    name="announcement",
    title="Announcement",
    main_input="topic",
    inputs=(
        Field(name="topic", required=True),
        Field(name="tone", type=FieldType.CHOICE, choices=("plain", "playful"), default="plain"),
    ),
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("", Help()),
        ("   ", Help()),
        ("help", Help()),
        ("HELP me", Help()),
        ("list", ListCrews()),
        ("status", Status()),
        ("status 1a2b3c4d", Status("1a2b3c4d")),
        ("status `1A2B3C4D`", Status("1a2b3c4d")),
        ("cancel", Cancel()),
        ("Cancel 1a2b3c4d please", Cancel("1a2b3c4d")),
        ("start", Start("")),
        ("start demo", Start("demo")),
        ('  start   demo   topic="tide mills" ', Start("demo", 'topic="tide mills"')),
        ("start demo\ntide mills", Start("demo", "tide mills")),
        ("start\ndemo tides", Start("demo", "tides")),
        ("start\u00a0demo\u00a0topic=x", Start("demo", "topic=x")),
        ("start\u3000demo\u2009tides", Start("demo", "tides")),
        ("status\t1a2b3c4d", Status("1a2b3c4d")),
        ("strat demo", Help(unknown="strat demo")),
        ("\u200bstart demo\u200b topic=x", Start("demo", "topic=x")),
        ("\ufeffcan\u2060cel 1a2b3c4d", Cancel("1a2b3c4d")),
        ("/start demo topic=x", Start("demo", "topic=x")),
        ("/crew start demo topic=x", Start("demo", "topic=x")),
        ("/Crew\u00a0list", ListCrews()),
        ("/crew", Help()),
        ("/crew strat demo", Help(unknown="strat demo")),
    ],
)
def test_the_first_word_says_what_is_wanted(text: str, command: parser.Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    ("rest", "values"),
    [
        ("", {}),
        ("tide mills", {"topic": "tide mills"}),
        ('"tide mills"', {"topic": "tide mills"}),
        ("“tide mills”", {"topic": "tide mills"}),
        ("\u200btopic=tides \ufefftone=playful", {"topic": "tides", "tone": "playful"}),
        ('topic="tide mills" tone=playful', {"topic": "tide mills", "tone": "playful"}),
        ("topic=“tide mills”", {"topic": "tide mills"}),
        ("topic='tide mills'", {"topic": "tide mills"}),
        ("topic=\u2018tide mills\u2019", {"topic": "tide mills"}),
        ("topic=«tide mills»", {"topic": "tide mills"}),
        ("topic=tides", {"topic": "tides"}),
        ("topic=", {"topic": ""}),
        ("Topic=tides", {"topic": "tides"}),
        ("tone=playful tide mills of Wales", {"tone": "playful", "topic": "tide mills of Wales"}),
        ("tide mills tone=playful", {"tone": "playful", "topic": "tide mills"}),
        ("why a=b matters", {"topic": "why a=b matters"}),
        ("the miller's wheel", {"topic": "the miller's wheel"}),
        ('say "hello" to all', {"topic": 'say "hello" to all'}),
        ("topic='the miller's wheel'", {"topic": "the miller's wheel"}),
        ("topic=„tide mills“ tone=playful", {"topic": "tide mills", "tone": "playful"}),
        ("topic=»tide mills«", {"topic": "tide mills"}),
        ("topic=»tide mills»", {"topic": "tide mills"}),
        ("topic=\u2019tide mills\u2019", {"topic": "tide mills"}),
        ("topic=‚tide mills\u2018", {"topic": "tide mills"}),
        ("topic=‹tide mills›", {"topic": "tide mills"}),
        ("topic=「tide mills」", {"topic": "tide mills"}),
        ("topic=『tide mills』", {"topic": "tide mills"}),
        ("„tide mills“", {"topic": "tide mills"}),
        ("tone=playful\u3000tide\u00a0mills", {"tone": "playful", "topic": "tide mills"}),
        ("topic=tides\u2009tone=playful", {"topic": "tides", "tone": "playful"}),
        ("topic=tides\ttone=playful", {"topic": "tides", "tone": "playful"}),
        ('"why tone=playful matters"', {"topic": "why tone=playful matters"}),
        ("\u2019tis the miller\u2019s wheel", {"topic": "\u2019tis the miller\u2019s wheel"}),
        ('5" of rain', {"topic": '5" of rain'}),
        ("topic=https://example.org/?a=b", {"topic": "https://example.org/?a=b"}),
        ("1 + 1 = 2", {"topic": "1 + 1 = 2"}),
    ],
)
def test_pairs_are_inputs_and_the_rest_fills_the_main_input(rest: str, values: dict[str, str]) -> None:
    assert parser.given(CREW, rest) == values


def test_an_input_of_exactly_this_name_goes_before_one_in_another_case() -> None:
    fields = tuple(Field(name=name) for name in ("SIZE", "Size", "size", "sizE"))
    for each in fields:
        assert parser.given(Crew(name="tailor", title="Tailor", inputs=fields), f"{each.name}=7") == {
            each.name: "7"
        }


@pytest.mark.parametrize(
    "typed",
    [
        'topic="unclosed', "topic=“tide mills", "topic=„tide mills", "topic=»tide", "topic=「tide",
        "topic='tide mills",
        '"tide mills', 'tone=playful "tide mills', 'topic="a"b',
    ],
)  # fmt: skip
def test_a_quotation_that_is_not_closed_is_said(typed: str) -> None:
    with pytest.raises(InvalidInputs, match="not closed"):
        parser.given(CREW, typed)


@pytest.mark.parametrize(
    ("mark", "closing"), [('"', '"'), ("'", "'"), ("“", "“"), ("«", "»"), ("「", "」"), ("‹", "›")]
)
def test_what_closes_a_quotation_is_said_with_a_key_that_people_have(mark: str, closing: str) -> None:
    with pytest.raises(InvalidInputs, match=f"end it with {closing}$"):
        parser.given(CREW, f"topic={mark}tide mills")


@pytest.mark.parametrize(
    "typed", ["tone= playful", "tone= playful tides", "tides tone = dry", "tone=\u00a0dry", "tone= “dry”"]
)
def test_a_value_that_does_not_follow_its_name_at_once_is_no_free_text(typed: str) -> None:
    with pytest.raises(InvalidInputs, match="tone: has no value"):
        parser.given(CREW, typed)


SPACES = [chr(code) for code in range(0x3001) if chr(code).isspace()]


@pytest.mark.parametrize("space", SPACES, ids=[f"U+{ord(space):04X}" for space in SPACES])
def test_every_kind_of_space_separates_words(space: str) -> None:
    assert parse(f"start{space}announcement{space}x") == Start("announcement", "x")
    assert parser.given(CREW, f"tone=playful{space}topic=x") == {"tone": "playful", "topic": "x"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ['a="x ', "a=«x ", '"', '" ', "'x ", "a= ", "a", "=", "\u3000", "“x ", "x” ", "<", "<a", "&lt;", ":a"],
)
def test_long_commands_take_linear_time(unit: str) -> None:
    def work(times: int) -> None:
        typed = "start announcement " + unit * times
        looks_like_command(words.plain(typed))
        command = parse(words.without_mention(typed, "U0BOT"))
        if isinstance(command, Start):
            with suppress(InvalidInputs):
                parser.given(CREW, command.rest)

    assert growth(work, 10_000) < LINEAR


def test_a_misspelt_input_before_the_free_text_is_noticed() -> None:
    assert parser.given(CREW, "tpoic=tides") == {"tpoic": "tides"}


@pytest.mark.parametrize("rest", ["topic=a topic=b", "topic=a and more words"])
def test_an_input_given_twice_is_refused(rest: str) -> None:
    with pytest.raises(InvalidInputs, match="topic: is given twice"):
        parser.given(CREW, rest)


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("topic=New York", 'a value of several words in quotes (topic="two words")'),
        ('topic="the "old" mills" of Brest', 'a value of several words in quotes (topic="two words")'),
        ("topic=a topic=b", "give it once"),
        ("topic= tides", "write it directly after the ="),
        ('topic="tides', 'end it with "'),
    ],
)
def test_who_cannot_be_understood_reads_what_to_write(rest: str, says: str) -> None:
    with pytest.raises(InvalidInputs) as refused:
        parser.given(CREW, rest)
    assert says in refused.value.problems["topic"]


def test_free_text_is_refused_where_no_input_takes_it() -> None:
    crew = CREW.model_copy(update={"main_input": None})
    with pytest.raises(InvalidInputs, match="takes no free text"):
        parser.given(crew, "tide mills")


@pytest.mark.parametrize(
    ("word", "meant"), [("strat", "start"), ("cancle", "cancel"), ("Stauts", "status"), ("banana", None)]
)
def test_misspelt_words_find_the_nearest_command(word: str, meant: str | None) -> None:
    assert nearest(word, parser.VERBS) == meant
    assert looks_like_command(f"{word} demo") is (meant is not None)
    assert looks_like_command(f"/crew {word} demo") is (meant is not None)


@given(st.text())
def test_any_text_is_some_command(text: str) -> None:
    assert parse(text) is not None


@given(st.text())
def test_any_words_after_a_crew_are_inputs_or_are_refused(text: str) -> None:
    try:
        values = parser.given(CREW, text)
    except InvalidInputs:
        return
    assert all(isinstance(value, str) for value in values.values())


@given(st.text(alphabet=st.characters(blacklist_characters='"“”„‟＂', blacklist_categories=["Cs"])))
def test_a_quoted_value_arrives_as_it_was_typed(value: str) -> None:
    assert parser.given(CREW, f'topic="{value}"') == {"topic": value}


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("link", LinkIdentity()),
        ("Link ABCDE-12345", LinkIdentity("ABCDE-12345")),
        ("link `abcde12345`", LinkIdentity("abcde12345")),
        ("unlink", UnlinkIdentity()),
    ],
)
def test_identities_are_linked_by_command(text: str, command: Command) -> None:
    assert parse(text) == command
    assert looks_like_command(text)


@pytest.mark.parametrize("answer", ["link it to the page", "like the second one", "unlink them, please"])
def test_everyday_words_are_no_commands_about_links(answer: str) -> None:
    assert not looks_like_command(answer)
    assert not isinstance(parse(answer), LinkIdentity | UnlinkIdentity)
