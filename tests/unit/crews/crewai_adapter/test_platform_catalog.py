"""What of CrewAI's catalogue of its platform's apps is in the memory of a worker."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import WITHIN

LOADED = """
import sys
from bot import settings
from crews.definitions.defined_crews import DefinedCrews
from crews.worker import worker
worker.load(settings.load({"CREWDECK_DATA_DIR": sys.argv[1]}), DefinedCrews())
from crewai import Agent
from crewai_core.platform_apps import PLATFORM_APPLICATION_CATALOG as known
print(len(known) > 100, sum(len(each.tools) for each in known))
print(Agent(role="Clerk", goal="Sort mail", backstory="-", apps=["gmail"], llm="openai/gpt-4o").apps)
"""


@pytest.mark.parametrize("project", [False, True])
def test_a_worker_keeps_the_apps_without_their_tools(tmp_path: Path, project: bool) -> None:  # noqa: FBT001
    env = {"OPENAI_API_KEY": "none", "CREWAI_DISABLE_TELEMETRY": "true", "HOME": str(tmp_path)}
    if project:
        env["CREWDECK_PROJECT"] = json.dumps({"name": "none", "root": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path / "data")],
        cwd=Path(__file__).parents[4],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )
    assert done.stdout.endswith("True 0\n['gmail']\n"), done.stdout + done.stderr
