"""What people type after `/crew`, or after the app's name: words in, a command out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import JsonValue

from bot.core import inputs
from bot.core.model import Crew

VERBS = ("start", "list", "status", "cancel", "console", "help")

#: What closes a quotation, by what opens it: Slack's clients type the curly ones for people.
_DOUBLE, _SINGLE = '"\u201c\u201d', "'\u2018\u2019"
_QUOTES = {**dict.fromkeys(_DOUBLE, _DOUBLE), **dict.fromkeys(_SINGLE, _SINGLE), "\u00ab": "\u00bb"}
_KEY = re.compile(r"([A-Za-z_]\w*)\s?=")


@dataclass(frozen=True)
class Start:
    """Start a crew. `rest` is what followed its name: `given` reads it, once the crew is known."""

    crew: str
    rest: str = ""


@dataclass(frozen=True)
class ListCrews:
    """Show which crews there are."""


@dataclass(frozen=True)
class Status:
    """Show how a run is, or how mine are (no run named)."""

    run: str = ""


@dataclass(frozen=True)
class Cancel:
    """Cancel a run, or offer mine to choose from (no run named)."""

    run: str = ""


@dataclass(frozen=True)
class Console:
    """Give me a link that opens the console as me."""


@dataclass(frozen=True)
class Help:
    """What can be said? `unknown`: the words that were not understood."""

    unknown: str = ""


Command = Start | ListCrews | Status | Cancel | Console | Help


_PLAIN: dict[str, Command] = {"list": ListCrews(), "console": Console(), "help": Help(), "": Help()}
"""The commands that are one word."""


def parse(text: str) -> Command:
    """The command that `text` is; Help for anything else."""
    verb, rest = _first(text)
    match verb.casefold():
        case "start":
            return Start(*_first(rest))
        case "status":
            return Status(_run(rest))
        case "cancel":
            return Cancel(_run(rest))
        case plain:
            return _PLAIN.get(plain) or Help(unknown=text.strip())


def is_command(text: str) -> bool:
    """Tell whether `text` begins with one of the command words."""
    return _first(text)[0].casefold() in VERBS


def looks_like_command(text: str) -> bool:
    """Tell whether `text` begins with a command word, or with what is probably one misspelt."""
    return nearest(_first(text)[0], VERBS) is not None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that somebody who typed `word` probably meant."""
    by_fold = {each.casefold(): each for each in known}
    close = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.7)
    return by_fold[close[0]] if close else None


def given(crew: Crew, rest: str) -> dict[str, JsonValue]:
    """The inputs in the words after a crew's name: `key=value` pairs, free text as its main input.

    Before the free text every pair counts, so that a misspelt name is noticed; in it, only known names do.
    Raises InvalidInputs for free text that the crew has no place for, and for an input given twice.
    """
    names = {field.name for field in crew.inputs}
    return inputs.gather(_pieces(rest, names), crew.main_input, _unquoted)


def _pieces(rest: str, names: set[str]) -> Iterator[tuple[str | None, str]]:
    """(key, value) for each pair, (None, word) for each word of the free text."""
    at, in_free_text = 0, False
    while (at := _skip_space(rest, at)) < len(rest):
        pair = _KEY.match(rest, at)
        key = _known(pair[1], names) if pair else None
        if pair and (key is not None or (not in_free_text and not pair[0][-2].isspace())):
            value, at = _value(rest, pair.end())
            yield key or pair[1], value
        else:
            end = _word_end(rest, at)
            in_free_text = True
            yield None, rest[at:end]
            at = end


def _known(key: str, names: set[str]) -> str | None:
    return next((name for name in names if name.casefold() == key.casefold()), None)


def _value(rest: str, at: int) -> tuple[str, int]:
    """A value, quoted or one word, and where it ends."""
    quoted = _quoted(rest, at)
    if quoted is not None:
        return quoted
    end = _word_end(rest, at)
    return rest[at:end], end


def _quoted(rest: str, at: int) -> tuple[str, int] | None:
    """What is quoted from `at` on, and where that ends; None if nothing is."""
    closing = _QUOTES.get(rest[at : at + 1])
    if closing is None:
        return None
    for end in range(at + 1, len(rest)):
        if rest[end] in closing and (end + 1 == len(rest) or rest[end + 1].isspace()):
            return rest[at + 1 : end], end + 1
    return None


def _unquoted(text: str) -> str:
    quoted = _quoted(text, 0)
    return quoted[0].strip() if quoted is not None and quoted[1] == len(text) else text


def _first(text: str) -> tuple[str, str]:
    word, _, rest = text.strip().partition(" ") if " " in text.strip() else (text.strip(), "", "")
    head, newline, tail = word.partition("\n")
    return (head, f"{tail} {rest}".strip()) if newline else (word, rest.strip())


def _run(rest: str) -> str:
    return _first(rest)[0].strip("`*_").lower()


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _word_end(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace():
        at += 1
    return at
