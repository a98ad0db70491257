"""What crews and flows a Python file defines, from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from crews.definitions.yaml_lines import Problem

MAX_FILE_BYTES = 1024 * 1024
KICKOFFS = frozenset({"kickoff", "kickoff_async", "akickoff", "kickoff_for_each"})
DECORATORS = frozenset({"crew", "register"})
"""Decorators of Crewdeck for factories."""
_RELEVANT = (b"crewai", b"crewdeck")
"""A file without any of these has no crew."""


@dataclass(frozen=True)
class PythonFile:
    """A file, and the name under which it is imported."""

    path: Path
    module: str


@dataclass(frozen=True)
class Found:
    """A class, function or variable that makes a crew or a flow."""

    file: PythonFile
    name: str
    line: int
    is_flow: bool


@dataclass(frozen=True)
class Content:
    """What a file defines; `names_used`: what it imports or mentions."""

    found: tuple[Found, ...] = ()
    names_used: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()


class Unparsable(Exception):  # noqa: N818 - says what happened
    """A file that should define crews is no Python."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_file(file: PythonFile) -> Content:
    """What the file defines. Raises Unparsable for one that can't be parsed and names CrewAI."""
    try:
        if file.path.stat().st_size > MAX_FILE_BYTES:
            return Content()
        content = file.path.read_bytes()
    except OSError:
        return Content()  # its import says so, if anything needs it
    if not any(word in content for word in _RELEVANT):
        return Content()
    try:
        tree = ast.parse(content, file.path.name)  # in the encoding that it says, like an import
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 0
        raise Unparsable(Problem(file.path, line, "", f"is no Python: {error}")) from error
    return _Reader(file, tree).content()


class _Reader:
    def __init__(self, file: PythonFile, tree: ast.Module) -> None:
        self._file = file
        self._tree = tree
        #: What names stand for, of what is imported from crewai and crewdeck.
        self._imported = dict(_imports(tree))

    def content(self) -> Content:
        found = tuple(self._found())
        used = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}
        used |= {
            alias.asname or alias.name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        at_import = self._kickoff_at_import() if found else None
        if at_import is None:
            return Content(found, frozenset(used))
        wrong = 'runs its crew when it is imported; put that below `if __name__ == "__main__":`'
        return Content((), frozenset(used), (Problem(self._file.path, at_import, "", wrong),))

    def _found(self) -> Iterator[Found]:
        flows: set[str] = set()
        for node in self._tree.body:
            match node:
                case ast.ClassDef() if any(self._means(each, "CrewBase") for each in node.decorator_list):
                    yield self._at(node, node.name)
                case ast.ClassDef() if any(self._is_flow(base, flows) for base in node.bases):
                    flows.add(node.name)
                    inherits = any(_plain(base) in flows for base in node.bases)
                    if inherits or _has_start(node) or self._is_conversational(node):
                        yield self._at(node, node.name, is_flow=True)
                case ast.FunctionDef() if self._is_factory(node):
                    yield self._at(node, node.name)
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
                ) if self._means(call.func, "Crew"):
                    yield self._at(node, name)

    def _at(self, node: ast.stmt, name: str, *, is_flow: bool = False) -> Found:
        return Found(self._file, name, node.lineno, is_flow)

    def _means(self, node: ast.expr | None, name: str) -> bool:
        """Whether an expression is this name of CrewAI, called or not, with its module or without."""
        match node:
            case ast.Call(func=function):
                return self._means(function, name)
            case ast.Name(id=written):
                return self._imported.get(written) == name
            case ast.Attribute(value=module, attr=attribute):
                return attribute == name and _root(module) in self._imported
            case _:
                return False

    def _is_flow(self, base: ast.expr, flows: set[str]) -> bool:
        plain = base.value if isinstance(base, ast.Subscript) else base
        return self._means(plain, "Flow") or _plain(plain) in flows

    def _is_conversational(self, node: ast.ClassDef) -> bool:
        """Whether CrewAI adds the methods of a conversation to a flow."""
        if any(self._means(each, "ConversationConfig") for each in node.decorator_list):
            return True
        for each in node.body:
            match each:
                case (
                    ast.Assign(targets=[ast.Name(id="conversational")], value=ast.Constant(value=True))
                    | ast.AnnAssign(target=ast.Name(id="conversational"), value=ast.Constant(value=True))
                ):
                    return True
        return False

    def _is_factory(self, node: ast.FunctionDef) -> bool:
        """Whether a function makes a crew: without arguments, or as Crewdeck declares it."""
        if any(self._means(each, name) for each in node.decorator_list for name in DECORATORS):
            return True
        if node.name.startswith("_") or node.decorator_list or _required(node.args):
            return False
        returned = (each.value for each in ast.walk(node) if isinstance(each, ast.Return))
        return self._means(node.returns, "Crew") or any(
            isinstance(each, ast.Call) and self._means(each.func, "Crew") for each in returned
        )

    def _kickoff_at_import(self) -> int | None:
        """The line of a kickoff that an import would execute."""
        definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        executed = [
            node for node in self._tree.body if not isinstance(node, definitions) and not _is_main(node)
        ]
        for node in chain.from_iterable(map(ast.walk, executed)):
            match node:
                case ast.Call(func=ast.Attribute(attr=called)) if called in KICKOFFS:
                    return node.lineno
        return None


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that are imported from CrewAI or Crewdeck, and what they are there; "" for a whole package."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), level=0) if _theirs(module):
                yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
            case ast.Import():
                modules = (alias for alias in node.names if _theirs(alias.name))
                yield from ((alias.asname or alias.name.partition(".")[0], "") for alias in modules)


def _theirs(module: str) -> bool:
    return module.partition(".")[0] in {"crewai", "crewdeck"}


def _plain(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.expr) -> str:
    """The first name of a dotted one."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return _plain(node)


def _has_start(node: ast.ClassDef) -> bool:
    """Whether a flow has a method that starts it; a base class for others has none."""
    decorators = (
        decorator
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in each.decorator_list
    )
    functions = (each.func if isinstance(each, ast.Call) else each for each in decorators)
    return any("start" in {_plain(each), getattr(each, "attr", "")} for each in functions)


def _required(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional > 0 or any(each is None for each in arguments.kw_defaults)


def _is_main(node: ast.stmt) -> bool:
    """Whether this is `if __name__ == "__main__":`."""
    if not isinstance(node, ast.If):
        return False
    names = {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
    return "__name__" in names
