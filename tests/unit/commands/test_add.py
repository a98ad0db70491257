"""`crewdeck add` in an environment without pip: uv does all of it."""

import os
import subprocess
import sys
from pathlib import Path

UV = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/called"
case "$1" in
build)
    while [ "$1" != --out-dir ]; do shift; done
    touch "$2/crewdeck-0-py3-none-any.whl"
esac
"""
WITHOUT_PIP = (
    "import sys; sys.modules['pip'] = None; from bot.commands.add import add; sys.exit(add(sys.argv[1], []))"
)


def test_without_pip_uv_builds_the_wheel_and_installs_it(tmp_path: Path) -> None:
    (tools := tmp_path / "bin").mkdir()
    (tools / "uv").write_text(UV)
    (tools / "uv").chmod(0o755)
    (project := tmp_path / "project").mkdir()
    (project / "crew.py").write_text("from crewai import Crew\ncrew = Crew\n")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PIP, str(project)],
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    built, installed = (tools / "called").read_text().splitlines()
    assert built.startswith("build ")
    assert f"--python {sys.executable} " in built
    assert installed.startswith(f"pip install --python {project}/.venv/bin/python ")
    assert installed.endswith("/crewdeck-0-py3-none-any.whl")
    assert "No module named pip" not in done.stderr
    assert "SettingsError" in done.stderr, "this uv has installed nothing, which is found out"
