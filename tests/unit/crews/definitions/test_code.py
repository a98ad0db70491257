"""The fingerprint of code: another one for other code, and the same one in each process that has the same."""

import sys
import types
from typing import Any

import pytest

from crews.definitions.code import code_of
from tests.new_interpreter import output_of

CODE = """
import enum
import functools
import itertools
from datetime import timedelta
from decimal import Decimal

LIMIT = 3
FEE = 0.02
LEAST = Decimal("0.01")
WAIT = timedelta(hours=1)
OFFICES = frozenset({("oslo", 47), ("rome", None)})
LATER = None
NAMES = ("a", "b")
_CLIENT = ""
STARTED = object()
numbers = itertools.count()

def client():
    global _CLIENT
    _CLIENT = _CLIENT or str(next(numbers))
    return _CLIENT

def decorated(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)
    return inner

@functools.lru_cache
def cached(value):
    return value + LIMIT

class Currency(enum.Enum):
    EURO = "EUR"
    DOLLAR = "USD"

class Level(enum.IntEnum):
    LOW = 1

def costs(value, share=0.5, level=Level.LOW):
    return FEE, LEAST, WAIT, OFFICES, Currency("EUR"), LATER

@decorated
def helper(value, more=1):
    return costs(value) if more else cached(value) if value in {"x", "y", "z"} else client()

def paid():
    return "paid"

def kept():
    return "kept"

ENDS = {"yes": paid, "no": kept}

class Base:
    RATE = 1
    CHECKS = (lambda value: value > 1, Currency)

    @property
    def rate(self):
        return self.RATE

class Tool(Base):
    @staticmethod
    def one():
        return [helper(each) for each in NAMES]

    @classmethod
    def two(cls):
        return (lambda: cls.one())()

    def run(self):
        return self.two(), self.rate, ENDS["yes"]()

def unused():
    return "unused"
"""


def imported(code: str, release: str = "") -> Any:  # noqa: ANN401 - its names are what the code says
    module: Any = types.ModuleType("authors")
    if release:
        module.__file__ = f"/srv/{release}/package/authors.py"
    exec(code, vars(module))  # noqa: S102 - as an import does
    return module


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ('("a", "b")', '("a", "c")'),
        ("value + LIMIT", "value - LIMIT"),
        ("more=1", "more=2"),
        ('{"x", "y", "z"}', '{"x", "y"}'),
        ("RATE = 1", "RATE = 2"),
        ("return self.RATE", "return -self.RATE"),
        ("each in NAMES]", "each in NAMES if each]"),
        ("cls.one())()", "cls.one() * 2)()"),
        ("return inner", "return function"),
        ("class Tool(Base)", "class Tool"),
        ("FEE = 0.02", "FEE = 0.2"),
        ('Decimal("0.01")', 'Decimal("0.010")'),
        ("hours=1", "hours=2"),
        ('("oslo", 47)', '("oslo", 46)'),
        ("share=0.5", "share=0.6"),
        ("level=Level.LOW", "level=None"),
        ("LOW = 1", "LOW = 2"),
        ('EURO = "EUR"', 'EURO = "978"'),
        ('return "paid"', 'return "kept"'),
        ('"yes": paid, "no": kept', '"yes": kept, "no": paid'),
        ("value > 1", "value > 2"),
    ],
)
def test_other_code_has_another_fingerprint(before: str, after: str) -> None:
    assert CODE.count(before) == 1
    assert code_of(imported(CODE).Tool) != code_of(imported(CODE.replace(before, after)).Tool)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("LIMIT = 3", "\n\n# The limit.\nLIMIT    =    3"),
        ('return "unused"', 'return "other"'),
        ("STARTED = object()", "STARTED = None"),
        ("LATER = None", "LATER = object()"),
    ],
)
def test_the_same_code_has_the_same_one(before: str, after: str) -> None:
    edited = imported(CODE.replace(before, after, 1) if before else CODE)
    assert code_of(imported(CODE).Tool) == code_of(edited.Tool)
    assert code_of(edited.Tool()) == code_of(edited.Tool)


def test_what_a_process_has_done_does_not_change_it() -> None:
    module = imported(CODE)
    before = code_of(module.Tool)
    module.Tool().run()
    assert module.client() == "0"
    module.cached(1)
    assert code_of(module.Tool) == before


def test_functions_within_functions_count() -> None:
    text = "def made():\n    def inner():\n        return helper()\n    return inner\n"
    helpers = (f"def helper():\n    return {each}\n" for each in (1, 2))
    one, two = (code_of(imported(text + each).made()) for each in helpers)
    assert one != two


def test_it_is_the_same_in_each_process() -> None:
    script = "from tests.unit.crews.definitions.test_code import *\nprint(code_of(imported(CODE).Tool))\n"
    found = {output_of(script, PYTHONHASHSEED=seed) for seed in ("1", "2", "3")}
    assert found == {f"{code_of(imported(CODE).Tool)}\n"}


@pytest.mark.parametrize(
    "folder", ["os.path.dirname(__file__)", "os.path.dirname(os.path.dirname(__file__))"]
)
def test_where_code_is_installed_does_not_count(folder: str) -> None:
    """Deploys have a folder each."""
    text = f"import os\nHERE = {folder}\nTHERE = '/etc/authors'\ndef made():\n    return HERE, THERE\n"
    found = {
        code_of(imported(text.replace("__file__", repr(f"/srv/{release}/package/authors.py")), release).made)
        for release in ("2026-11-30", "2026-12-01")
    }
    assert len(found) == 1


def test_libraries_do_not_count() -> None:
    """Another release of one changes no approval."""
    module = imported("import json\nimport pytest\ndef made():\n    return json.dumps(pytest.approx(1))\n")
    before = code_of(module.made)
    for library in ("json", "pytest"):
        setattr(module, library, types.ModuleType(library))
    assert code_of(module.made) == before


CREWAI = """
from crewai.flow.flow import Flow, listen, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.project import CrewBase, agent, crew, task
from crewai.tools import tool

class Sends(Flow):
    @start()
    def first(self):
        return 1

    @listen(first)
    @human_feedback(message="Send it?", emit=["approved", "rejected"])
    async def second(self):
        return 2

    @router(second)
    def third(self):
        return "3"

@tool("pay")
def pay(amount: int) -> str:
    'Pays.'
    return "4"

@CrewBase
class Project:
    agents_config = {}
    tasks_config = {}

    @agent
    def payer(self):
        return 5, pay

    @task
    def paying(self):
        return 6

    @crew
    def payments(self):
        return 7

def build():
    return Sends, Project().payments()
"""


@pytest.mark.parametrize("number", range(1, 8))
def test_methods_of_flows_and_projects_and_functions_of_tools_count(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """CrewAI puts objects in their places."""
    monkeypatch.setitem(sys.modules, "authors", types.ModuleType("authors"))
    before, after = (imported(each).build for each in (CREWAI, CREWAI.replace(f"{number}", f"{number}0")))
    assert code_of(before) == code_of(imported(CREWAI).build) != code_of(after)
