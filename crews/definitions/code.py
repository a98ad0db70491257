"""A fingerprint of loaded code: of a tool, and of the function that makes a crew, as far as authors wrote it.

It is of the code as this process has imported it, not of its files, which may have been edited since. It
covers functions and classes, those that they name, closures, defaults, members of enums, and constants in
capitals: texts, numbers, tuples and frozen sets of them, and tables of functions and classes. Of all else
that modules hold (lists, dicts, objects, other names) and of decorators and classes it covers the statements
that make them (`source.py`), not their values: those may be made or changed while a process runs, and differ
between processes that have the same code. It covers neither comments nor other packages.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - code may hold anything
import dis
import functools
import hashlib
import os
import site
import sys
import sysconfig
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from pathlib import Path
from typing import Any

import bot
from crews.definitions.source import Statement, keep, module_at, source_of

MAX_PARTS = 5000
"""Functions and classes of one fingerprint; more are left out."""
FRAMEWORKS = frozenset({"crewai", "pydantic", "pydantic_core", "bot", "crews", "crewdeck"})
_LEAVES = (str, int, bool, bytes, float, complex, Decimal, timedelta, type(None))
_GENERATED = "<attrs generated "
"""How the file of a function is called that attrs makes for a class, with a number of each process in it."""
_CACHED: type = type(functools.lru_cache(str))
_INSTALLED = tuple(
    f"{os.path.realpath(each)}{os.sep}"
    for each in {
        *(
            path
            for name, path in sysconfig.get_paths().items()
            if name in {"stdlib", "platstdlib", "purelib", "platlib"}
        ),
        *site.getsitepackages(),
        *(str(Path(bot.__file__).parents[1] / each) for each in ("bot", "crews", "crewdeck")),
    }
)
"""Folders whose modules no author of crews edits."""


@cache
def is_authors(file: str) -> bool:
    """Whether an author of crews wrote this file: it is neither Python's, nor installed, nor Crewdeck's."""
    return file.endswith(".py") and not _resolved(file).startswith(_INSTALLED)


def _resolved(path: str) -> str:
    """The real path. Thousands of modules are in few folders, each of which is resolved once."""
    # os.path on strings, as this is called for each module, and pathlib is slower.
    folder, name = os.path.split(path)
    if os.path.islink(path) or name in {"", os.curdir, os.pardir}:  # noqa: PTH114
        return os.path.realpath(path)
    return os.path.join(_resolved_folder(folder), name)  # noqa: PTH118


@cache
def _resolved_folder(folder: str) -> str:
    return _resolved(folder)


def keep_sources() -> None:
    """Read the files of authors' modules that were imported, before anybody edits them."""
    for module in tuple(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and is_authors(file):
            keep(vars(module))


def code_of(*roots: object, named: Iterable[str] = ()) -> str:
    """The fingerprint of the code of these; of an object it is that of its class.

    `named`: what modules hold besides, each as `module:name`.
    """
    reader = _Reader()
    for each in roots:
        reader.read(each)
    for reference in named:
        reader.read_named(reference)
    return hashlib.sha256("\n".join(sorted(reader.parts())).encode()).hexdigest()


class _Reader:
    """Collects functions, classes and constants, each once."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        #: By module and name.
        self._constants: dict[tuple[str, str], str] = {}
        #: What code assigns while it runs, so that it is no constant.
        self._assigned: set[tuple[str, str]] = set()
        #: What was read, by its `id`; kept, so that no id is used again.
        self._read: dict[int, object] = {}
        #: Packages whose code counts although they are installed.
        self._packages: set[str] = set()
        #: What is still to be read: names, and where they are.
        self._waiting: deque[Callable[[], None]] = deque()
        #: The names of which it was read how modules bind them.
        self._bound: set[tuple[str, str]] = set()

    def read(self, root: object) -> None:
        """Read one of the roots, with all of its own package."""
        found = _bare(root)
        if not _is(found, type, types.FunctionType, types.MethodType):
            found = type(found)
        self._packages.add(_package(found.__module__))
        self._add(found)
        self._read_waiting()

    def read_named(self, named: str) -> None:
        """Read how a module binds a name, as `module:name`."""
        module, _, name = named.partition(":")
        self._packages.add(_package(module))
        if (where := module_at(module)) is not None:
            self._add_named([name], where, [])
        self._read_waiting()

    def _read_waiting(self) -> None:
        """One after the other: what names what, and so on, may be deeper than calls may be."""
        while self._waiting:
            self._waiting.popleft()()

    def parts(self) -> Iterator[str]:
        yield from self._parts
        for (module, name), value in self._constants.items():
            if (module, name) not in self._assigned:
                yield f"{module}:{name} {value}"

    def _add(self, value: object) -> None:
        """Objects are left out: many are made only when they are needed for the first time."""
        found = _bare(value)
        if _is(found, types.MethodType):
            self._add(type(found.__self__))
            found = found.__func__
        if id(found) in self._read or len(self._read) >= MAX_PARTS:
            return
        if _is(found, types.FunctionType):
            self._read[id(found)] = found
            self._waiting.append(partial(self._add_function, found))
        elif _is(found, type):
            self._read[id(found)] = found
            for each in found.__mro__:
                if self._counts(each.__module__):
                    self._waiting.append(partial(self._add_class, each))

    def _add_function(self, function: types.FunctionType) -> None:
        module = str(
            function.__globals__.get("__name__")
        )  # `__module__` is another one where `wraps` was used.
        if self._counts(module) and not function.__code__.co_filename.startswith(_GENERATED):
            volatile = _is_volatile(function.__qualname__, function.__globals__)
            defaults = (
                []
                if volatile
                else [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
            )
            written = [*_written(function.__code__), *(_text(each) for each in defaults if _is_leaf(each))]
            self._parts.append(f"{module}:{function.__qualname__} {written}")
            self._assigned.update((module, name) for name in _assigned_by(function.__code__))
            self._add_header(function.__qualname__, function.__globals__)
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # The cell is still empty.
                self._add(cell.cell_contents)
        self._add_named(dict.fromkeys(_names(function.__code__)), function.__globals__, [])

    def _add_named(self, names: Iterable[str], where: Mapping[str, Any], within: list[str]) -> None:
        """What code names, where it finds it: in its module, and in modules that it names (`within`)."""
        module = str(where.get("__name__"))
        for name in names:
            value: Any = where.get(name)
            if _is(value, types.ModuleType):
                if value.__name__ not in within and self._counts(value.__name__):
                    self._add_named(names, vars(value), [*within, value.__name__])
            elif _is_constant(name, value):
                if self._counts(module):
                    self._constants[module, name] = _placed(value, str(where.get("__file__") or ""))
            elif name.isupper() and (table := _table(value)):
                added = self._added(table)
                if self._counts(module):
                    self._constants[module, name] = str(added)
            else:
                self._add(value)
            if not _is(value, types.ModuleType) and name in where:
                self._add_bindings(name, where)

    def _add_bindings(self, name: str, where: Mapping[str, Any]) -> None:
        """How a module makes what it holds under a name; where it imports that, how the other one does."""
        module = str(where.get("__name__"))
        if (module, name) in self._bound or len(self._bound) >= MAX_PARTS or not self._counts(module):
            return
        self._bound.add((module, name))
        if (source := source_of(where)) is None:
            return
        if name in source.assigned | source.volatile:
            self._assigned.add((module, name))
        found = source.bindings.get(name, ())
        if name not in source.assigned and not _is(_bare(where[name]), types.FunctionType, type):
            found += source.definitions.get(name, ())
        self._add_statements(f"{module}:{name} =", found, where)
        there = source.imports.get(name) or [(each, name) for each in source.stars]
        for other, called in there:
            if (names := module_at(other)) is None or called not in names or not self._counts(other):
                continue
            if len(there) == 1 or names[called] is where[name]:
                self._waiting.append(partial(self._add_named, [called], names, []))

    def _add_header(self, qualname: str, where: Mapping[str, Any]) -> None:
        """What decorators and defaults of a function, or the values of a class, are made of."""
        if (source := source_of(where)) is not None:
            self._add_statements(
                f"{where.get('__name__')}:{qualname} <", source.headers.get(qualname, ()), where
            )

    def _add_statements(self, about: str, found: Iterable[Statement], where: Mapping[str, Any]) -> None:
        for each in found:
            self._parts.append(f"{about} {each.text}")
            self._waiting.append(partial(self._add_named, each.names, where, []))

    def _added(self, table: Mapping[object, types.FunctionType | type]) -> list[tuple[str, str]]:
        """What stands where in a table, all of which is added."""
        for each in table.values():
            self._add(each)
        return [(_text(key), each.__qualname__) for key, each in table.items()]

    def _add_class(self, kind: type) -> None:
        name = f"{kind.__module__}:{kind.__qualname__}"
        self._parts.append(f"{name} {[base.__qualname__ for base in kind.__bases__]}")
        where = module_at(kind.__module__) or {}
        self._add_header(kind.__qualname__, where)
        for key, value in vars(kind).items():
            if _is_constant(key, value):
                self._add_value(kind, key, value, where)
            elif key.isupper() and (table := _table(value)):
                self._parts.append(f"{name}.{key} {self._added(table)}")
            elif _is(value, property):
                self._add(value.fget)
                self._add(value.fset)
            elif not _is(value, type):
                self._add(value)
        if issubclass(kind, Enum):
            self._parts.extend(f"{name}.{key} {_text(each)}" for key, each in kind.__members__.items())
        for key, field in vars(kind).get("__pydantic_fields__", {}).items():
            if _is_leaf(field.default):
                self._add_value(kind, key, field.default, where)
            self._add(field.default)

    def _add_value(self, kind: type, key: str, value: object, where: Mapping[str, Any]) -> None:
        """A constant of a class, unless each process makes another one."""
        if not _is_volatile(f"{kind.__qualname__}.{key}", where):
            self._parts.append(f"{kind.__module__}:{kind.__qualname__}.{key} {_text(value)}")

    def _counts(self, module: str) -> bool:
        package = _package(module)
        if package in FRAMEWORKS or package in sys.stdlib_module_names:
            return False
        file = getattr(sys.modules.get(module), "__file__", None)
        return package in self._packages or file is None or is_authors(file)


def _is_volatile(qualname: str, where: Mapping[str, Any]) -> bool:
    """Whether each process makes a value of its own there: a time, a random one."""
    source = source_of(where)
    return source is not None and qualname in source.volatile


def _package(module: str) -> str:
    return module.partition(".")[0]


def _is(value: object, *kinds: type) -> bool:
    """Whether it is one of these, without asking it: what stands for something else may answer anything."""
    return issubclass(type(value), kinds)


def _bare(value: Any) -> Any:
    """What a decorator or a descriptor is around."""
    if _is(value, staticmethod, classmethod):
        return _bare(value.__func__)
    if _is(value, functools.partial, functools.cached_property):
        return _bare(value.func)
    if type(value).__name__ == "PydanticDescriptorProxy":
        return _bare(value.wrapped)
    if _is(value, _CACHED):
        return _bare(value.__wrapped__)
    if _package(type(value).__module__) == "crewai":
        return _wrapped_by_crewai(value)
    return value


def _wrapped_by_crewai(value: Any) -> Any:
    """The method that is one of a flow or of a project's crew, and the function that a tool was made of."""
    within = (
        value.unwrap() if callable(getattr(type(value), "unwrap", None)) else getattr(value, "func", None)
    )
    return value if within is None else _bare(within)


def _is_leaf(value: Any) -> bool:
    if _is(value, tuple, frozenset):
        return all(map(_is_leaf, value))
    return type(value) in _LEAVES or _is(value, Enum)


def _text(value: object) -> str:
    """A leaf, the same in each process."""
    match value:
        case Enum():
            held = _text(value.value) if _is_leaf(value.value) else ""
            return f"{type(value).__qualname__}.{value.name} {held}"
        case frozenset():
            return f"frozenset {sorted(map(_text, value))}"
        case tuple():
            return f"({', '.join(map(_text, value))})"
    return repr(value)


def _placed(value: object, file: str) -> str:
    """A constant of this file. One that says where its code is doesn't depend on where that is installed."""
    folder = Path(file).parent
    if not isinstance(value, str) or not Path(value).is_absolute() or not folder.is_absolute():
        return _text(value)
    own = folder.is_relative_to(value) or Path(value).is_relative_to(folder)
    return repr(os.path.relpath(value, folder) if own else value)


def _is_constant(name: str, value: object) -> bool:
    """None may be there until something is made in its place."""
    return name.isupper() and value is not None and _is_leaf(value)


def _table(value: Any) -> Mapping[object, types.FunctionType | type]:
    """What stands in a dict or list that has nothing but functions and classes; empty if it is none."""
    if not _is(value, dict, list, tuple):
        return {}
    held = dict(value if _is(value, dict) else enumerate(value))
    found = {key: _bare(each) for key, each in held.items()}
    is_table = all(_is_leaf(key) and _is(each, types.FunctionType, type) for key, each in found.items())
    return found if is_table else {}


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code and that of functions within it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield from _codes(each)


def _names(code: types.CodeType) -> Iterator[str]:
    for each in _codes(code):
        yield from each.co_names


def _assigned_by(code: types.CodeType) -> Iterator[str]:
    """The names of its module that the code assigns."""
    for each in _codes(code):
        yield from (found.argval for found in dis.get_instructions(each) if found.opname == "STORE_GLOBAL")


def _written(code: types.CodeType) -> Iterator[str]:
    """What the code does: not where its lines are."""
    for each in _codes(code):
        yield each.co_code.hex()
        yield each.co_exceptiontable.hex()
        yield repr((each.co_names, each.co_varnames, each.co_freevars))
        yield from (_constant(value) for value in each.co_consts if not isinstance(value, types.CodeType))


def _constant(value: object) -> str:
    if isinstance(value, frozenset):  # Its order differs between processes.
        return repr(sorted(map(repr, value)))
    return repr(value)
