"""Commands and the extras of the package that they need: what a command says whose extra is missing."""

import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from bot.commands import installation
from bot.commands.main import main
from tests.new_interpreter import output_of

REPOSITORY = Path(__file__).parents[3]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def test_both_extras_name_a_library_the_same_way() -> None:
    server, worker = (PROJECT["optional-dependencies"][extra] for extra in ("server", "worker"))
    by_name = {line.partition(">")[0].partition("=")[0]: line for line in server}
    assert {line for line in worker if line.partition(">")[0].partition("=")[0] in by_name} <= set(server)


def test_authors_and_clients_load_no_library_of_an_extra() -> None:
    libraries = ["crewai", "redis", "slack_bolt", "structlog", "pydantic_settings", "yaml", "ruamel"]
    script = (
        "import sys, crewdeck, crewdeck.client\n"
        "crewdeck.crew(title='Tides')(lambda inputs: None)\n"
        f"print([name for name in {libraries!r} if name in sys.modules])\n"
    )
    assert output_of(script) == "[]\n"


def test_a_command_loads_the_library_of_screens_only_at_a_terminal() -> None:
    script = "import sys, bot.terminal.commands; print('prompt_toolkit' in sys.modules)"
    assert output_of(script) == "False\n"


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["serve"], "server"),
        (["inbox"], "server"),
        (["runs"], "server"),
        (["worker"], "worker"),
        (["crews"], "worker"),
    ],
)
def test_a_command_says_which_extra_it_needs(
    command: list[str], extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda _name: None)
    assert main(command) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f'crewdeck: this needs the extra "{extra}": pip install "crewdeck[{extra}]"\n'


def test_a_server_that_would_start_workers_says_that_it_can_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == "crewai" else ModuleSpec(name, None)

    monkeypatch.setattr(installation, "find_spec", find_spec)
    monkeypatch.chdir(tmp_path)
    assert main(["serve"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'pip install "crewdeck[worker]"' in line
    assert "CREWDECK_WORKERS=0" in line


def test_a_name_for_authors_says_which_extra_it_needs(tmp_path: Path) -> None:
    (tmp_path / "crewai.py").write_text("raise ModuleNotFoundError('No module', name='crewai')\n")
    script = "import crewdeck\ntry:\n    crewdeck.AskHuman\nexcept ImportError as error:\n    print(error)\n"
    said = output_of(script, PYTHONPATH=str(tmp_path))
    assert said == 'crewdeck.AskHuman needs crewai: pip install "crewdeck[worker]"\n'


def test_the_summary_of_no_command_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ([], ["keys"], ["runs"], ["sessions"], ["webhooks"]):
        assert main([*group, "--help"]) == 0
        _, listed = capsys.readouterr().out.split("Commands:\n")
        assert [line for line in listed.splitlines() if line.endswith("...")] == []
