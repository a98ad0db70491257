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
