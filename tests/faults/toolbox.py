"""Tools that leave a trace, in the workers' processes."""

import json
import os
import time
from pathlib import Path
from typing import Any

from crewai.tools import BaseTool
from pydantic import BaseModel

from crewdeck import attach, current_run, idempotency_key


def leave_trace(mark: str, what: str) -> None:
    with open(os.environ["EFFECTS"], "a") as file:  # noqa: PTH123 - appended to in one write
        file.write(json.dumps({"mark": mark, "what": what}) + "\n")


def first(mark: str, what: str) -> bool:
    """Whether this is done for the first time; it leaves its trace."""
    file = Path(os.environ["EFFECTS"])
    done = map(json.loads, file.read_text().splitlines()) if file.exists() else ()
    before = any(each["mark"] == mark and each["what"] == what for each in done)
    leave_trace(mark, what)
    return not before


class Effect(BaseTool):
    name: str = "effect"
    description: str = "Does something that shows."

    def _run(self, mark: str, what: str, seconds: float = 0.0) -> str:
        leave_trace(mark, what)
        time.sleep(seconds)
        return f"did {what}"


class Keyed(BaseTool):
    name: str = "keyed"
    description: str = "Does something under a key. It takes its time when it does so for the first time."

    def _run(self, mark: str, seconds: float = 0.0) -> str:
        if first(mark, idempotency_key()):
            time.sleep(seconds)
        return idempotency_key()


class Writes(BaseTool):
    name: str = "writes"
    description: str = "Writes a file into the run's folder and attaches it; lists what is there."

    def _run(self, mark: str, name: str) -> str:
        leave_trace(mark, name)
        run = current_run()
        assert run is not None
        path = run.folder / name
        path.write_text(f"about {Path(str(run.inputs['doc'])).read_text()}")
        attach(path)
        found = (each for each in run.folder.rglob("*") if each.is_file())
        return " ".join(sorted(each.relative_to(run.folder).as_posix() for each in found))


class Failing(BaseTool):
    name: str = "failing"
    description: str = "Never works."

    def _run(self, mark: str) -> str:
        leave_trace(mark, "failed")
        raise ValueError("it is closed")


class Facts(BaseTool):
    name: str = "facts"
    description: str = "Returns something structured."

    def _run(self, mark: str) -> dict[str, Any]:
        leave_trace(mark, "facts")
        return {"depth": 3, "names": ["a", "b"]}


class Deadly(BaseTool):
    name: str = "deadly"
    description: str = "Kills its process, a few times."

    def _run(self, deaths: int) -> str:
        died = Path(os.environ["EFFECTS"]).with_name("deaths")
        before = int(died.read_text()) if died.exists() else 0
        if before < deaths:
            died.write_text(str(before + 1))
            os.abort()
        return "survived"


class Report(BaseModel):
    title: str
    pages: int
