import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
PROGRAM = """
import os, subprocess, sys
from bot.processes import priority
os.nice(int(sys.argv[1]))
if os.geteuid() == 0:
    os.setuid(65534)  # an administrator might raise priorities
with subprocess.Popen(["sleep", "60"]) as child:
    priority.lower(child.pid, 2)
    print(os.getpriority(os.PRIO_PROCESS, child.pid) - os.getpriority(os.PRIO_PROCESS, 0))
    child.kill()
priority.lower(child.pid, 2)
"""


@pytest.mark.parametrize(("nicer", "lower"), [(0, 2), (4, 2), (19, 0)])
def test_a_child_has_less_priority_than_its_parent_also_where_that_was_started_with_nice(
    nicer: int, lower: int
) -> None:
    program = [sys.executable, "-c", PROGRAM, str(nicer)]
    done = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{lower}\n", "")
