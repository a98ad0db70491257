"""What crews and flows a Python file defines, from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from crews.definitions.yaml_lines import Problem

MAX_FILE_BYTES = 1024 * 1024
KICKOFFS = frozenset(
    f"{begun}kickoff{several}{ended}"
    for begun in ("", "a")
    for several in ("", "_for_each")
    for ended in ("", "_async")
)
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
class CrewDefinition:
    """A class, function or variable that makes a crew or a flow."""

    file: PythonFile
    name: str
    line: int
    is_flow: bool


@dataclass(frozen=True)
class FlowCandidate:
    """A class that is a flow if one of its bases is, by their names with their modules."""

    found: CrewDefinition
    bases: frozenset[str]

    @property
    def name(self) -> str:
        """Its name as others may mean it."""
        return f"{self.found.file.module}.{self.found.name}"


@dataclass(frozen=True)
class FileDefinitions:
    """What a file defines; `names_used`: what it imports or mentions."""

    found: tuple[CrewDefinition, ...] = ()
    names_used: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()
    #: All classes that are flows for sure, with their modules; of some others are to be derived.
    flows: frozenset[str] = frozenset()
    derived: tuple[FlowCandidate, ...] = ()
    #: The line of the first `Crew(...)`, wherever it is; 0 without one.
    makes_crew_at: int = 0


class Unparsable(Exception):  # noqa: N818 - says what happened
    """A file that should define crews is no Python."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_file(file: PythonFile, flows: Iterable[str] = ()) -> FileDefinitions | None:
    """What the file defines; None if it names neither CrewAI nor one of these flows of other files.

    Raises Unparsable for one that names one of them and can't be parsed.
    """
    try:
        if file.path.stat().st_size > MAX_FILE_BYTES:
            return FileDefinitions()
        content = file.path.read_bytes()
    except OSError:
        return FileDefinitions()  # its import says so, if anything needs it
    if not any(word in content for word in (*_RELEVANT, *(each.encode() for each in flows))):
        return None
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
        #: What the names imported from crewai and crewdeck stand for.
        self._imported = dict(_imports(tree))
        #: Classes of this file that are flows, and those that are crews.
        self._flows: set[str] = set()
        self._crews: set[str] = set()
        self._derived: list[FlowCandidate] = []

    def content(self) -> FileDefinitions:
        # Where a name is defined more than once, the last definition is what an import leaves.
        found = tuple({each.name: each for each in self._found()}.values())
        used = {
            node.id
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)
        }
        used |= {
            alias.asname or alias.name
            for node in ast.walk(self._tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        flows = frozenset(f"{self._file.module}.{name}" for name in self._flows)
        at_import = _kickoff_in(self._tree.body) if found or self._derived else None
        if at_import is None:
            return FileDefinitions(
                found, frozenset(used), (), flows, tuple(self._derived), self._makes_crew_at()
            )
        wrong = 'runs its crew when it is imported; put that below `if __name__ == "__main__":`'
        return FileDefinitions((), frozenset(used), (Problem(self._file.path, at_import, "", wrong),), flows)

    def _found(self) -> Iterator[CrewDefinition]:
        others: dict[str, list[str]] = {}
        for known, origin in _names_of_others(self._tree, self._file):
            others.setdefault(known, []).append(origin)
        for node in _at_import(self._tree.body):
            match node:
                case ast.ClassDef() if any(self._means(each, "CrewBase") for each in node.decorator_list):
                    yield self._at(node, node.name)
                case ast.ClassDef() if any(self._is_flow(base) for base in node.bases):
                    inherits = any(_plain(base) in self._flows for base in node.bases)
                    self._flows.add(node.name)
                    if inherits or self._has_start(node) or self._is_conversational(node):
                        yield self._at(node, node.name, is_flow=True)
                case ast.ClassDef(bases=[_, *_]) if self._has_start(node):
                    # Nothing else has a method that starts it: its base is a flow of another module.
                    self._flows.add(node.name)
                    yield self._at(node, node.name, is_flow=True)
                case ast.ClassDef():
                    self._may_be_derived(node, others)
                case ast.FunctionDef() if self._is_factory(node):
                    yield self._at(node, node.name)
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
                ) if self._makes_crew(call):
                    yield self._at(node, name)

    def _may_be_derived(self, node: ast.ClassDef, others: dict[str, list[str]]) -> None:
        if any(self._means(base, "Crew") for base in node.bases):
            self._crews.add(node.name)
        bases = frozenset(name for base in node.bases for name in _full_names(base, others))
        if bases:
            self._derived.append(FlowCandidate(self._at(node, node.name, is_flow=True), bases))

    def _makes_crew(self, call: ast.Call) -> bool:
        return self._means(call.func, "Crew") or _plain(call.func) in self._crews

    def _makes_crew_at(self) -> int:
        calls = (node for node in ast.walk(self._tree) if isinstance(node, ast.Call))
        return min((call.lineno for call in calls if self._makes_crew(call)), default=0)

    def _at(self, node: ast.stmt, name: str, *, is_flow: bool = False) -> CrewDefinition:
        return CrewDefinition(self._file, name, node.lineno, is_flow)

    def _means(self, node: ast.expr | None, name: str) -> bool:
        """Whether an expression is this name of CrewAI, called or not, with its module or without."""
        match node:
            case ast.Call(func=function):
                return self._means(function, name)
            case ast.Name(id=written):
                # `from crewai import *` gives all names.
                return self._imported.get(written, written if "*" in self._imported else "") == name
            case ast.Attribute(value=module, attr=attribute):
                return attribute == name and _root(module) in self._imported
            case _:
                return False

    def _is_flow(self, base: ast.expr) -> bool:
        plain = base.value if isinstance(base, ast.Subscript) else base
        return self._means(plain, "Flow") or _plain(plain) in self._flows

    def _has_start(self, node: ast.ClassDef) -> bool:
        """Whether a class has a method that starts a flow; a base class for others has none."""
        decorators = (
            decorator
            for each in node.body
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            for decorator in each.decorator_list
        )
        return any(self._means(each, "start") for each in decorators)

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
        if self._means(_unquoted(node.returns), "Crew"):
            return True
        made = {
            name
            for each in _executed(node.body)
            if isinstance(each, ast.Assign) and isinstance(each.value, ast.Call)
            for name in map(_plain, each.targets)
            if self._makes_crew(each.value)
        }
        if _kickoff_in(node.body) is not None:  # it runs what it returns
            made.clear()
        returned = (each.value for each in _executed(node.body) if isinstance(each, ast.Return))
        return any(
            self._makes_crew(each) if isinstance(each, ast.Call) else _plain(each) in made
            for each in returned
            if each is not None
        )


def _kickoff_in(statements: Iterable[ast.stmt]) -> int | None:
    """The line of a kickoff that runs with these statements."""
    for node in _executed(statements):
        match node:
            case ast.Call(func=ast.Attribute(attr=called)) if called in KICKOFFS:
                return node.lineno
    return None


def _at_import(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that an import executes, also those within others: `if`, `try`, `with` and loops."""
    for node in statements:
        if _is_main(node):
            continue
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = (getattr(node, name, ()) for name in ("body", "orelse", "finalbody"))
            handlers = (each.body for each in getattr(node, "handlers", ()))
            yield from _at_import(chain.from_iterable((*inner, *handlers)))


def _executed(statements: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """Everything that runs with these statements, without what functions do when they are called later."""
    nodes: list[ast.AST] = list(statements)
    for node in nodes:
        if _is_main(node) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        nodes += ast.iter_child_nodes(node)


def _names_of_others(tree: ast.Module, file: PythonFile) -> Iterator[tuple[str, str]]:
    """Names that are imported from elsewhere than CrewAI and Crewdeck, and what they are there, in full."""
    package = file.module if file.path.stem == "__init__" else file.module.rpartition(".")[0]
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=module, level=level) if level or not _theirs(module or ""):
                above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                origin = ".".join(filter(None, (*above, module)))
                yield from ((each.asname or each.name, f"{origin}.{each.name}") for each in node.names)
            case ast.Import(names=names):
                yield from ((each.asname, each.name) for each in names if each.asname)
                yield from ((root := each.name.partition(".")[0], root) for each in names if not each.asname)


def _full_names(base: ast.expr, others: dict[str, list[str]]) -> Iterator[str]:
    """A base class with its module, if it is imported: any that it may be after `from module import *`."""
    plain = base.value if isinstance(base, ast.Subscript) else base
    root = _root(plain)
    if root in others:
        yield from (f"{each}{ast.unparse(plain).removeprefix(root)}" for each in others[root])
    elif _plain(plain):
        yield from (f"{each.removesuffix('*')}{root}" for each in others.get("*", ()))


def _unquoted(annotation: ast.expr | None) -> ast.expr | None:
    """An annotation that is written as a text, as it is meant."""
    match annotation:
        case ast.Constant(value=str(text)):
            try:
                return ast.parse(text, mode="eval").body
            except SyntaxError:
                return None
    return annotation


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


def _required(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional > 0 or any(each is None for each in arguments.kw_defaults)


def _is_main(node: ast.AST) -> bool:
    """Whether this is `if __name__ == "__main__":`."""
    if not isinstance(node, ast.If):
        return False
    names = {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
    return "__name__" in names
