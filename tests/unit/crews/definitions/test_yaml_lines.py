"""YAML files of crews as people leave them: what is wrong is one line, and costs its crew only."""

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.core.forms import validation
from crews.definitions import yaml_lines, yaml_nodes
from crews.definitions.defined_crews import read
from crews.definitions.yaml_lines import Unreadable
from tests.examples import examples
from tests.linear import LINEAR, growth
from tests.unit.crews.definitions import test_defined_crews
from tests.unit.crews.definitions.test_defined_crews import folder, only

AGENTS = test_defined_crews.AGENTS.replace("[search, ", "[")
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
TOWER = "l0: &l0 [x]\n" + "".join(f"l{n}: &l{n} [*l{n - 1}]\n" for n in range(1, 200))


def _file(root: Path, text: str | bytes) -> Path:
    file = root / "crew.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def problem(root: Path, text: str | bytes) -> str:
    """What is said of a file that can't be read, without its folder."""
    with pytest.raises(Unreadable) as refused:
        yaml_lines.read(_file(root, text))
    assert "\n" not in str(refused.value)
    return str(refused.value).removeprefix(f"{root}/")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: Tides\nmodel: !ENV X\n", "crew.yaml:2: has the tag !ENV"),
        ("a: !!python/object/apply:os.system [id]\n", "crew.yaml:1: has the tag !!python/object/apply:os.s"),
        ("a: !!binary aGk=\n", "crew.yaml:1: has the tag !!binary"),
        ("a: !!set {x, y}\n", "crew.yaml:1: has the tag !!set"),
        ("a:\n  - !!int many\n", "crew.yaml:2: !!int doesn't go with 'many'"),
        ("a: !!int 1.5\n", "crew.yaml:1: !!int doesn't go with '1.5'"),
        ("a: !!bool yes\n", "crew.yaml:1: !!bool doesn't go with 'yes'"),
        ("a: 1\nb: &b\n  c: *b\n", "crew.yaml:3: *b stands for something that it is in itself"),
        ("&r [*r]\n", "crew.yaml:1: *r stands for something that it is in itself"),
        ("a: *nowhere\n", "crew.yaml:1: *nowhere stands for nothing"),
        ("a: " + "[" * 3000 + "]" * 3000, "crew.yaml:1: is nested in more than 50 levels"),
        ("a: " + "{b: " * 3000 + "}" * 3000, "crew.yaml:1: is nested in more than 50 levels"),
        ("- " * 3000 + "x\n", "crew.yaml:1: is nested in more than 50 levels"),
        (TOWER, "crew.yaml:50: is nested in more than 50 levels, aliases counted in full"),
        (BOMB, "crew.yaml:5: has more than 20,000 values in it, aliases counted in full"),
        ("- x\n" * 20_001, "crew.yaml:20000: has more than 20,000 values"),
        ("a: 1\nb: 2\na: 3\n", "crew.yaml:3: a: is there twice (also in line 1)"),
        ("1: a\n'1': b\n", "crew.yaml:2: 1: is there twice"),
        ("? [a, b]\n: c\n", "crew.yaml:1: has a key that isn't text"),
        ("a: 1\n<<: [x]\n", "crew.yaml:2: <<: takes the keys of an alias"),
        ("a:\n\tb: 1\n", "crew.yaml:2: is no YAML: found character '\\t' that cannot start any token"),
        ("a: 1\nb: x\0y\n", "crew.yaml:2: is no YAML: there is a character U+0000 in it"),
        (b"title: caf\xe9\n", "crew.yaml:1: can't be read: it is no UTF-8 text"),
        ("title: Tides\n".encode("utf-16"), "crew.yaml:1: can't be read: it is no UTF-8 text"),
        ("a: 1\n--- \nb: 2\n", "crew.yaml:2: has several documents"),
        ('a: "\\ud83d"\n', "crew.yaml:"),
        ('a: "\\U00110000"\n', "crew.yaml:"),
        ("a: {b: c\n", "crew.yaml:2: is no YAML: "),
        ("%YAML 3.0\n---\na: 1\n", "crew.yaml:1: is no YAML: "),
        ("a: " + "9" * 5000, "crew.yaml:1: has a number of 5,000 digits"),
        ("a: " + "x" * yaml_lines.MAX_FILE_BYTES, "crew.yaml: can't be read: it is larger than 512 KiB"),
    ],
)
def test_what_can_not_be_read_is_one_line_with_file_and_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    assert problem(tmp_path, text).startswith(said)


def test_what_stands_in_place_of_a_file_is_named_and_nobody_waits_for_it(tmp_path: Path) -> None:
    ways: dict[str, Callable[[Path], object]] = {
        "directory": lambda at: at.mkdir(),
        "pipe": os.mkfifo,
        "loop": lambda at: at.symlink_to(at),
        "dangling": lambda at: at.symlink_to(at.parent / "nothing"),
        "device": lambda at: at.symlink_to("/dev/zero"),
    }
    folder(tmp_path)
    for name, make in ways.items():
        home = folder(tmp_path, name)
        (home / "crew.yaml").unlink()
        make(home / "crew.yaml")
    defined = read([tmp_path])
    assert only(defined) == "tides"
    told = [str(each).removeprefix(f"{tmp_path}/").partition(":")[0] for each in defined.problems]
    assert told == [f"{name}/crew.yaml" for name in sorted(ways)]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "- a list\n", "words\n", "~\n"])
def test_a_file_with_nothing_to_read_in_it_is_told(tmp_path: Path, text: str) -> None:
    folder(tmp_path)
    for file in ("crew", "agents", "tasks"):
        folder(tmp_path, f"no-{file}")
        (tmp_path / f"no-{file}" / f"{file}.yaml").write_text(text)
    defined = read([tmp_path])
    assert only(defined) == "tides"
    assert {each.file.parent.name for each in defined.problems} == {"no-crew", "no-agents", "no-tasks"}


@pytest.mark.parametrize("text", [BOMB, TOWER, "a: !ENV X\n", "&a [*a]\n", "a: !!int x\n", "[" * 3000])
def test_a_file_that_can_not_be_read_costs_its_own_crew_only(tmp_path: Path, text: str) -> None:
    folder(tmp_path)
    folder(tmp_path, "waves", crew=text)
    folder(tmp_path, "winds", tasks=text)
    defined = read([tmp_path])
    assert only(defined) == "tides"
    assert {each.file.parent.name for each in defined.problems} == {"waves", "winds"}


AS_WRITTEN = [
    "12:30", "0123", "1.10", "1_000", "yes", "no", "on", "off", "Y", "true", "False", "1e3", "0x1F", "0o17",
    "-0", "+1", ".5", "1.", "2025-02-30", "2024-13-01", "2024-01-01T10:00:00Z", "1,5", ".inf", "190:20:30",
]  # fmt: skip


@pytest.mark.parametrize("text", AS_WRITTEN)
@pytest.mark.parametrize("kind", ["string", "text"])
def test_the_default_of_text_is_what_is_written(tmp_path: Path, kind: str, text: str) -> None:
    crew = f"title: T\ninputs:\n  topic:\n    type: {kind}\n    default: {text}\n  tone: {{}}\n"
    folder(tmp_path, crew=crew, agents=AGENTS)
    [topic, _] = read([tmp_path]).definitions["tides"].card().inputs
    assert topic.default == text


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_choices_and_titles_are_what_is_written(tmp_path: Path, text: str) -> None:
    tone = f"    type: choice\n    choices:\n    - a\n    - {text}\n    default: {text}\n"
    crew = f"title: {text}\ninputs:\n  tone:\n{tone}"
    agents = f"writer:\n  role: {text}\n  goal: {text}\n  backstory: b\n"
    tasks = f"first:\n  description: {text}\n  expected_output: {text}\n  agent: writer\n"
    folder(tmp_path, crew=crew, agents=agents, tasks=tasks)
    defined = read([tmp_path])
    assert defined.problems == ()
    definition = defined.definitions["tides"]
    [field] = definition.card().inputs
    assert (definition.crew.title, field.choices, field.default) == (text, ("a", text), text)
    assert (definition.agents["writer"].role, definition.tasks["first"].description) == (text, text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "3", 3),
        ("integer", "'3'", 3),
        ("integer", "0x1F", 31),
        ("number", "1.10", 1.1),
        ("number", "1e3", 1000.0),
        ("boolean", "yes", True),
        ("boolean", "off", False),
        ("boolean", "true", True),
        ("date", "2025-02-28", "2025-02-28"),
        ("string", "null", None),
        ("string", "~", None),
        ("string", "", None),
        ("string", "'null'", "null"),
        ("string", "!!str 5", "5"),
        ("string", '"12:30"', "12:30"),
    ],
)
def test_a_default_is_of_the_declared_type(tmp_path: Path, kind: str, text: str, value: object) -> None:
    crew = f"title: T\ninputs:\n  topic:\n    type: {kind}\n    default: {text}\n  tone: {{}}\n"
    folder(tmp_path, crew=crew, agents=AGENTS)
    defined = read([tmp_path])
    assert defined.problems == ()
    topic = defined.definitions["tides"].card().inputs[0]
    assert topic.default == value
    assert type(topic.default) is type(value)
    if value is not None:
        assert validation.parse(topic, validation.default_of(topic)) == value


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("date", "2025-02-30", "must be a date such as 2026-03-31, not '2025-02-30'"),
        ("date", "2024-13-01", "must be a date such as 2026-03-31, not '2024-13-01'"),
        ("date", "2025", "must be a date such as"),
        ("integer", "1.5", "must be a whole number"),
        ("number", ".inf", "must be a number"),
        ("number", "1e999", "must be a number"),
        ("boolean", "maybe", "must be yes or no"),
    ],
)
def test_a_default_of_another_type_is_told_with_its_line(
    tmp_path: Path, kind: str, text: str, said: str
) -> None:
    folder(tmp_path)
    folder(tmp_path, "waves", crew=f"title: T\ninputs:\n  day: {{type: {kind}, default: {text}}}\n")
    defined = read([tmp_path])
    assert only(defined) == "tides"
    assert str(defined.problems[0]).startswith(
        f"{tmp_path}/waves/crew.yaml:3: inputs.day: its default {said}"
    )


def test_merge_keys_work_and_what_is_written_beside_them_counts(tmp_path: Path) -> None:
    crew = """\
title: T
inputs:
  topic: &base {type: integer, required: true, description: of the base}
  tone:
    <<: *base
    type: number
  both:
    <<: [{description: first}, *base]
"""
    folder(tmp_path, crew=crew, agents=AGENTS)
    topic, tone, both = read([tmp_path]).definitions["tides"].crew.inputs.values()
    assert (topic.type, tone.type, both.type) == ("integer", "number", "integer")
    assert (tone.required, tone.description, both.description) == (True, "of the base", "first")


def test_aliases_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    document = yaml_lines.read(_file(tmp_path, "\ufeffa: &x [1, 2]\nb: *x\nc: *x\n"))
    assert document.content == {"a": [1, 2], "b": [1, 2], "c": [1, 2]}
    assert document.positions["b",] == (2, 1)


def test_a_key_in_quotes_merges_nothing(tmp_path: Path) -> None:
    assert yaml_lines.read(_file(tmp_path, "'<<': 1\n")).content == {"<<": 1}


def test_what_a_number_looks_like_is_kept_for_tags_and_other_texts(tmp_path: Path) -> None:
    document = yaml_lines.read(_file(tmp_path, "a: 0123\nb: '0123'\nc: [on, 1_000]\n"))
    assert document.content == {"a": 123, "b": "0123", "c": ["on", "1_000"]}
    assert document.written["a",] == "0123"


# fmt: off
MARKS = "-:?,[]{}#&*!|>'\"%@`\t\n ~=<\\"
PIECES = st.lists(
    st.sampled_from([
        *MARKS, "\r\n", "<<: *a\n", "&a ", "*a", "- ", ": ", "? ", "!!int ", "---\n", "...\n",
        "%YAML 1.1\n", "\\x", "\\u12", "\\ud800", "\x85", "\u2028", "\ufeff", "\x00", "!<tag:x> ", "|2-\n",
    ]) | st.text(max_size=6),
    max_size=40,
).map("".join)
# fmt: on


@settings(
    max_examples=examples(600), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(PIECES)
@example("!<\n")
@example("- !!\n")
@example("a: |99\n b")
def test_whatever_is_in_a_file_it_is_read_or_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "crew.yaml"
    file.write_bytes(text.encode(errors="surrogatepass"))
    problems = []
    try:
        yaml_lines.read(file)
    except Unreadable as error:
        problems.append(str(error))
    assert all(each.startswith(str(file)) and each.isprintable() for each in problems)


TREES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=20),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(
    max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.text(max_size=8), TREES, max_size=4))
def test_what_is_quoted_comes_back_as_it_was(tmp_path: Path, content: dict[str, object]) -> None:
    """JSON is YAML: whatever the strings look like, they stay strings."""
    assert yaml_lines.read(_file(tmp_path, json.dumps(content))).content == content


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "[" * 9,
        "{a: " * 9,
        "- " * 9,
        "&a " * 9,
        "*a " * 9,
        "! " * 9,
        "a:\n" * 9,
        "'" * 9,
        '"\\' * 9,
        "# x\n" * 9,
    ],
)
def test_reading_takes_time_by_the_length_of_the_file(text: str) -> None:
    def read(times: int) -> None:
        with contextlib.suppress(yaml_nodes.Invalid):
            yaml_nodes.compose(text * times)

    assert growth(read, 1000) < LINEAR


def test_what_is_read_again_is_not_parsed_again_and_shares_nothing(tmp_path: Path) -> None:
    file = _file(tmp_path, "a: {b: [0123, c]}\n" + "".join(f"k{i}: [{i}, x]\n" for i in range(900)))
    begun = time.thread_time()
    first = yaml_lines.read(file)
    parsed = time.thread_time() - begun
    begun = time.thread_time()
    again = [yaml_lines.read(file) for _ in range(5)]
    assert time.thread_time() - begun < parsed
    assert again == [first] * 5
    assert isinstance(first.content, dict)
    first.content["a"]["b"].append("d")  # type: ignore[index, call-overload, union-attr]
    first.positions.clear()
    first.written.clear()
    assert yaml_lines.read(file) == again[0] != first
    other = _file(tmp_path, file.read_text().replace("0123", "0124"))
    assert yaml_lines.read(other).content["a"] == {"b": [124, "c"]}  # type: ignore[index, call-overload]


def test_the_crews_that_ship_read_as_with_pyyaml() -> None:
    config = Path(__file__).parents[4] / "config"
    for file in config.glob("*/*.yaml"):
        assert yaml_lines.read(file).content == yaml.safe_load(file.read_text())
