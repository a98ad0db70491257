"""The wheel: built from the checkout, installed into a new environment, and run from an empty folder."""

import json
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.scenario.server import ExecutedServer, environment
from tests.waiting import WITHIN

REPOSITORY = Path(__file__).resolve().parents[2]
OFFLINE = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment in which the wheel is installed and the locked libraries can be imported."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip")
    build = ("wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", str(folder), str(REPOSITORY))
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    home = folder / "environment"
    venv.create(home, with_pip=False)
    subprocess.run(
        [*pip, "--python", str(home / "bin" / "python"), "install", *OFFLINE, str(wheel)], check=True
    )
    # Python reads no .pth file in a folder that another one names, so the checkout is not on the path.
    (site_packages(home) / "locked.pth").write_text(sysconfig.get_path("purelib"))
    return home


def site_packages(home: Path) -> Path:
    (found,) = home.glob("lib/python*/site-packages")
    return found


def run_in(home: Path, folder: Path, *arguments: str, **env: str) -> str:
    """What a program of the environment prints, run in a folder that has nothing of the checkout."""
    program, *words = arguments
    done = subprocess.run(
        [home / "bin" / program, *words],
        cwd=folder,
        env=environment(folder) | {"PYTHONPATH": ""} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_three_packages_and_nothing_else(installed: Path) -> None:
    assert distribution("crewdeck").version in installed_record(installed)[0]
    files = {path for path in installed_record(installed)[1] if not path.startswith("crewdeck-")}
    assert {path.split("/")[0] for path in files} == {"..", "bot", "crews", "crewdeck"}
    assert [path for path in files if path.startswith("..")] == ["../../../bin/crewdeck"]
    assert not [path for path in files if "/tests/" in path or path.endswith((".pyc", ".orig"))]


def installed_record(home: Path) -> tuple[str, list[str]]:
    """The name of the installed distribution, and the files that came with it."""
    (record,) = site_packages(home).glob("crewdeck-*.dist-info/RECORD")
    lines = record.read_text().splitlines()
    paths = [line.rsplit(",", 2)[0] for line in lines]
    return record.parent.name, [path for path in paths if "__pycache__" not in path]


def test_every_file_of_the_checkout_that_it_needs_is_in_it(installed: Path) -> None:
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "bot",
            "crews",
            "crewdeck",
            "config",
            "manifest.yml",
        ],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no checkout of Git")
    data = ("config/", "manifest.yml")
    wanted = {f"crewdeck/_data/{path}" if path.startswith(data) else path for path in listed.stdout.split()}
    found = {
        path for path in installed_record(installed)[1] if path.startswith(("bot/", "crews/", "crewdeck/"))
    }
    assert found == wanted


def test_its_data_is_read_from_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    script = "import bot.settings, crewdeck, crews; print(bot.settings.shipped('manifest.yml'))"
    found = Path(run_in(installed, tmp_path, "python", "-c", script).strip())
    assert found == site_packages(installed) / "crewdeck" / "_data" / "manifest.yml"
    assert found.read_bytes() == (REPOSITORY / "manifest.yml").read_bytes()


class InstalledServer(ExecutedServer):
    """The server that the installed command starts."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.program = (str(home / "bin" / "crewdeck"),)
        super().__init__(folder, {"PYTHONPATH": ""})


def test_it_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    server = InstalledServer(installed, tmp_path)
    try:
        server.wait_until_up()
        words = ("start", "demo", "topic=tide mills", "pace=0", "--answer", "approve")
        printed = run_in(installed, tmp_path, "crewdeck", *words, CREWDECK_URL=server.url)
        events = [json.loads(line) for line in printed.splitlines()]
        assert events[-1]["type"] == "run_completed"
        assert "tide mills" in events[-1]["result"].lower()
        server.stop()
    finally:
        server.sweep()
