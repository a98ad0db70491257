"""What of CrewAI's catalogue of its platform's apps is in the memory of a worker."""

import json
from pathlib import Path

from tests.new_interpreter import output_of

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

OF_A_PROJECT = """
import sys
from bot import settings
from crewai_core.platform_catalog import PLATFORM_CATALOG
from crews.definitions.defined_crews import DefinedCrews
from crews.worker import worker

class First:
    def find_spec(self, name, path=None, target=None):
        if name == "crewai":
            apps = PLATFORM_CATALOG["applications"]
            print(len(apps) > 100, sum(len(each["tools"]) for each in apps))
            sys.exit()

sys.meta_path.insert(0, First())
worker.load(settings.load({"CREWDECK_DATA_DIR": sys.argv[1]}), DefinedCrews())
"""


def printed(script: str, folder: Path, **variables: str) -> str:
    env = {"OPENAI_API_KEY": "none", "CREWAI_DISABLE_TELEMETRY": "true", "HOME": str(folder)}
    return output_of(script, str(folder / "data"), **env, **variables)


def test_a_worker_keeps_the_apps_without_their_tools(tmp_path: Path) -> None:
    assert printed(LOADED, tmp_path).endswith("True 0\n['gmail']\n")


def test_that_of_a_project_has_none_left_when_it_imports_crewai(tmp_path: Path) -> None:
    project = json.dumps({"name": "none", "root": str(tmp_path)})
    assert printed(OF_A_PROJECT, tmp_path, CREWDECK_PROJECT=project) == "True 0\n"
