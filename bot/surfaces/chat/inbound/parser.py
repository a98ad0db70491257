"""Parses what people type after `/crew`, or after the app's name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from pydantic import JsonValue

from bot.core.errors import InvalidInputs
from bot.core.runs import inputs
from bot.core.runs.crew import Crew
from bot.core.text import drop_invisible

SLASH_COMMAND = "/crew"
VERBS = ("start", "list", "status", "cancel", "console", "link", "unlink", "help")

_DOUBLE, _SINGLE = '"\u201c\u201d\u201e\u201f\uff02', "'\u2018\u2019\u201a\u201b\uff07"
_CLOSES: dict[str, str] = {
    # Which of a kind opens and which closes depends on the language and on Slack's client.
    **dict.fromkeys(_DOUBLE, _DOUBLE),
    **dict.fromkeys(_SINGLE, _SINGLE),
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab\u00bb",
    "\u2039": "\u203a",
    "\u203a": "\u2039\u203a",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
    "\uff62": "\uff63",
    "\u301d": "\u301e\u301f",
}
"""What closes a quotation, by what opens it."""
_KEY = re.compile(r"[\u200b\u2060\ufeff]*([A-Za-z_]\w*)\s?=")
"""A name and its =, perhaps with what is pasted along and can't be seen."""
_BETWEEN = re.compile(r"\b(?:and|or)\b|[\s\W_]", re.IGNORECASE)
_EXACT = frozenset({"link", "unlink"})
"""Commands that are everyday words: nothing is taken for a misspelt one."""
_CODE = re.compile(r"[0-9A-Za-z]{4,8}[- ]?[0-9A-Za-z]{4,8}")
_SPACE, _NO_SPACE = re.compile(r"\s"), re.compile(r"\S")


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
class LinkIdentity:
    """Give me a code; or link me with whose code this is."""

    code: str = ""


@dataclass(frozen=True)
class UnlinkIdentity:
    """Show what is linked with me, to unlink it."""


@dataclass(frozen=True)
class Help:
    """What can be said? `unknown`: the words that were not understood."""

    unknown: str = ""


Command = Start | ListCrews | Status | Cancel | Console | LinkIdentity | UnlinkIdentity | Help


_PLAIN: dict[str, Command] = {
    "list": ListCrews(),
    "console": Console(),
    "help": Help(),
    "": Help(),
}
"""The commands that are one word."""


def parse(text: str) -> Command:
    """The command that `text` is; Help for anything else."""
    verb, rest = _verb(text)
    match verb:
        case "start":
            crew, given_words = _first(rest)
            return Start(drop_invisible(crew), given_words)
        case "status":
            return Status(_run(rest))
        case "cancel":
            return Cancel(_run(rest))
        case "link" if (code := _code(rest)) is not None:
            return LinkIdentity(code)
        case "unlink" if not rest:
            return UnlinkIdentity()
        case plain:
            return _PLAIN.get(plain) or Help(unknown=_unslashed(text))


def is_start(text: str) -> bool:
    """Tell whether `text` is a command that may start a crew."""
    return _first(text)[0].casefold() == "start"


def is_command(text: str) -> bool:
    """Tell whether `text` begins with a command word."""
    return _verb(text)[0] in VERBS and not _mentions_links(text)


def looks_like_command(text: str) -> bool:
    """Tell whether `text` begins with a command word, or with what is probably one misspelt."""
    word = _verb(text)[0]
    if word in _EXACT:
        return not _mentions_links(text)
    return nearest(word, frozenset(VERBS) - _EXACT) is not None


def _mentions_links(text: str) -> bool:
    """Whether words follow that are no code: "link it to the page" is an answer."""
    word, rest = _verb(text)
    return bool(rest) and word in _EXACT and (word != "link" or _code(rest) is None)


def _code(rest: str) -> str | None:
    """The code after `link`, empty if there is none; None if something else follows."""
    code = rest.strip("`*_ ")
    return code if not code or _CODE.fullmatch(code) else None


def says_something(text: str) -> bool:
    """Tell whether there is more in `text` than what may stand between names that are only listed."""
    return bool(_BETWEEN.sub("", text))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that somebody who typed `word` probably meant."""
    by_fold = {each.casefold(): each for each in known}
    close = get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.7)
    return by_fold[close[0]] if close else None


def given(crew: Crew, rest: str) -> dict[str, JsonValue]:
    """The inputs in the words after a crew's name: `key=value` pairs, free text as its main input.

    Before the free text every pair counts, so that a misspelt name is noticed; in it, only known names do.
    Raises InvalidInputs for free text that the crew has no place for, for an input given twice, for a space
    between = and a value, and for a quotation that is opened and not closed.
    """
    names = {field.name for field in crew.inputs}
    return inputs.gather(_pieces(_Text(rest), names), crew.main_input, _unquoted)


class _Text:
    """What was typed. Its quotations are found in linear time: what closes none is searched for once."""

    def __init__(self, typed: str) -> None:
        self.typed = typed
        self._without: set[str] = set()

    def quoted(self, at: int) -> tuple[str, int] | None:
        """What is quoted from `at` on, and where that ends; None if nothing is."""
        closing = _CLOSES.get(self.typed[at : at + 1])
        if closing is None or closing in self._without:
            return None
        found = _closing(closing).search(self.typed, at + 1)
        if found is None:
            self._without.add(closing)
            return None
        return self.typed[at + 1 : found.start()], found.end()

    def word(self, at: int) -> tuple[str, int]:
        """The word at `at`, and where it ends."""
        found = _SPACE.search(self.typed, at)
        end = found.start() if found else len(self.typed)
        return self.typed[at:end], end

    def skip_space(self, at: int) -> int:
        """Where the next word begins."""
        found = _NO_SPACE.search(self.typed, at)
        return found.start() if found else len(self.typed)


@cache
def _closing(characters: str) -> re.Pattern[str]:
    """A closing mark ends its word: other ones are apostrophes, or quotations within the quotation."""
    return re.compile(rf"[{characters}](?=\s|$)")


def _pieces(text: _Text, names: set[str]) -> Iterator[tuple[str | None, str]]:
    """(key, value) for each pair, (None, words) for the free text: a word, or a quotation as it stands."""
    at, in_free_text = 0, False
    while (at := text.skip_space(at)) < len(text.typed):
        pair = _KEY.match(text.typed, at)
        key = _known(pair[1], names) if pair else None
        if pair and (key is not None or (not in_free_text and not pair[0][-2].isspace())):
            value, at = _value(text, pair.end(), key or pair[1])
            yield key or pair[1], value
        else:
            quoted = text.quoted(at)
            begun, (word, end) = at, text.word(at)
            if quoted is None and not in_free_text and word[0] in _CLOSES and word[0] not in _SINGLE:
                raise InvalidInputs({"words": _unclosed(word[0])})
            at = quoted[1] if quoted else end
            in_free_text = True
            yield None, text.typed[begun:at]


def _known(key: str, names: set[str]) -> str | None:
    return key if key in names else next((name for name in names if name.casefold() == key.casefold()), None)


def _value(text: _Text, at: int, name: str) -> tuple[str, int]:
    """A value, quoted or one word, and where it ends. Raises InvalidInputs."""
    quoted = text.quoted(at)
    if quoted is not None:
        return quoted
    word, end = text.word(at)
    if not word and text.skip_space(at) < len(text.typed):
        raise InvalidInputs({name: f'has no value: write it directly after the =, or {name}="" for nothing'})
    if word and word[0] in _CLOSES:
        raise InvalidInputs({name: _unclosed(word[0])})
    return word, end


def _unclosed(mark: str) -> str:
    closing = mark if mark in _CLOSES[mark] else _CLOSES[mark][-1]
    return f"has a quotation that is opened with {mark} and not closed: end it with {closing}"


def _unquoted(typed: str) -> str:
    quoted = _Text(typed).quoted(0)
    return quoted[0].strip() if quoted is not None and quoted[1] == len(typed) else typed


def _verb(text: str) -> tuple[str, str]:
    """The command word as it is meant, and what follows it."""
    word, rest = _first(_unslashed(text))
    return _folded(word), rest


def _unslashed(text: str) -> str:
    """Whole slash commands are mentioned, too: Slack takes none in threads."""
    word, rest = _first(text)
    said = rest if _folded(word) == SLASH_COMMAND else text
    return said.strip().removeprefix("/")


def _folded(word: str) -> str:
    return drop_invisible(word).casefold()


def _first(text: str) -> tuple[str, str]:
    """The first word, and what follows it. Every kind of space separates words."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0].strip() if rest else ""


def _run(rest: str) -> str:
    return _first(rest)[0].strip("`*_").lower()
