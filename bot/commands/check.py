"""`crewdeck check`: everything that is wrong with crews, for people and for editors."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.commands.catalogue import check_crews
from bot.commands.table import many, say
from bot.core.text import terminal_safe
from bot.settings import Settings

KEYS = ("file", "line", "column", "key", "severity", "code", "message", "remedy", "crew")
"""What each finding has in JSON, in this order."""


def check(settings: Settings, folders: Sequence[str], *, as_json: bool) -> int:
    """Print the findings about the crews of these folders; 1 if any is an error, else 0.

    Raises SettingsError if they can't be checked at all.
    """
    records = [record for record in check_crews(settings, folders) if "crew" in record]
    found = sorted((each for each in records if each["severity"] != "ok"), key=_order)
    if as_json:
        sys.stdout.write(f"{json.dumps([{key: each[key] for key in KEYS} for each in found], indent=2)}\n")
    else:
        _print(found, crews=len({record["crew"] for record in records}))
    return 1 if any(each["severity"] == "error" for each in found) else 0


def _order(record: dict[str, Any]) -> tuple[object, ...]:
    return record["file"], record["line"], record["column"], record["key"], record["message"]


def _print(found: Sequence[dict[str, Any]], crews: int) -> None:
    for each in found:
        where = shown_place(each) or f"crew {each['crew']}"
        key = f"{each['key']}: " if each["key"] else ""
        line = f"{where}: {each['severity']}: {key}{each['message']} [{each['code']}]"
        say(terminal_safe(line, one_line=True))
        say(terminal_safe(f"    -> {each['remedy']}", one_line=True))
    count = Counter(each["severity"] for each in found)
    told = [many(count[each], each) for each in ("error", "warning") if count[each]]
    say(f"{many(crews, 'crew')} checked: {' and '.join(told) or 'nothing is wrong'}.")


def shown_place(record: dict[str, Any]) -> str:
    """File, line and column of a finding, as compilers print them; empty if it has no file."""
    if not record["file"]:
        return ""
    file, here = Path(record["file"]), Path.cwd()
    shown = str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
    return ":".join([shown, *(str(each) for each in (record["line"], record["column"]) if each)])
