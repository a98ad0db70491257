"""Each kind of question and of input, at a terminal."""

from tests.scenario.server import Server
from tests.scenario.terminal.person import DOWN, ENTER, UP, person


def test_a_choice_is_among_its_options(server: Server) -> None:
    with person(server.url, "start", "pick", "colour") as ada:
        ada.sees("Which colour?", "red", "green", "blue", "Answer in words")
        ada.types(DOWN + DOWN + UP + ENTER)
        ada.sees("You decided: green", "The crew heard: ")
        assert ada.leaves() == 0


def test_an_open_question_is_answered_in_words_and_not_with_nothing(server: Server) -> None:
    with person(server.url, "start", "tell", "the moon") as ada:
        ada.sees("What about the moon?", "Enter sends")
        ada.types(ENTER)
        ada.sees("Nothing is written")
        ada.types("It pulls." + ENTER)
        ada.sees("You decided: It pulls.", "The crew heard: ")
        assert ada.leaves() == 0


def test_a_review_shows_the_draft_and_takes_changes(server: Server) -> None:
    with person(server.url, "start", "review", "ebb") as ada:
        ada.sees("A draft about ebb", "Approve", "Edit and approve", "Reject", "Request changes")
        ada.types("4")
        ada.sees("Enter sends")
        ada.types(ENTER)  # nothing written leads back
        ada.sees("Request changes")
        ada.types("4")
        ada.sees("Enter sends")
        ada.types("Longer." + ENTER)
        ada.sees("You decided: Longer.", "(round 2)", "Request changes")
        ada.types("1")
        ada.sees("You decided: Approve", "Completed")
        assert ada.leaves() == 0


def test_inputs_are_asked_for_by_their_type(server: Server) -> None:
    with person(server.url, "start", "form", "tone=playful", "urgent=yes") as ada:
        ada.sees("topic", "What it is about")
        ada.types("tides" + ENTER)
        ada.sees("body", "Enter sends")
        ada.types("one\x1b\rtwo" + ENTER)
        ada.sees("count")
        ada.types("many" + ENTER)
        ada.sees("It must be a whole number, not 'many'")
        ada.types("\x15" + "3" + ENTER)
        ada.sees("Completed", "tides, one", "two, 3, 0.5, True, playful,")
        assert ada.leaves() == 0
