"""Outside of Crewdeck, as under `crewai run`, the person at the terminal is asked; without one, nobody is."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.crews.deployment import environment
from tests.contract.crews.features import shows
from tests.loopback.models import LoopbackModel, call, say
from tests.waiting import WITHIN

ANSWERS = {
    "crew": ["Playful"],
    "options": ["", "2"],
    "form": ["Ada", "many", "3"],
    "declined": ["decline"],
    "approved": ["approve"],
    "in words": ["yes, do"],
    "awaited": ["me"],
    "paid": ["yes", "approve"],
    "not paid": ["reject"],
    "sent by one tool": ["approve"],
    "sent by CrewAI": ["approve"],
    "sent by a copy": ["approve"],
    "wired": ["approve"],
    "sent by what is inherited": ["approve"],
    "sent by what is derived": ["approve"],
    "published": ["Approve"],
}


def started(
    python: str, names: list[str], model: LoopbackModel, folder: Path, **streams: Any
) -> subprocess.Popen[bytes]:
    program = [python, "-m", "tests.contract.crews.terminal_program", ",".join(names)]
    env = environment(folder) | {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": model.base_url,
        "OPENAI_API_BASE": model.base_url,
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_TRACING_ENABLED": "false",
        "CREWAI_STORAGE_DIR": str(folder / "crewai"),
    }
    return subprocess.Popen(program, cwd=folder, env=env, **streams)


def results(output: str) -> dict[str, Any]:
    line = next(line for line in output.splitlines() if line.startswith("RESULTS "))
    found: dict[str, Any] = json.loads(line.removeprefix("RESULTS "))
    return found


@pytest.fixture(scope="module")
def at_a_terminal(python: str, model: LoopbackModel, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a program shows to a person who answers everything."""
    model.script("terminal", [call("ask_human", question="Which tone?"), say("{last}")])
    ours, theirs = pty.openpty()
    folder = tmp_path_factory.mktemp("plain")
    process = started(python, [*ANSWERS], model, folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, "".join(f"{line}\n" for lines in ANSWERS.values() for line in lines).encode())
    shown = b""
    while b"RESULTS" not in shown or not shown.endswith(b"\n"):
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the program has ended
            break
    process.wait(WITHIN)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


@shows("Outside of Crewdeck")
def test_answers_are_what_they_are_in_a_run(at_a_terminal: str) -> None:
    came = results(at_a_terminal)
    assert "answered: Playful" in came["crew"]
    assert came["options"] == "Playful"
    assert came["form"] == {"customer": "Ada", "amount": 3}
    assert came["declined"].startswith("NotAnswered")
    assert came["awaited"] == "me"


@shows("Outside of Crewdeck")
def test_only_the_word_approves(at_a_terminal: str) -> None:
    came = results(at_a_terminal)
    assert came["approved"] == [True, ""]
    assert came["in words"] == [False, "yes, do"]
    assert came["paid"] == "paid 3 to Ada"
    assert "Only the word approve approves" in at_a_terminal
    assert came["not paid"].startswith("NotApproved")
    assert came["published"] == "published this"


def test_tools_are_guarded_wherever_their_methods_come_from(at_a_terminal: str) -> None:
    came = results(at_a_terminal)
    assert came["sent by one tool"] == "sent 3"
    assert came["sent by CrewAI"] == "sent 4"
    assert came["sent by a copy"] == "sent 5"
    assert came["wired"] == "wired 6"
    assert came["sent by what is inherited"] == "sent 7"
    assert came["sent by what is derived"] == "sent 8 twice"
    assert at_a_terminal.count("  amount: 8\n") == 1, "one call is shown once"


def test_what_is_approved_is_shown_completely_and_literally(at_a_terminal: str) -> None:
    assert "The whole[U+202E]text" in at_a_terminal
    assert "amount: 3\n  to: 'Ada'\n  pin: '(hidden)'\n" in at_a_terminal
    assert "1234" not in at_a_terminal


@shows("Outside of Crewdeck")
def test_without_a_terminal_nobody_is_asked_and_nothing_is_approved(
    python: str, model: LoopbackModel, tmp_path: Path
) -> None:
    model.script("terminal", [call("ask_human", question="Which tone?"), say("{last}")])
    asked = [name for name in ANSWERS if name != "declined"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = started(python, asked, model, tmp_path, **pipes)
    output, _ = process.communicate(b"approve\n" * 40, timeout=WITHIN * 2)
    for name, came in results(output.decode()).items():
        assert "Nobody was asked, and nothing is approved" in came, (name, came)
        assert name == "crew" or came.startswith(("NoTerminal", "NotApproved")), came
