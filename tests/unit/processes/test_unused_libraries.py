"""Libraries that are kept out while servers are imported, and only then."""

import sys

import pytest

from bot.processes.unused_libraries import UNUSED, blocked_imports
from tests.new_interpreter import output_of

SCRIPT = """
import sys
from bot.processes.unused_libraries import UNUSED, blocked_imports
with blocked_imports():
    import redis, structlog
print(*(name for name in UNUSED if name in sys.modules))
"""


def test_those_who_would_load_them_do_without() -> None:
    assert output_of(SCRIPT) == "\n"


def test_they_can_be_imported_afterwards() -> None:
    script = SCRIPT + "import rich.console, opentelemetry.trace; print('both')"
    assert output_of(script).endswith("both\n")


def test_what_is_loaded_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = type(sys)("rich")
    monkeypatch.setitem(sys.modules, "rich", loaded)
    with blocked_imports():
        assert sys.modules["rich"] is loaded
        assert set(UNUSED) <= set(sys.modules)
    assert sys.modules["rich"] is loaded
