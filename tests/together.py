"""Which tests stay in one process of `pytest -n`, in which order, and what ends with them.

Of xdist's own ways `--dist loadgroup` is the one for that, but it writes the group into a test's id, which
pytest doesn't allow any more.
"""

import re
from collections.abc import Generator

import pytest
from _pytest.fixtures import SubRequest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ON_SHARED_SLACK = (
    "console_slack|"
    "slack_(authority|decisions|files|forms|mentions|presses|replies|start|status|strangers|transport)"
)
IMPORTS_CREWAI = (
    r"contract/crews/test_(asking_from_code|called_once|changes|check|documented_examples|edits|features|files|"
    r"gates|gates_retried|gates_taken_up|in_process|other_releases|projects|recording|remedies|testing)\.py|"
    r"unit/crews/(crewai_adapter/|definitions/test_(code|crewai_keys)\.py|run/test_failures\.py)|"
    # These two import openai, a quarter of what crewai takes.
    r"unit/(crews/journal/test_exceptions|loopback/test_models)\.py"
)
TOGETHER = {
    "slack over a socket": rf"tests/scenario/test_({ON_SHARED_SLACK})\.py::.*\bsocket\b",
    "slack": rf"tests/scenario/test_({ON_SHARED_SLACK})\.py",
    "a worker": r"tests/contract/crews/test_(asking|endings|inputs_in_texts|malformed|reviews|secrets)\.py",
    "console": r"tests/scenario/console/",
    "terminal": r"tests/scenario/terminal/",
    "crewai": rf"tests/({IMPORTS_CREWAI})",
}
"""By name of what is started, or imported, once: the tests that share it. The first that fits counts."""
LONG = "tests/(faults|scenario|contract/crews)/"
"""Tests that start processes, and wait for them."""
ALONE = r"tests/unit/(?!test_image\.py|surfaces/teams/test_package\.py)"
"""Tests that share nothing in their file, unlike those of these two: at the end no process is left alone with
a long file.
"""

WITH_SERVERS = frozenset(
    {"bare_server", "server", "slack_deployment", "teams_deployment", "worker", "worker_deployment"}
)
"""Fixtures of a session that run servers and workers. Each of those looks around once a second, which in some
minutes costs many times what it takes to start it.
"""


def scope(test: str) -> str:
    """What a test stays together with: others that share something, or else its file, or the same test."""
    fitting = (name for name, tests in TOGETHER.items() if re.match(tests, test))
    return next(fitting, test.partition("[" if re.match(ALONE, test) else "::")[0])


def rank(test: str) -> int:
    """What takes long begins early, so that at the end no process is left alone with it."""
    names = list(TOGETHER)
    if (where := scope(test)) in names:
        return names.index(where)
    return len(names) + (0 if re.match(LONG, test) else 1)


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Tests that share something run one after the other in one process."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """For `pytest -n`, whatever `--dist` says."""
    config.option.loadscopereorder = False
    return Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In each process of `pytest -n`: the order in which groups of tests are given out."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.nodeid))


class EndedInTime:
    """A plugin: after the last of some tests that stay together, servers end which the next doesn't use."""

    def __init__(self) -> None:
        self._started: dict[pytest.FixtureDef[object], SubRequest] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object], request: SubRequest) -> None:
        if fixturedef.scope == "session" and fixturedef.argname in WITH_SERVERS:
            self._started[fixturedef] = request

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
        yield
        if isinstance(nextitem, pytest.Function) and scope(item.nodeid) != scope(nextitem.nodeid):
            for fixture in reversed(tuple(self._started)):
                if fixture.argname not in nextitem.fixturenames:
                    fixture.finish(self._started.pop(fixture))
