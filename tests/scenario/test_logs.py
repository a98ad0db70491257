"""The log as an operator reads it: what a process that logs leaves on its standard error."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.server import Server
from tests.waiting import WITHIN

REPOSITORY = Path(__file__).resolve().parents[2]

SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-0123456789-abcdef",
    "SLACK_APP_TOKEN": "xapp-1-A0-0123456789",
    "SLACK_SIGNING_SECRET": 'a "quoted\\ secret',
    "CREWDECK_REDIS_URL": "redis://ada:lovelace@127.0.0.1:6379/0",
}

PREAMBLE = """
import logging, structlog
from bot import logging as logs
from bot.settings import load

settings = load()
logs.configure(settings)
log = structlog.get_logger("a.module")
secrets = logs.secrets_of(settings)
"""


def environment(**extra: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **SECRETS, **extra}


def written(script: str, **extra: str) -> str:
    """What a process that runs `script` after setting up the log leaves on standard error."""
    done = subprocess.run(
        [Server.python(), "-c", PREAMBLE + script],
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=WITHIN,
    )
    assert done.stdout == ""
    return done.stderr


def records(script: str, **extra: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(script, **extra).splitlines()]


def test_programs_get_json_with_the_run_and_the_question() -> None:
    [record] = records('log.info("A question was answered", run_id="r1", question_id="q1")')
    assert record["message"] == "A question was answered"
    assert (record["run_id"], record["question_id"]) == ("r1", "q1")
    assert (record["level"], record["logger"]) == ("info", "a.module")
    assert record["timestamp"].endswith("Z")


def test_people_at_a_terminal_get_text() -> None:
    ours, theirs = pty.openpty()
    script = PREAMBLE + 'log.info("Stopping", run_id="r1")'
    subprocess.run(
        [sys.executable, "-c", script], env=environment(), stderr=theirs, check=True, timeout=WITHIN
    )
    os.close(theirs)
    line = os.read(ours, 65536).decode()
    os.close(ours)
    assert "Stopping" in line
    assert not line.startswith("{")


def test_fields_can_be_bound_for_all_that_happens_in_a_block() -> None:
    [record] = records(
        'with structlog.contextvars.bound_contextvars(run_id="r7"):\n    logging.getLogger("x").warning("hm")'
    )
    assert (record["run_id"], record["message"], record["logger"]) == ("r7", "hm", "x")


def test_the_level_holds_for_everybody() -> None:
    script = 'log.info("no"); logging.getLogger("x").info("no"); log.warning("yes")'
    assert [record["message"] for record in records(script, CREWDECK_LOG_LEVEL="WARNING")] == ["yes"]


EVERYWHERE = """
for s in secrets:
    log.info("hello " + s)
    log.info("hello", value=s, nested={"list": [s], s: 1})
    logging.getLogger("redis").warning("hello %s", s)
    logging.getLogger("aiohttp.server").error("hello", extra={"value": s})
    try:
        raise ValueError(s)
    except ValueError:
        log.exception("hello")
        logging.exception("hello")
"""


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_setting_is_ever_written(log_format: str) -> None:
    text = written(EVERYWHERE, CREWDECK_LOG_FORMAT=log_format)
    assert text.count("hello") == 6 * (len(SECRETS) + 1)
    for secret in (*SECRETS.values(), "lovelace", "quoted"):
        assert secret not in text


def test_what_looks_like_a_token_is_never_written() -> None:
    tokens = [
        "xoxb-999999999-other",
        "xoxe.xoxp-1-abcdefgh",
        "xapp-1-A9-999-other",
        "sk-proj-abcdefghijk",
        "gsk_abcdefghijk",
        "Bearer abcdefghijk",
    ]
    found = records(f"for token in {tokens!r}: log.info('hello ' + token, value=token)")
    assert [record["message"] for record in found] == ["hello [redacted]"] * len(tokens)
    assert [record["value"] for record in found] == ["[redacted]"] * len(tokens)


def test_ordinary_words_stay_readable() -> None:
    words = "task-force desk-abcdefghijkl risk-assessment xbox-controller https://example.com/a@b"
    assert words in written(f"log.info({words!r})")


def test_vendors_speak_up_at_warning_only() -> None:
    script = """
for name in ("slack_bolt.AsyncApp", "slack_sdk.web", "aiohttp.access", "asyncio"):
    logging.getLogger(name).info("what people wrote")
    logging.getLogger(name).warning("trouble")
"""
    assert [record["message"] for record in records(script)] == ["trouble"] * 4


def test_crewai_doesnt_tell_of_every_tool_and_call() -> None:
    script = """
def say(path):
    words = "logging.info('a tool'); logging.warning('trouble')"
    exec(compile(words, path, "exec"))
say("/site-packages/crewai/llms/openai.py")
say("/crews/mine/tools.py")
logging.getLogger("crewai.llms.base_llm").warning("Using an approximate input token count for %r: ...", "m")
"""
    assert [record["message"] for record in records(script)] == ["trouble", "a tool", "trouble"]


def test_what_crewai_quotes_of_a_provider_is_left_out() -> None:
    script = """
def say(path):
    words = "logging.error('OpenAI API call failed: the key geheim123 of %s is wrong', 'Ada', exc_info=True)"
    exec(compile(words, path, "exec"))
try:
    raise ValueError("geheim123")
except ValueError:
    say("/site-packages/crewai/llms/openai.py")
"""
    assert "geheim123" not in written(script)
    assert [record["message"] for record in records(script)] == ["OpenAI API call failed"]


def test_what_sounds_like_a_secret_in_the_environment_is_never_written() -> None:
    found = records(
        "log.info('hello 0a1b2c3d4e and /etc/key.json')", AZURE_API_KEY="0a1b2c3d4e", MY_KEY="/etc/key.json"
    )
    assert [record["message"] for record in found] == ["hello [redacted] and /etc/key.json"]
    from_a_file = records("log.info('hello 0a1b2c3d4e.')", AZURE_API_KEY="0a1b2c3d4e\n")
    assert [record["message"] for record in from_a_file] == ["hello [redacted]."]


def test_what_is_concealed_later_is_not_written_from_then_on() -> None:
    found = records("log.info('hello 0a1b2c'); logs.conceal('0a1b2c'); log.info('hello 0a1b2c')")
    assert [record["message"] for record in found] == ["hello 0a1b2c", "hello [redacted]"]


def test_a_vendors_complaint_comes_without_the_message_that_it_quotes() -> None:
    script = """
body = {"event": {"text": "our merger"}}
logging.getLogger("slack_bolt.AsyncApp").warning(f"Unhandled request ({body})\\nour merger")
logging.getLogger("slack_sdk.socket_mode").error("Failed: %s", body)
"""
    assert "our merger" not in written(script)
    assert [record["message"] for record in records(script)] == ["Unhandled request", "Failed:"]
