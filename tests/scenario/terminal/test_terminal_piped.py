"""The commands of the terminal in a pipe: JSON lines out, answers from arguments only."""

import json
import socket
import threading
import urllib.request

import pytest

from tests.ports import reserved
from tests.scenario.server import Server
from tests.scenario.terminal.person import piped
from tests.waiting import WITHIN

NOTE = ("start", "demo", "tide mills", "pace=0")


def test_a_run_is_events_line_by_line_as_the_api_sends_them(server: Server) -> None:
    done = piped(server.url, *NOTE, "--answer", "approve")
    assert (done.returncode, done.stderr) == (0, b"")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "run_completed"
    assert "tide mills: local approved" in events[-1]["result"]
    run_id = events[0]["execution_id"]
    with urllib.request.urlopen(f"{server.url}/poll/human-input/{run_id}", timeout=WITHIN) as answer:  # noqa: S310
        assert answer.read() == b'{"events":[' + b",".join(done.stdout.splitlines()) + b"]}"
    later = piped(server.url, "follow", run_id, "--after", events[-2]["event_id"])
    assert (later.returncode, later.stdout) == (0, done.stdout.splitlines(keepends=True)[-1])
    assert piped(server.url, "follow", run_id, "--after", events[-1]["event_id"]).stdout == b""


def test_the_inbox_is_what_is_open_and_answers_are_arguments(server: Server) -> None:
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/crew/start",
        json.dumps({"crew": "demo", "inputs": {"topic": "lighthouses", "pace": 0}}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=WITHIN) as answer:  # noqa: S310
        run_id = json.loads(answer.read())["run_id"]
    server.wait_for(lambda: server.get("/questions")[1]["questions"])
    found = piped(server.url, "inbox")
    question, complete = (json.loads(line) for line in found.stdout.splitlines())
    assert (found.returncode, question["execution_id"]) == (0, run_id)
    assert complete["type"] == "snapshot_complete"
    since = piped(server.url, "inbox", "--after", complete["cursor"])
    assert (since.returncode, since.stdout) == (0, b"")
    lost = piped(server.url, "inbox", "--after", "of another store").stdout.splitlines()
    reset, *kept = (json.loads(line) for line in lost)
    assert reset == {"type": "stream_reset"}
    assert question["question_id"] in [event.get("question_id") for event in kept]
    silent = piped(server.url, "answer", question["question_id"])
    assert (silent.returncode, silent.stdout) == (2, b"")
    given = piped(server.url, "answer", question["question_id"], "reject", "--comment", "Too long.")
    assert given.returncode == 0
    assert json.loads(given.stdout)["human_feedback"] == "Reject: Too long."
    since = piped(server.url, "inbox", "--after", complete["cursor"])
    [settled] = [json.loads(line) for line in since.stdout.splitlines()]
    assert (settled["type"], settled["question_id"]) == ("human_input_completed", question["question_id"])
    assert piped(server.url, "follow", run_id).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "nothing"), "there is no crew 'nothing' (there are: announcement, "),
        (("start", "demo"), "topic"),
        (("start", "demo", "topic=a", "colour=red"), "colour"),
        (("start", "demo", "topic=a", "topic=b"), "topic: is given twice"),
        (("follow", "00000000-0000-4000-8000-000000000000"), "There is no run"),
        (("answer", "00000000-0000-4000-8000-000000000000", "yes"), "There is no question"),
        (
            ("answer", "1234abcd", "yes"),
            "no id of a run or a question. An id has 36 characters: `crewdeck inbox`",
        ),
        (("record", "1234abcd"), "no id of a run or a question. An id has 36 characters: `crewdeck inbox`"),
        (("follow", "1234abcd"), "no id of a run or a question. An id has 36 characters: `crewdeck inbox`"),
    ],
)
def test_a_mistake_is_one_readable_line(server: Server, words: tuple[str, ...], said: str) -> None:
    done = piped(server.url, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("crewdeck: ")
    assert said in line


@pytest.mark.parametrize("words", [("inbox",), ("follow", "00000000-0000-4000-8000-000000000000")])
def test_an_address_below_the_servers_own_is_named(server: Server, words: tuple[str, ...]) -> None:
    done = piped(f"{server.url}/docs", *words)
    assert done.returncode == 2
    [line] = done.stderr.decode().splitlines()
    assert "CREWDECK_URL is the address of the server alone" in line


def test_a_server_that_is_not_there_is_one_readable_line() -> None:
    with reserved(1) as [port]:
        url = f"http://127.0.0.1:{port}"
        done = piped(url, "inbox")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        f"crewdeck: {url} gives no answer: connection refused. Is it running (crewdeck serve)? "
        "CREWDECK_URL says where.\n"
    )


@pytest.mark.parametrize("status", ["404 Not Found", "403 Forbidden"])
def test_another_server_at_the_address_is_named_as_that(status: str) -> None:
    page = "<h1>Somebody else</h1>"
    answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n{page}"
    with socket.create_server(("127.0.0.1", 0)) as other:

        def serve() -> None:
            while True:
                try:
                    caller, _ = other.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(65536)
                    caller.sendall(answer.encode())

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        done = piped(url, "follow", "00000000-0000-4000-8000-000000000000")
        other.shutdown(socket.SHUT_RDWR)
    assert done.returncode == 2
    [line] = done.stderr.decode().splitlines()
    assert line == (
        f"crewdeck: What answers there is no Crewdeck, but answered with status {status[:3]}. "
        "Is it another server, or a proxy? CREWDECK_URL says where."
    )


def test_a_server_with_keys_is_given_one() -> None:
    secret = "s" * 40
    env = {"CREWDECK_WORKERS": "0", "CREWDECK_API_KEYS": f"ops:{secret}:admin"}
    with Server.started(env=env, wait="announced") as locked:
        refused = piped(locked.url, "inbox")
        assert (refused.returncode, refused.stdout) == (2, b"")
        assert refused.stderr.endswith(
            b" CREWDECK_API_KEY holds the key; `crewdeck keys add NAME` makes one.\n"
        )
        admitted = piped(locked.url, "inbox", env={"CREWDECK_API_KEY": secret})
        assert (admitted.returncode, admitted.stderr) == (0, b"")


def test_an_address_that_is_none_is_named() -> None:
    done = piped("localhost:3000", "inbox")
    assert done.returncode == 2
    assert b"CREWDECK_URL (in the environment): " in done.stderr
