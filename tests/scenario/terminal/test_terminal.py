"""The commands of the terminal, by a person on a real one, with a real server and the demo crew."""

import json
import urllib.request

from tests.scenario.server import Server
from tests.scenario.terminal.person import CTRL_C, DOWN, ENTER, person, piped
from tests.waiting import WITHIN

TOPIC = "topic=tide mills"
QUICK = "pace=0"
QUESTION = "Shall I publish this note about tide mills?"


def call(server: Server, path: str, body: object = None) -> dict[str, object]:
    """Somebody else, over the API."""
    request = urllib.request.Request(server.url + path)  # noqa: S310
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=WITHIN) as answer:  # noqa: S310
        found: dict[str, object] = json.loads(answer.read())
        return found


def waiting(server: Server) -> dict[str, str]:
    """The question that waits."""
    found = call(server, "/questions")["questions"]
    assert isinstance(found, list)
    [question] = found
    assert isinstance(question, dict)
    return question


def test_a_run_is_started_answered_with_the_arrow_keys_and_shown_to_its_end(server: Server) -> None:
    with person(server.url, "start", "demo", TOPIC, QUICK, executed=True) as ada:
        ada.sees("Demo", "1/2 look_up", QUESTION, "Approve", "Reject", "Answer in words")
        ada.types(DOWN + ENTER)
        ada.sees(
            "You decided: Reject", "Completed", "The decision on the note about tide mills: local rejected."
        )
        ada.sees_no("Answer in words")
        assert ada.leaves() == 0


def test_what_is_missing_is_asked_for(server: Server) -> None:
    with person(server.url, "start", "demo", QUICK) as ada:
        ada.sees("topic", "What the note is about")
        ada.types(ENTER)
        ada.types("tide mills" + ENTER)
        ada.sees(QUESTION)
        ada.types("1")
        ada.sees("You decided: Approve", "Completed")
        assert ada.leaves() == 0


def test_an_answer_in_words_may_have_several_lines(server: Server) -> None:
    with person(server.url, "start", "demo", QUICK, "tide", "mills") as ada:
        ada.sees(QUESTION, "Answer in words")
        ada.types("3")
        ada.sees("Enter sends")
        ada.types("Shorter,\x1b\rplease." + ENTER)
        ada.sees("You decided: Shorter,", "please.", "Completed")
        assert ada.leaves() == 0


def test_long_text_is_written_in_the_editor(server: Server) -> None:
    script = """python3 -c 'import sys; open(sys.argv[1], "w").write("Written elsewhere.")'"""
    with person(server.url, "start", "demo", TOPIC, QUICK, env={"EDITOR": script}) as ada:
        ada.sees(QUESTION, "Answer in words")
        ada.types("3")
        ada.sees("Enter sends")
        ada.types("\x18\x05")
        ada.sees("Written elsewhere.")
        ada.types(ENTER)
        ada.sees("You decided: Written elsewhere.", "Completed")
        assert ada.leaves() == 0


def test_who_is_slower_sees_who_decided_what(server: Server) -> None:
    with person(server.url, "start", "demo", TOPIC, QUICK) as ada:
        ada.sees(QUESTION, "Answer in words")
        call(server, f"/questions/{waiting(server)['question_id']}/answer", {"action": "reject"})
        ada.sees("local decided over the API: Reject", "Completed")
        ada.sees_no("Answer in words")
        assert ada.leaves() == 0


def test_ctrl_c_cancels_a_run_that_asks(server: Server) -> None:
    with person(server.url, "start", "demo", TOPIC, QUICK) as ada:
        ada.sees(QUESTION, "Answer in words")
        ada.types(CTRL_C)
        ada.sees("Leave this run?", "Cancel the run")
        ada.types("2")
        ada.sees("Cancelled by local")
        assert ada.leaves() == 1


def test_ctrl_c_leaves_a_run_that_works_and_follow_comes_back(server: Server) -> None:
    with person(server.url, "start", "demo", TOPIC, "pace=0.6", executed=True) as ada:
        ada.sees("1/2 look_up")
        ada.types(CTRL_C)
        ada.sees("Leave this run?")
        ada.types(ENTER)
        ada.sees("Come back with: crewdeck follow ")
        assert ada.leaves() == 130
        run_id = ada.screen.split("crewdeck follow ")[1].split()[0]
    with person(server.url, "follow", run_id) as ada:
        ada.sees("1/2 look_up", QUESTION, "Answer in words")
        ada.types(ENTER)
        ada.sees("You decided: Approve", "Completed")
        assert ada.leaves() == 0


def test_a_run_that_ends_meanwhile_takes_the_question_whether_to_leave_away(server: Server) -> None:
    with person(server.url, "start", "demo", TOPIC, QUICK) as ada:
        ada.sees(QUESTION, "Answer in words")
        ada.types(CTRL_C)
        ada.sees("Leave this run?")
        call(server, f"/questions/{waiting(server)['question_id']}/answer", {"action": "approve"})
        ada.sees("local decided over the API: Approve", "Completed")
        ada.sees_no("Leave this run?")
        assert ada.leaves() == 0


def test_the_inbox_shows_what_waits_and_answers_it(server: Server) -> None:
    with person(server.url, "inbox") as ada:
        ada.sees("Nothing waits for an answer")
        started = call(server, "/crew/start", {"crew": "demo", "inputs": {"topic": "bicycles", "pace": 0}})
        ada.sees("What waits for an answer", "Shall I publish this note about bicycles?")
        ada.types(ENTER)
        ada.sees("A bicycle stays up by itself", "Answer in words")
        ada.types(ENTER)
        ada.sees("You decided: Approve")
        ada.types(CTRL_C)
        assert ada.leaves() == 0
    assert piped(server.url, "follow", str(started["run_id"])).returncode == 0


def test_a_question_is_answered_by_its_id(server: Server) -> None:
    run_id = call(server, "/crew/start", {"crew": "demo", "inputs": {"topic": "bicycles", "pace": 0}})[
        "run_id"
    ]
    server.wait_for(lambda: call(server, "/questions")["questions"])
    question = waiting(server)["question_id"]
    with person(server.url, "answer", question) as ada:
        ada.sees("Shall I publish this note about bicycles?", "Reject")
        ada.types("2")
        ada.sees("You decided: Reject")
        assert ada.leaves() == 0
    late = piped(server.url, "answer", question, "approve")
    assert (late.returncode, late.stdout) == (1, b"")
    assert late.stderr == b"crewdeck: local decided over the API: Reject\n"
    assert piped(server.url, "follow", str(run_id)).returncode == 0
