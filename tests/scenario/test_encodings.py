"""Where the encoding of the system isn't UTF-8, all processes read and write UTF-8 all the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenario.server import ExecutedServer
from tests.waiting import WITHIN

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TOPIC = "Gezeitenmühlen – 潮汐"


def crewdeck(server: ExecutedServer, *arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
    port = server.url.rpartition(":")[2]
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=server.folder,
        env=server.env | {"PORT": port},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=WITHIN,
    )


@pytest.mark.slow
def test_a_run_from_command_to_result_in_a_locale_of_ascii() -> None:
    with ExecutedServer.started(env=ASCII) as server:
        done = crewdeck(server, "start", "demo", f"topic={TOPIC}".encode(), "pace=0", "--answer", "Approve")
        assert done.returncode == 0, done.stderr.decode()
        assert f"the note about {TOPIC}: local approved." in done.stdout.decode()
        found = re.search(r'"execution_id": ?"([^"]+)"', done.stdout.decode())
        assert found is not None
        shown = crewdeck(server, "runs", "show", found.group(1))
        assert shown.returncode == 0, shown.stderr.decode()
        assert b"this note about Gezeitenm\\xfchlen \\u2013 \\u6f6e\\u6c50? (approval" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["start", "demo", b"topic=\xff"],
        ["start", b"d\xff"],
        ["start", "demo", "--answer", b"\xff"],
        ["follow", b"\xff"],
        ["answer", b"\xff", "approve"],
        ["answer", "x", "approve", "--comment", b"\xff"],
        ["record", b"\xff"],
        ["link", b"\xff"],
        ["identities", "--unlink", b"\xff"],
        ["runs", "show", b"\xff"],
        ["runs", "list", "--crew", b"\xff"],
        ["keys", "add", b"\xff"],
        ["webhooks", "forget", b"\xff"],
    ],
    ids=lambda words: " ".join(each if isinstance(each, str) else "..." for each in words),
)
def test_an_argument_that_is_no_text_is_refused_in_one_line(
    tmp_path: Path, arguments: list[str | bytes]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CREWDECK_DATA_DIR": str(tmp_path / "data")},
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=WITHIN,
    )
    assert done.returncode == 2
    assert re.fullmatch(rb"crewdeck: \S*\[U\+DCFF\]: this argument is no text in UTF-8\.\n", done.stderr)
