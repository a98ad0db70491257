"""Which inputs a `before_kickoff` sets itself."""

import linecache
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crews.definitions.prepared_inputs import names_set_by

NAME = "<prepared inputs>"


@pytest.fixture
def hook() -> Iterator[Callable[[str], Callable[..., Any]]]:
    """Makes the function of this body, with source that can be read."""

    def made(body: str) -> Callable[..., Any]:
        text = f"def prepare(self, inputs):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        linecache.cache[NAME] = (len(text), None, text.splitlines(keepends=True), NAME)
        defined: dict[str, Callable[..., Any]] = {}
        exec(compile(text, NAME, "exec"), defined)  # noqa: S102 - this file's own text
        return defined["prepare"]

    yield made
    linecache.cache.pop(NAME, None)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("inputs['year'] = 2026\nreturn inputs", "year"),
        ("inputs['a'] = inputs['b'] = 1\nreturn inputs", "a b"),
        ("inputs['a'], inputs['b'] = 1, 2\nreturn inputs", "a b"),
        ("if 'year' not in inputs:\n    inputs['year'] = 2026\nreturn inputs", "year"),
        ("inputs['year'] = inputs.get('year') or 2026\nreturn inputs", "year"),
        ("inputs = inputs or {}\ninputs['year'] = 2026\nreturn inputs", "year"),
        ("made = dict(inputs)\nmade['year'] = 2026\nreturn made", "year"),
        ("made = {**inputs}\nmade.update(year=2026)\nreturn made", "year"),
        ("made = inputs.copy()\nmade.setdefault('year', 2026)\nreturn made", "year"),
        ("inputs.update({'year': 2026, 'a': 1}, b=2)\nreturn inputs", "year a b"),
        ("return {**inputs, 'year': 2026}", "year"),
        ("return {**(inputs or {}), 'year': 2026}", "year"),
        ("return inputs | {'year': 2026}", "year"),
        ("inputs |= {'year': 2026}\nreturn inputs", "year"),
        ("return dict(inputs, year=2026)", "year"),
        ("inputs['year'] = 2026\nprint(inputs['year'])\nreturn inputs", "year"),
        # What it needs has to be given.
        ("inputs['topic'] = inputs['topic'].upper()\nreturn inputs", ""),
        ("inputs['count'] += 1\nreturn inputs", ""),
        ("return {**inputs, 'topic': inputs['topic'].upper()}", ""),
        ("inputs['topic'] = inputs.pop('topic').upper()\nreturn inputs", ""),
        ("if len(inputs) > 1:\n    inputs['year'] = 2026\nprint(inputs['year'])\nreturn inputs", ""),
        ("inputs['a'] = inputs['b']\ninputs['b'] = 1\nreturn inputs", "a"),
        ("self.seen['year'] = 2026\nreturn inputs", ""),
        ("other = {'year': 2026}\nreturn inputs", ""),
        ("inputs[self.name] = 1\nreturn inputs", ""),
        ("return inputs", ""),
    ],
)
def test_what_a_function_sets_need_not_be_given(
    hook: Callable[[str], Callable[..., Any]], body: str, names: str
) -> None:
    assert names_set_by(hook(body)) == frozenset(names.split())


def test_what_can_not_be_read_sets_nothing() -> None:
    assert names_set_by(print) == frozenset()
    assert names_set_by(lambda: None) == frozenset()
    made: dict[str, Any] = {}
    exec("def prepare(inputs): inputs['year'] = 1", made)  # noqa: S102 - without a source
    assert names_set_by(made["prepare"]) == frozenset()
