"""Microsoft's own Agents Playground drives a server: what it sends is understood, what it gets it takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.server import REPOSITORY

PACKAGE = "@microsoft/m365agentsplayground"
VERSION = "0.2.28"
FETCH = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund"]
ALONE = ["unshare", "--map-root-user", "--net"]
"""In a network namespace: the Playground listens on all interfaces."""

pytestmark = pytest.mark.slow


@pytest.fixture
def playground(tmp_path: Path) -> Path:
    """The Playground's script, if npm can fetch it and it can be shut in."""
    for tool in ("npm", "node", "unshare", "ip"):
        if shutil.which(tool) is None:
            pytest.skip(f"the Agents Playground needs {tool}, which is not here")
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the Agents Playground needs a network namespace, which this user can't make")
    fetched = subprocess.run(
        [*FETCH, f"--prefix={tmp_path}", f"{PACKAGE}@{VERSION}"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if fetched.returncode:
        pytest.skip(f"npm can't fetch the Agents Playground: {fetched.stderr.strip()[-200:]}")
    return tmp_path / "node_modules" / PACKAGE / "cli.js"


def played(script: Path) -> dict[str, Any]:
    drive = f"ip link set lo up && exec {sys.executable} -m tests.scenario.playground {script}"
    done = subprocess.run(
        [*ALONE, "sh", "-c", drive], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr[-8000:]
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_a_run_is_started_decided_and_answered_in_the_agents_playground(playground: Path) -> None:
    seen = played(playground)
    assert "May tides go on?" in seen["asked"]
    assert "Approved" in json.dumps(seen["press"])
    assert "Approved" in seen["settled"]
    assert "Ada approved" in seen["result"]
    assert "They go out at noon" in seen["answered"]
