"""The statements of a module, which make the values that it holds.

Values may be made while a process runs, and differ between processes that have the same code: clients,
caches, times. The statements don't: they tell of limits in lists, dicts and objects, and what decorators got.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeGuard

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = ast.ClassDef | _Function
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_VOLATILE = frozenset({
    "choice", "getpid", "gethostname", "getrandbits", "hash", "id", "mkdtemp", "monotonic", "node", "now",
    "perf_counter", "randint", "random", "time", "time_ns", "today", "token_bytes", "token_hex",
    "token_urlsafe", "urandom", "utcnow", "uuid1", "uuid4",
})  # fmt: skip
"""Functions whose values differ in each process."""


@dataclass(frozen=True)
class Statement:
    """Something that is written in a module."""

    #: The same for the same code, wherever it stands and however it is laid out.
    text: str
    #: The names that it reads.
    names: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """What is written in one module, as far as it isn't what its functions do."""

    #: By name: the statements at the module's level that give it its value or change that.
    bindings: Mapping[str, tuple[Statement, ...]]
    #: By name: functions and classes that another object may replace there.
    definitions: Mapping[str, tuple[Statement, ...]]
    #: By qualified name: the decorators and defaults of a function; decorators, bases and values of a class.
    headers: Mapping[str, tuple[Statement, ...]]
    #: By name: the modules from which it may be imported, and its name there.
    imports: Mapping[str, tuple[tuple[str, str], ...]]
    #: Modules of which all names were imported.
    stars: tuple[str, ...]
    #: Names that functions assign.
    assigned: frozenset[str]
    #: Names whose values differ in each process: those of the module, qualified ones of classes, and of
    #: functions with such defaults.
    volatile: frozenset[str]


def source_of(where: Mapping[str, Any]) -> Source | None:
    """What is written in the module with these names; None where that can't be read.

    It is read once in a process; `keep` does that before anybody edits the file.
    """
    name, file = where.get("__name__"), where.get("__file__")
    if not isinstance(name, str) or not isinstance(file, str):
        return None
    return _parsed(name, file, str(where.get("__package__") or ""), _Loader(where.get("__loader__")))


def keep(where: Mapping[str, Any]) -> None:
    """Read the text of a module that was just imported: later its file may be another one."""
    name, file = where.get("__name__"), where.get("__file__")
    if isinstance(name, str) and isinstance(file, str):
        _text(name, file, _Loader(where.get("__loader__")))


class _Loader:
    """The loader of a module, which doesn't count for what was read."""

    def __init__(self, loader: Any) -> None:  # noqa: ANN401 - loaders have no common class
        self._loader = loader

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Loader)

    def __hash__(self) -> int:
        return 0

    def text(self, name: str) -> str | None:
        try:
            found = self._loader.get_source(name)
        except (AttributeError, ImportError, OSError, SyntaxError, ValueError):
            return None
        return found if isinstance(found, str) else None


@cache
def _text(name: str, file: str, loader: _Loader) -> str | None:  # noqa: ARG001 - the file tells them apart
    return loader.text(name)


@cache
def _parsed(name: str, file: str, package: str, loader: _Loader) -> Source | None:
    try:
        module = ast.parse(_text(name, file, loader) or "")
        return _source(module, package)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _source(module: ast.Module, package: str) -> Source:
    bindings: defaultdict[str, list[Statement]] = defaultdict(list)
    definitions: defaultdict[str, list[Statement]] = defaultdict(list)
    volatile: set[str] = set()
    for each in _statements(module.body):
        statement = _statement(each)
        for bound in _bound_by(each):
            found = definitions if isinstance(each, _Definition) else bindings
            found[bound].append(statement)
            if found is bindings and _is_volatile(each):
                volatile.add(bound)
    imports, stars = _imported(module, package)
    headers = _headers(module)
    return Source(
        bindings={key: tuple(each) for key, each in bindings.items()},
        definitions={key: tuple(each) for key, each in definitions.items()},
        headers={name: tuple(_statement(*_header(each)) for each in of) for name, of in headers.items()},
        imports=imports,
        stars=stars,
        assigned=frozenset(
            each for at in ast.walk(module) if isinstance(at, ast.Global) for each in at.names
        ),
        volatile=frozenset((*volatile, *_volatile_in(headers))),
    )


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of a module or a class that aren't only executed as a program, and no words."""
    for each in body:
        if isinstance(each, ast.If) and "'__main__'" in ast.unparse(each.test):
            continue
        if not _is_words(each):
            yield each


def _is_words(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _statement(*nodes: ast.AST) -> Statement:
    """Like the names of compiled code, those of the statement are of attributes, too: `settings.limit`."""
    reads = [at for node in nodes for at in ast.walk(node) if isinstance(getattr(at, "ctx", None), ast.Load)]
    names = (at.attr if isinstance(at, ast.Attribute) else at.id for at in reads if _has_name(at))
    return Statement(" ".join(map(ast.dump, nodes)), tuple(dict.fromkeys(names)))


def _has_name(node: ast.AST) -> TypeGuard[ast.Attribute | ast.Name]:
    return isinstance(node, ast.Attribute | ast.Name)


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    """The names to whose values the statement has something to do."""
    if isinstance(statement, _Definition):
        return iter((statement.name,))
    # An expression alone may change whatever it mentions: `LIMITS.update(of_partners)`.
    of_all = isinstance(statement, ast.Expr)
    found = (_root(at) for at in _here(statement) if of_all or _is_stored(at))
    return iter(dict.fromkeys(filter(None, found)))


def _is_stored(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)


def _root(node: ast.AST) -> str:
    """The name at the beginning of `name.of[this]`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _here(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is in it, without what functions and classes in it do."""
    yield node
    for each in ast.iter_child_nodes(node):
        if not isinstance(each, _SCOPES):
            yield from _here(each)


def _is_volatile(node: ast.AST) -> bool:
    called = (at.func for at in ast.walk(node) if isinstance(at, ast.Call))
    return any(
        (each.attr if isinstance(each, ast.Attribute) else _root(each)) in _VOLATILE for each in called
    )


def _imported(
    module: ast.Module, package: str
) -> tuple[dict[str, tuple[tuple[str, str], ...]], tuple[str, ...]]:
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    stars: list[str] = []
    for at in _here(module):
        if not isinstance(at, ast.ImportFrom):
            continue
        try:
            there = importlib.util.resolve_name(f"{'.' * at.level}{at.module or ''}", package)
        except ImportError:
            continue
        for each in at.names:
            if each.name == "*":
                stars.append(there)
            else:
                found[each.asname or each.name].append((there, each.name))
    return {name: tuple(each) for name, each in found.items()}, tuple(stars)


def _headers(module: ast.Module) -> Mapping[str, Sequence[_Definition]]:
    """Functions and classes by their qualified names."""
    found: defaultdict[str, list[_Definition]] = defaultdict(list)
    waiting: list[tuple[ast.AST, str]] = [(module, "")]
    while waiting:
        node, within = waiting.pop()
        for each in ast.iter_child_nodes(node):
            if isinstance(each, _Definition):
                name = f"{within}{each.name}"
                found[name].append(each)
                inner = f"{name}." if isinstance(each, ast.ClassDef) else f"{name}.<locals>."
                waiting.append((each, inner))
            else:
                waiting.append((each, within))
    return found


def _volatile_in(headers: Mapping[str, Sequence[_Definition]]) -> Iterator[str]:
    for name, definitions in headers.items():
        for each in definitions:
            if isinstance(each, ast.ClassDef):
                made = (at for at in _values(each) if _is_volatile(at))
                yield from (f"{name}.{bound}" for at in made for bound in _bound_by(at))
            elif any(map(_is_volatile, _defaults(each))):
                yield name


def _header(node: _Definition) -> list[ast.AST]:
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords, *_values(node)]
    return [*node.decorator_list, *_defaults(node)]


def _values(node: ast.ClassDef) -> list[ast.stmt]:
    return [each for each in _statements(node.body) if not isinstance(each, _Definition)]


def _defaults(node: _Function) -> list[ast.expr]:
    return [each for each in (*node.args.defaults, *node.args.kw_defaults) if each is not None]


def module_at(name: str) -> Mapping[str, Any] | None:
    """The names of a module that was imported; None where there is none."""
    found = sys.modules.get(name)
    return None if found is None else vars(found)
