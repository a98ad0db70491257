"""Markdown as a tree: tables are tables, and nothing that is to be read gets lost."""

import pytest

from bot.surfaces.chat.markdown import CodeBlock, Table, TextBlock, parsed


def cells(table: Table) -> list[list[str]]:
    return [["".join(span.text for span in cell) for cell in row] for row in table.rows]


def test_a_table_has_its_rows_and_its_source() -> None:
    source = "| a | b |\n|---|---|\n| **1** | [x](https://y.z) |"
    before, table = parsed(f"Before:\n\n{source}")
    assert isinstance(before, TextBlock)
    assert isinstance(table, Table)
    assert cells(table) == [["a", "b"], ["1", "x (https://y.z)"]]
    assert table.source == source


@pytest.mark.parametrize(
    "source",
    [
        "| a | b |\n|---|---|\n| 1 | 2 | cut |",
        "| a |\n|---|\n| `1` | 2 |",
    ],
)
def test_a_table_whose_rows_lose_words_is_its_source(source: str) -> None:
    assert parsed(source) == [CodeBlock(source)]


def test_a_frame_is_just_as_it_is() -> None:
    assert parsed("```\na  b\n\n  *c*\n```") == [CodeBlock("a  b\n\n  *c*")]


def links(source: str) -> list[str]:
    """The addresses that can be followed, each of which is its own text."""
    spans = [span for block in parsed(source) if isinstance(block, TextBlock) for span in block.spans]
    assert all(span.url in {"", span.text} for span in spans)
    return [span.url for span in spans if span.url]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Tides [1].\n\n[1]: https://a.example/one", ["https://a.example/one"]),
        ('[1]: https://a.example "Title"\n[2]: http://b.example', ["https://a.example", "http://b.example"]),
        ("[^3]: See https://c.example/three.", ["https://c.example/three"]),
        ("1. https://a.example/x,\n2. https://b.example/y!", ["https://a.example/x", "https://b.example/y"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("(see https://a.example/x_(y))", ["https://a.example/x_(y)"]),
        ("**https://a.example/x**", ["https://a.example/x"]),
        ("[https://a.example](https://a.example)", ["https://a.example"]),
        ("<https://a.example/x>", ["https://a.example/x"]),
        ("`https://a.example/x`", []),
        ("https://ex\u0430mple.com ftp://a.example javascript:alert(1) https://", []),
    ],
)
def test_addresses_of_sources_lead_where_they_say(source: str, found: list[str]) -> None:
    assert links(source) == found
