"""`make canary`: whether Crewdeck still works with the newest CrewAI, also one beyond the supported range.

It resolves the dependencies with that release alone changed, installs them into a scratch environment,
applies the adapter's patches, runs the suites that matter, and says in words what breaks. It needs the
network, so CI never runs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from crews.crewai_adapter.version import SUPPORTED_VERSIONS, TESTED_VERSION

ROOT = Path(__file__).parents[1]
SUITES = (
    "tests/contract/crews",
    "tests/faults/test_attempts.py",
    "tests/faults/test_system_questions.py",
    "tests/faults/test_flows.py",
    "tests/faults/test_resuming.py",
)
PROCESSES = "3"
MAX_REASON_LENGTH = 200
PATCHES = "from crews.crewai_adapter.install import install; install()"


def main(suites: Sequence[str]) -> int:
    """Try the newest release; 0 if everything passes, or if there is nothing newer to try."""
    with tempfile.TemporaryDirectory(prefix="crewdeck-canary-") as scratch:
        environment = Path(scratch)
        try:
            version = _resolved(environment)
            if version == TESTED_VERSION and not suites:
                print(f"CrewAI {TESTED_VERSION} is the newest release, and Crewdeck is tested with it.")
                return 0
            print(f"Trying CrewAI {version}.")
            print(f"Crewdeck is tested with {TESTED_VERSION} and supports {SUPPORTED_VERSIONS}.")
            python = _installed(environment)
        except subprocess.CalledProcessError as error:
            print(f"It can't be installed beside Crewdeck's other dependencies (status {error.returncode}).")
            return 1
        if (missing := _missing_seam(python)) is not None:
            print(f"CrewAI {version} breaks the adapter, which can't apply its patches: {missing}")
            return 1
        return _report(version, *_tried(python, environment, suites or SUITES))


def _resolved(scratch: Path) -> str:
    """The newest release of CrewAI, with all other locked versions kept where they fit."""
    lock, override = scratch / "requirements.txt", scratch / "override.txt"
    shutil.copy(ROOT / "requirements-dev.lock", lock)
    override.write_text("crewai\n")
    _uv(
        "pip", "compile", "--quiet", "--no-header", "--no-emit-index-url", "--override", override,
        "--upgrade-package", "crewai", "--all-extras", "--group", "dev", "--group", "build",
        "--output-file", lock, "pyproject.toml",
    )  # fmt: skip
    found = re.search(r"^crewai==(\S+)", lock.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("the dependencies don't name crewai")
    return found[1]


def _installed(scratch: Path) -> Path:
    """A new environment's Python, with these dependencies and this working tree."""
    python = scratch / "venv" / "bin" / "python"
    _uv("venv", "--quiet", "--python", sys.executable, scratch / "venv")
    _uv("pip", "install", "--quiet", "--python", python, "--requirement", scratch / "requirements.txt")
    _uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        ".",
    )
    return python


def _uv(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "uv", *map(str, arguments)], cwd=ROOT, check=True)


def _missing_seam(python: Path) -> str | None:
    """Why the adapter's patches can't be applied; None if they can."""
    done = subprocess.run([str(python), "-c", PATCHES], cwd=ROOT, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def _tried(python: Path, scratch: Path, suites: Sequence[str]) -> tuple[int, list[tuple[str, str]]]:
    """How many tests were run, and each that failed with the reason."""
    results = scratch / "results.xml"
    environment = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    options = ("-q", "-n", PROCESSES, "-p", "no:cacheprovider", f"--junitxml={results}")
    command = [str(python), "-m", "pytest", *options, *suites]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if not results.exists():
        return 0, [("pytest", f"ended with status {done.returncode} before it ran a test")]
    cases = list(ET.parse(results).iter("testcase"))  # noqa: S314 - written by pytest a moment ago
    failed = [(case, trouble) for case in cases for trouble in (*case.iter("failure"), *case.iter("error"))]
    return len(cases), [
        (f"{case.get('classname')}.{case.get('name')}", _reason(trouble.get("message") or ""))
        for case, trouble in failed
    ]


def _reason(message: str) -> str:
    return " ".join(message.split())[:MAX_REASON_LENGTH]


def _report(version: str, tests: int, failed: Sequence[tuple[str, str]]) -> int:
    if not failed:
        print(f"CrewAI {version} works: all {tests} tests pass.")
        return 0
    print(f"CrewAI {version} breaks Crewdeck: {len(failed)} of {tests} tests fail.")
    for reason, times in Counter(reason for _, reason in failed).most_common():
        names = [name for name, other in failed if other == reason]
        print(f"- {times} because of: {reason}\n  first in {names[0]}")
    print("docs/decisions/0003-crewai-seams.md lists what the adapter patches, and what for.")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
