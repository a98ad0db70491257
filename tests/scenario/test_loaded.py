"""What servers have in memory: the libraries that they use, and no others."""

import sys

import pytest

from tests.scenario.server import ExecutedServer, Server

SLACK = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_SIGNING_SECRET": "a-signing-secret",
    # Nobody answers there: what receives is open all the same.
    "SLACK_API_URL": "http://127.0.0.1:9/api/",
    "CREWDECK_WORKERS": "0",
    "CREWDECK_DELIVERY": "none",
}
#: Of crews, of the command line, of other surfaces, of what was not asked for.
UNUSED = {
    *("crewai", "crews", "cel_expr_python", "ruamel"),
    *("typer", "rich", "pygments", "prompt_toolkit", "httpx", "bot.terminal", "bot.commands.command_line"),
    *("msal", "jwt", "microsoft_teams", "bot.surfaces.teams", "bot.surfaces.slack.inbound.socket_mode"),
    *("greenlet", "opentelemetry", "prometheus_client", "psutil", "yaml"),
    *("sqlite3", "http.server", "bz2", "lzma", "frozenlist._frozenlist"),
}


SCRIPT = """
import atexit, sys
atexit.register(lambda: print("loaded:", *sys.modules, file=sys.stderr))
from bot.commands.main import main
sys.exit(main())
"""


class Loaded(ExecutedServer):
    """A server that says at its end which modules it has loaded."""

    program = (sys.executable, "-c", SCRIPT)

    @property
    def modules(self) -> set[str]:
        [line] = [each for each in self.errors.splitlines() if each.startswith("loaded: ")]
        return set(line.split()[1:])


async def test_a_web_process_with_slack_has_loaded_what_it_uses() -> None:
    async with Loaded.start(SLACK, wait="announced") as server:
        server.stop()
        loaded = server.modules
    assert {"bot.surfaces.slack.surface", "aiohttp", "redis"} <= loaded
    assert loaded.isdisjoint(UNUSED)


async def test_what_delivers_to_slack_has_loaded_what_it_uses() -> None:
    async with Server.start({"CREWDECK_WORKERS": "0"}) as web:
        folder = web.folder / "elsewhere"
        folder.mkdir()
        delivery = Loaded(folder, SLACK | {"CREWDECK_REDIS_URL": web.store_url}, "deliver")
        try:
            delivery.wait_for(lambda: any(each["message"] == "delivering" for each in delivery.log))
            delivery.stop()
        finally:
            delivery.sweep()
        loaded = delivery.modules
    assert {"bot.surfaces.slack.delivery", "aiohttp", "redis"} <= loaded
    assert loaded.isdisjoint(UNUSED | {"slack_bolt", "bot.surfaces.slack.surface", "bot.surfaces.http.site"})


@pytest.mark.parametrize("words", [["serve", "--help"], ["deliver", "--help"]])
def test_servers_have_their_options_all_the_same(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from bot.commands.main import main

    assert main(words) == 0
    assert f"crewdeck {words[0]}" in capsys.readouterr().out
