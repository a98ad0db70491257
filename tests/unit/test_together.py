"""Servers that tests share end after the last of those that stay together."""

from typing import Any

import pytest

from tests.together import EndedInTime


class Fixture:
    """A fixture of pytest's, as far as the plugin knows it."""

    def __init__(self, argname: str, scope: str = "session") -> None:
        self.argname, self.scope = argname, scope
        self.ended_with: list[object] = []

    def finish(self, request: object) -> None:
        self.ended_with.append(request)


@pytest.fixture(scope="session")
def bare_server() -> None:
    """What a test of this file uses, for its name."""


def test_what_the_next_test_neither_belongs_to_nor_uses_ends(request: pytest.FixtureRequest) -> None:
    worker, used, other = Fixture("worker"), Fixture("bare_server"), Fixture("redis_server")
    of_module = Fixture("worker", "module")
    fixtures: Any = (worker, used, other, of_module)
    plugin = EndedInTime()
    for each in fixtures:
        plugin.pytest_fixture_setup(each, request.node)
    same = request.node
    later = pytest.Function.from_parent(
        same.parent, name="test_that_uses_a_server", callobj=test_that_uses_a_server
    )
    for following, ended in ((same, []), (None, []), (later, [same]), (later, [same])):
        list(plugin.pytest_runtest_teardown(same, following))
        assert worker.ended_with == ended
    assert not used.ended_with
    assert not other.ended_with
    assert not of_module.ended_with


def test_that_uses_a_server(bare_server: None) -> None:
    assert bare_server is None
