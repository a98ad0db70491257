"""Which inputs a `before_kickoff` adds itself, from its source: people needn't give them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any


def names_set_by(function: Callable[..., Any]) -> frozenset[str]:
    """The inputs that a function sets without needing their values; `(inputs) -> inputs`, or a method.

    `inputs["year"] = ...`, `inputs.setdefault("year", ...)`, `inputs.update(year=...)` and
    `return {**inputs, "year": ...}` set one; `inputs["year"]` needs the value, `inputs.get("year")` doesn't.
    What can't be read sets none.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return frozenset()
    written = next((node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)), None)
    given = [] if written is None else [*written.args.posonlyargs, *written.args.args]
    given = given[1:] if given and given[0].arg in {"self", "cls"} else given
    return frozenset() if written is None or not given else _names_set(written, given[0].arg)


def _names_set(function: ast.FunctionDef, inputs: str) -> frozenset[str]:
    variables = _copies(function, inputs)
    #: By name: the line from which on it has a value for sure.
    always: dict[str, int] = {}
    for statement in function.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Expr | ast.Return):
            for name in _in([statement], _set, variables):
                always.setdefault(name, statement.end_lineno or statement.lineno)
    nodes = list(ast.walk(function))
    needed = {
        name
        for node in nodes
        for name in _needed(node, variables)
        if getattr(node, "lineno", 0) <= always.get(name, function.end_lineno or 0)
    }
    return frozenset(_in(nodes, _set, variables)) - needed


def _in(
    nodes: Iterable[ast.AST],
    names: Callable[[ast.AST, Collection[str]], Iterator[str]],
    variables: Collection[str],
) -> Iterator[str]:
    """The names that are found in these nodes and all within them."""
    for node in nodes:
        for each in ast.walk(node):
            yield from names(each, variables)


def _copies(function: ast.FunctionDef, inputs: str) -> frozenset[str]:
    """The variables that hold the inputs: the argument, and what is made of it by `dict(inputs)` or alike."""
    found = {inputs}
    for node in ast.walk(function):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if _is_copy(value, found):
                found.add(name)
    return frozenset(found)


def _is_copy(value: ast.expr, variables: Collection[str]) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="dict"), args=[given]):
            return _holds(given, variables)
        case ast.Call(func=ast.Attribute(value=given, attr="copy")):
            return _holds(given, variables)
        case ast.Dict():
            return any(key is None and _holds(each, variables) for key, each in _pairs(value))
        case ast.BinOp(left=left, op=ast.BitOr()):
            return _holds(left, variables)
    return _holds(value, variables)


def _needed(node: ast.AST, variables: Collection[str]) -> Iterator[str]:
    match node:
        case ast.AugAssign(target=ast.Subscript() as read):
            yield from _item(read, variables)
        case ast.Subscript(ctx=ast.Load() | ast.Del()):
            yield from _item(node, variables)
        case ast.Call(func=ast.Attribute(value=owner, attr="pop"), args=[name]) if _holds(owner, variables):
            yield from _text(name)


def _set(node: ast.AST, variables: Collection[str]) -> Iterator[str]:
    match node:
        case ast.Subscript(ctx=ast.Store()):
            yield from _item(node, variables)
        case ast.Call(func=ast.Attribute(value=owner, attr="setdefault"), args=[name, *_]):
            yield from _text(name) if _holds(owner, variables) else ()
        case ast.Call(func=ast.Attribute(value=owner, attr="update")) if _holds(owner, variables):
            yield from _given(node)
        case ast.Call(func=ast.Name(id="dict"), args=[owner]) if _holds(owner, variables):
            yield from _given(node)
        case ast.Dict() if _is_copy(node, variables):
            yield from _keys(node)
        case ast.BinOp(left=owner, op=ast.BitOr(), right=ast.Dict() as more) if _holds(owner, variables):
            yield from _keys(more)
        case ast.AugAssign(target=owner, op=ast.BitOr(), value=ast.Dict() as more) if _holds(
            owner, variables
        ):
            yield from _keys(more)


def _given(call: ast.Call) -> Iterator[str]:
    """What a call of `update` or `dict` gives by name."""
    yield from (each.arg for each in call.keywords if each.arg)
    for each in call.args:
        if isinstance(each, ast.Dict):
            yield from _keys(each)


def _item(node: ast.Subscript, variables: Collection[str]) -> Iterator[str]:
    if _holds(node.value, variables):
        yield from _text(node.slice)


def _keys(node: ast.Dict) -> Iterator[str]:
    for key, _ in _pairs(node):
        yield from _text(key)


def _pairs(node: ast.Dict) -> Iterator[tuple[ast.expr | None, ast.expr]]:
    return zip(node.keys, node.values, strict=True)


def _holds(node: ast.expr, variables: Collection[str]) -> bool:
    """Whether this is one of the variables, also as `inputs or {}`."""
    match node:
        case ast.Name(id=name):
            return name in variables
        case ast.BoolOp(op=ast.Or(), values=[ast.Name(id=name), *_]):
            return name in variables
    return False


def _text(node: ast.expr | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
