"""The rows of the table in docs/crewai.md, and the tests that show each of them."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

PAGE = Path(__file__).resolve().parents[3] / "docs" / "crewai.md"
SHOWN_BY: dict[str, list[str]] = defaultdict(list)
"""The tests, by the row that they show."""
T = TypeVar("T", bound=Callable[..., Any])


def shows(*rows: str) -> Callable[[T], T]:
    """The test shows what docs/crewai.md says in these rows."""

    def shown(test: T) -> T:
        for row in rows:
            SHOWN_BY[row].append(test.__name__)
        return test

    return shown


def rows() -> list[str]:
    """The names of the rows, as the page has them."""
    table = re.findall(r"^\| \*\*(.+?)\*\* \|", PAGE.read_text(), re.MULTILINE)
    return [row.replace("`", "") for row in table]
