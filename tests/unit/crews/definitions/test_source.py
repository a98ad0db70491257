"""Of what modules hold, the fingerprint of code covers how it is made, not what becomes of it."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from crews.definitions.code import code_of, keep_sources
from tests.new_interpreter import output_of

LIMITS = """
MOST = 500

def at_most(most):
    def decorated(function):
        def checked(amount):
            return function(amount) if amount <= most else None
        return checked
    return decorated

class Guard:
    strict = True
    steps = [1, 2]

    def __init__(self, most):
        self.most = most

    def allows(self, amount):
        return amount <= self.most

class Wrapped:
    def __init__(self, function):
        self.function = function

europe = {'eu': 11}
regions = ['north']
"""
AUTHORS = """
import os
import pydantic
import random
import time
import uuid
from authors_shared import *
import authors_limits as limits
from authors_limits import Guard, MOST, Wrapped, at_most
from authors_limits import regions as here

limit = 1000
by_country = {"no": 10, "se": 20}
by_country["dk"] = 30
allowed = ["ada", "bob"]
allowed.append("cy")
blocked = {"mallory"}
fee: float = 0.01
least, most = 1, 90
guard = Guard(70)
factor = 2 if limit else 3
COUNTRIES = {"no": {"limit": 40}}
seen = {}
calls = 0
_client = None
STARTED = time.time()
TAG = uuid.uuid4().hex
PLACE = os.environ.get("AUTHORS_PLACE", "oslo")
unused = 1

if os.sep == "/":
    slash = "one"

try:
    from authors_none import fast
except ImportError:
    fast = 7

def client():
    global _client, calls
    calls += 1
    seen[calls] = time.time()
    _client = _client or object()
    return _client

def make(most):
    def pay(amount):
        return amount <= most
    return pay

pay = make(60)

@at_most(80)
def paid(amount, to={"account": 5}):
    return amount

class Model(pydantic.BaseModel):
    made_at: float = time.time()
    most: int = 35

@Wrapped
def wrapped(amount):
    return amount > 8

class Tool:
    TOKEN = uuid.uuid4().hex
    limit = 300
    steps = {"one": [1]}
    guard = Guard(25)

    def run(self, amount, at=time.time()):
        client()
        seen["last"] = amount
        return (limit, by_country, allowed, blocked, fee, least, most, guard, factor, COUNTRIES, STARTED, TAG,
                PLACE, Model, slash, fast, pay, paid, wrapped, limits.europe, here, MOST, shared)
"""
SHARED = "shared = {'everywhere': 12}\n"


class Modules:
    """Authors' modules, as they stand in files of a deploy."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._deploys = 0

    def imported(self, before: str = "", after: str = "") -> Any:  # noqa: ANN401 - its names are what the code says
        """The module `authors` of another deploy, in which this is replaced."""
        self._deploys += 1
        folder = self._folder / str(self._deploys)
        folder.mkdir()
        texts = {
            "authors_shared": SHARED,
            "authors_limits": LIMITS,
            "authors": AUTHORS,
        }
        assert not before or sum(each.count(before) for each in texts.values()) == 1
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text.replace(before, after) if before else text)
        return [self._imported(name, folder / f"{name}.py") for name in texts][-1]

    def _imported(self, name: str, file: Path) -> Any:  # noqa: ANN401 - as above
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        self._monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Modules:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Modules(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("limit = 1000", "limit = 5000"),
        ('"se": 20', '"se": 21'),
        ('["dk"] = 30', '["dk"] = 31'),
        ('"ada", "bob"', '"ada", "bobby"'),
        ('append("cy")', 'append("mallory")'),
        ('{"mallory"}', '{"malory"}'),
        ("fee: float = 0.01", "fee: float = 0.1"),
        ("least, most = 1, 90", "least, most = 1, 91"),
        ("guard = Guard(70)", "guard = Guard(71)"),
        ("2 if limit", "4 if limit"),
        ('{"limit": 40}', '{"limit": 41}'),
        ('"AUTHORS_PLACE", "oslo"', '"AUTHORS_PLACE", "rome"'),
        ('slash = "one"', 'slash = "two"'),
        ("fast = 7", "fast = 70"),
        ("make(60)", "make(61)"),
        ("@at_most(80)", "@at_most(81)"),
        ('to={"account": 5}', 'to={"account": 6}'),
        ("amount > 8", "amount > 9"),
        ("    limit = 300", "    limit = 301"),
        ('{"one": [1]}', '{"one": [2]}'),
        ("Guard(25)", "Guard(26)"),
        ("most: int = 35", "most: int = 36"),
        ("strict = True", "strict = False"),
        ("steps = [1, 2]", "steps = [1, 3]"),
        ("'eu': 11", "'eu': 12"),
        ("['north']", "['south']"),
        ("MOST = 500", "MOST = 501"),
        ("'everywhere': 12", "'everywhere': 13"),
    ],
)
def test_another_value_is_other_code(modules: Modules, before: str, after: str) -> None:
    replaced = (("", ""), ("", ""), (before, after))
    first, same, other = (code_of(modules.imported(*each).Tool) for each in replaced)
    assert first == same != other


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("limit = 1000", "# The limit.\n\nlimit   =   1_000"),
        ("unused = 1", "unused = 2"),
        ("unused = 1", "if __name__ == '__main__':\n    limit = 5"),
        ("unused = 1", "'limit = 5'"),
    ],
)
def test_the_same_values_are_the_same_code(modules: Modules, before: str, after: str) -> None:
    """Also times and random values, which each process has of its own."""
    assert code_of(modules.imported().Tool) == code_of(modules.imported(before, after).Tool)


def test_what_a_process_does_is_no_other_code(modules: Modules) -> None:
    module = modules.imported()
    before = code_of(module.Tool)
    module.Tool().run(3)
    module.allowed.append("dan")
    module.guard.most = 1
    module.Tool.limit = 1
    assert module.calls == 1
    assert code_of(module.Tool) == before


def test_a_file_that_is_edited_after_its_import_is_no_other_code(modules: Modules) -> None:
    module = modules.imported()
    keep_sources()
    file = Path(module.__file__)
    file.write_text(file.read_text().replace("limit = 1000", "limit = 5000"))
    assert code_of(module.Tool) == code_of(modules.imported().Tool)


def test_of_a_file_that_is_gone_the_functions_count_as_they_were_imported(modules: Modules) -> None:
    found = []
    for replaced in (("", ""), ("", ""), ("_client or object()", "_client or list()")):
        module = modules.imported(*replaced)
        Path(module.__file__).unlink()
        found.append(code_of(module.client))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("pay", "make(60)", "make(61)"), ("guard", "Guard(70)", "Guard(71)"), ("guard", "<= self", "< self")],
)
def test_what_a_crew_names_in_a_module_counts_with_how_it_is_made(
    modules: Modules, name: str, before: str, after: str
) -> None:
    found = []
    for replaced in (("", ""), ("", ""), (before, after), ("unused = 1", "unused = 2")):
        modules.imported(*replaced)
        found.append(code_of(None, named=[f"authors:{name}"]))
    assert found[0] == found[1] == found[3] != found[2]


def test_code_may_be_as_deep_as_it_likes(modules: Modules) -> None:
    """One function names the next one, thousands of them."""
    chain = "".join(f"def f{each}():\n    return f{each + 1}()\n" for each in range(3000))
    one, two = (
        code_of(modules.imported("unused = 1", f"{chain}def f3000():\n    return {each}\n").f0)
        for each in (1, 2)
    )
    assert one != two


def test_it_is_the_same_in_each_process(modules: Modules) -> None:
    module = modules.imported()
    folder = str(Path(module.__file__).parent)
    script = f"import sys; sys.path.insert(0, {folder!r}); import authors\n"
    script += "from crews.definitions.code import code_of\nprint(code_of(authors.Tool))\n"
    found = {output_of(script, PYTHONHASHSEED=seed) for seed in ("1", "2")}
    assert found == {f"{code_of(module.Tool)}\n"}


ODD = """
import functools
import xmlrpc.client
from unittest import mock

class Stands:
    __slots__ = ()

    @property
    def __class__(self):
        raise RuntimeError("nobody is there yet")

    def __getattr__(self, name):
        return self

    def __eq__(self, other):
        raise RuntimeError("not comparable")

server = xmlrpc.client.ServerProxy("http://127.0.0.1:9")
patched = mock.MagicMock()
cached = functools._lru_cache_wrapper
stands = Stands()
HANDLERS = {"one": stands}

def work():
    return server, patched, cached, stands, HANDLERS
"""


def test_what_stands_for_something_else_is_not_asked_what_it_is(modules: Modules) -> None:
    """It may answer anything to anybody who asks for its attributes: a proxy, a mock."""
    texts = (ODD, ODD, ODD.replace('{"one": stands}', '{"two": stands}'))
    first, same, other = (code_of(modules.imported("unused = 1", each).work) for each in texts)
    assert first == same != other


GENERATED = """
import attr

@attr.s(frozen=True, hash=True, auto_attribs=True)
class Pair:
    one: int = 1
    two: int = 2

def pairs():
    return Pair()
"""


def test_what_a_library_generates_anew_in_each_process_is_no_other_code(modules: Modules) -> None:
    module = modules.imported("unused = 1", GENERATED)
    one, two = Path(module.__file__).parent, Path(modules.imported("unused = 1", GENERATED).__file__).parent
    script = "import sys; sys.path.insert(0, sys.argv[1]); import authors\n"
    script += "from crews.definitions.code import code_of\nprint(code_of(authors.pairs))\n"
    found = {output_of(script, str(folder), PYTHONHASHSEED=seed) for seed, folder in (("1", one), ("2", two))}
    assert len(found) == 1
    assert found != {f"{code_of(modules.imported('unused = 1', GENERATED.replace('= 2', '= 3')).pairs)}\n"}
