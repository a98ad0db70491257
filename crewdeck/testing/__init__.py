"""Tests of crews, with scripted models and people: no Redis, no Slack, no key (docs/testing.md).

def test_the_note_is_published_when_ada_approves():
    model = [call("publish", text="Tides."), "Done."]
    result = run_crew(tides, {"topic": "tides"}, model=model, people=[approve()])
    assert result.output == "Done."
"""

from crews.testing.people import ScriptedAnswer, approve, choose, expire, reject, reply, submit, withdraw
from crews.testing.result import AskedQuestion, AttachedFile, CrewResult, ToolCall
from crews.testing.run import run_crew, run_crew_async
from crews.testing.script import ModelAnswer, ModelCall, ModelScript, call

__all__ = [
    "AskedQuestion",
    "AttachedFile",
    "CrewResult",
    "ModelAnswer",
    "ModelCall",
    "ModelScript",
    "ScriptedAnswer",
    "ToolCall",
    "approve",
    "call",
    "choose",
    "expire",
    "reject",
    "reply",
    "run_crew",
    "run_crew_async",
    "submit",
    "withdraw",
]
