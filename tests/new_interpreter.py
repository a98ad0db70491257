"""Scripts in an interpreter of their own: what is loaded there, or what depends on the process."""

import os
import subprocess
import sys
from pathlib import Path

from tests.waiting import WITHIN

REPOSITORY = Path(__file__).parents[1]


def output_of(script: str, *args: str, **variables: str) -> str:
    """What the script prints, run in the repository with these variables beside those of this process."""
    done = subprocess.run(
        [sys.executable, "-c", script, *args],
        cwd=REPOSITORY,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
