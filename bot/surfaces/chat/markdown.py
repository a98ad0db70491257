"""Markdown that crews write, as a tree that no platform owns. Pure, in linear time.

It is parsed as CommonMark says, and nothing that is to be read gets lost: a link is shown as its text and all
of its target, code as it stands, with the words behind its fence, and a table with its source. Only marks of
Markdown itself are left out, where they have their effect. Definitions of links are shown as they stand, and
addresses in the text, such as those of sources, can be followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.core.text import visible

Style = Literal["bold", "italic", "strike", "code"]


@dataclass(frozen=True)
class StyledText:
    """Text of one style, to be shown literally. `url`: it leads there, and its text says so."""

    text: str
    styles: frozenset[Style] = frozenset()
    url: str = ""


StyledTexts = tuple[StyledText, ...]


@dataclass(frozen=True)
class TextBlock:
    """Paragraphs, headings, lists and quotations, with line feeds between their lines."""

    spans: StyledTexts


@dataclass(frozen=True)
class CodeBlock:
    """Text just as it is."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table: its rows, the head first, and its source for platforms that have no tables."""

    rows: tuple[tuple[StyledTexts, ...], ...]
    source: str

    @property
    def complete(self) -> bool:
        """Whether every word of the source is in the rows."""
        cells = (span.text for row in self.rows for cell in row for span in cell)
        return _words("".join(cells)) == _words(self.source)


MarkdownBlock = TextBlock | CodeBlock | Table

MAX_NESTING = 20
"""Nested brackets and blocks that are looked into; the parser takes square time to look into all."""
_BARE_ADDRESS = re.compile(r"https?://[^\s<>\"'\]]{1,2000}")
_PUNCTUATION = ".,;:!?*"
"""What ends a sentence or a clause, and no address."""
_ADDRESS = re.compile(r"https?://[\w.~:/?#\[\]@!$&'()*+,;=%-]{1,2000}", re.ASCII)
_STYLES: dict[str, Style] = {"strong": "bold", "em": "italic", "s": "strike"}
_RULE = "────────"
_HEADING: frozenset[Style] = frozenset({"bold"})
_CODE: frozenset[Style] = frozenset({"code"})


def parsed(markdown: str) -> list[MarkdownBlock]:
    """The text as blocks, with everything in it visible; none if there is nothing in it to be seen."""
    source = visible(markdown)
    lines = source.split("\n")
    page = _Page()
    tokens = iter(_parser().parse(_guarded(source)))
    for token in tokens:
        if token.type == "table_open":
            first, end = token.map or (0, 0)
            page.table(Table(_rows(tokens), "\n".join(lines[first:end])))
        else:
            page.take(token)
    return page.finished()


class _Parser(MarkdownIt):
    """A parser that leaves addresses as they were written."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the parser's own name
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "maxNesting": MAX_NESTING})
    parser.enable(["table", "strikethrough"]).disable("reference")
    return parser


def _guarded(source: str) -> str:
    """Each `&` as an entity: entities in the text, which the parser resolves, come out as they went in."""
    return source.replace("&", "&amp;")


def _unguarded(code: str) -> str:
    """What is code is not resolved by the parser."""
    return code.replace("&amp;", "&")


def _words(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _rows(tokens: Iterator[Token]) -> tuple[tuple[StyledTexts, ...], ...]:
    """The cells of a table, whose opening was read; all of it is read."""
    rows: list[tuple[StyledTexts, ...]] = []
    for token in tokens:
        match token.type:
            case "table_close":
                break
            case "tr_open":
                rows.append(())
            case "inline":
                lines = _lines(token.children or [], frozenset())
                rows[-1] = (*rows[-1], _joined(_line_feeds(lines)))
            case _:
                continue
    return tuple(rows)


def _line_feeds(lines: Sequence[Sequence[StyledText]]) -> list[StyledText]:
    return [span for at, line in enumerate(lines) for span in ((StyledText("\n"), *line) if at else line)]


class _Page:
    """What has been read so far, one block below the other."""

    def __init__(self) -> None:
        self._blocks: list[MarkdownBlock] = []
        self._line: list[StyledText] = []
        #: What stands before each line here: of quotations and lists around it.
        self._before: list[str] = []
        #: A list item's mark, until its first line has it.
        self._mark = ""
        self._heading = False

    def take(self, token: Token) -> None:
        """One token of a block."""
        match token.type:
            case "inline":
                self._paragraph(token.children or [])
            case "fence" | "code_block":
                self.frame(_unguarded(token.content), about=token.info.strip())
            case "hr":
                self._write([_text(_RULE)])
            case "heading_open" | "heading_close":
                self._heading = token.nesting > 0
            case "blockquote_open":
                self._before.append("> ")
            case "list_item_open":
                if self._mark:
                    self._write([])  # an item that begins with a list
                self._mark = f"{token.info}{token.markup} " if token.info else "• "
                self._before.append("    ")
            case "blockquote_close" | "list_item_close":
                self._close_item(token)
            case _:
                return  # Lists and paragraphs as such: what is in them is shown.

    def _close_item(self, token: Token) -> None:
        if token.type == "list_item_close" and self._mark:
            self._write([])  # an item without words
        self._before.pop()

    def _paragraph(self, children: Sequence[Token]) -> None:
        for spoken in _lines(children, _HEADING if self._heading else frozenset()):
            self._write(spoken)

    def _write(self, spoken: Sequence[StyledText]) -> None:
        before = "".join(self._before)
        if self._mark:
            before = "".join(self._before[:-1]) + self._mark
            self._mark = ""
        if self._line:
            self._line.append(_text("\n"))
        self._line += [_text(before), *spoken] if before else spoken

    def frame(self, text: str, about: str = "") -> None:
        """Text just as it is, in a frame, with what is said about it before."""
        if about or self._mark:
            self._write([_text(about)] if about else [])
        self._end_text()
        self._blocks.append(CodeBlock(text.removesuffix("\n")))

    def table(self, table: Table) -> None:
        """A table; as its source if its rows are not all that is in it, since longer rows are cut."""
        if self._mark:
            self._write([])
        self._end_text()
        self._blocks.append(table if table.complete else CodeBlock(table.source))

    def _end_text(self) -> None:
        if spans := _joined(self._line):
            self._blocks.append(TextBlock(spans))
        self._line = []

    def finished(self) -> list[MarkdownBlock]:
        self._end_text()
        return self._blocks


# ── within a paragraph ──────────────────────────────────────────────────────────────────────────────────


def _lines(children: Sequence[Token], styles: frozenset[Style]) -> list[list[StyledText]]:
    """The lines of a paragraph."""
    found: list[list[StyledText]] = [[]]
    #: Links that are open, and where their words begin.
    links: list[tuple[Token, int, int]] = []
    for token in children:
        kind = token.type.removesuffix("_open").removesuffix("_close")
        if token.type in {"softbreak", "hardbreak"}:
            found.append([])
        elif kind in _STYLES:
            styles = styles | {_STYLES[kind]} if token.nesting > 0 else styles - {_STYLES[kind]}
        elif token.type == "link_open":
            links.append((token, len(found) - 1, len(found[-1])))
        elif token.type == "link_close":
            opened, line, place = links.pop()
            words = [*found[line][place:], *(part for later in found[line + 1 :] for part in later)]
            found[-1] += _target(opened, "".join(part.text for part in words))
        else:
            found[-1] += _leaf(token, styles)
    return found


def _leaf(token: Token, styles: frozenset[Style]) -> list[StyledText]:
    match token.type:
        case "code_inline":
            return [_text(_unguarded(token.content), styles | _CODE)]
        case "image":
            words = _text(token.content, styles)
            return [words, *_target(token, token.content)]
        case _:
            return _with_addresses(token.content, styles)


def _with_addresses(words: str, styles: frozenset[Style]) -> list[StyledText]:
    """Text in which addresses that stand there as such lead where they say, such as those of sources."""
    spans: list[StyledText] = []
    at = 0
    for found in _BARE_ADDRESS.finditer(words):
        address = _without_punctuation(found[0])
        if _ADDRESS.fullmatch(address):
            spans += [_text(words[at : found.start()], styles), StyledText(address, styles, address)]
            at = found.start() + len(address)
    return [*spans, _text(words[at:], styles)]


def _without_punctuation(address: str) -> str:
    """An address without the punctuation of its sentence, and without a bracket that was opened before it."""
    end = len(address.rstrip(_PUNCTUATION))
    unopened = address.count(")", 0, end) - address.count("(", 0, end)
    while unopened > 0 and address[end - 1] == ")":
        end, unopened = len(address[: end - 1].rstrip(_PUNCTUATION)), unopened - 1
    return address[:end]


def _target(token: Token, words: str) -> list[StyledText]:
    """Where a link or an image leads, if its text doesn't say that, and its title."""
    address = str(token.attrs.get("href") or token.attrs.get("src") or "")
    title = str(token.attrs.get("title") or "")
    told = [_address(address)] if address not in {"", words} else []
    if title:
        told += [_text(f' "{title}"' if told else f'"{title}"')]
    return [_text(" (" if words else "("), *told, _text(")")] if told else []


def _address(address: str) -> StyledText:
    """An address in full. Only plain ones of the web can be followed: others are text."""
    return StyledText(address, url=address if _ADDRESS.fullmatch(address) else "")


def _text(words: str, styles: frozenset[Style] = frozenset()) -> StyledText:
    return StyledText(words, styles)


def _joined(spans: Sequence[StyledText]) -> StyledTexts:
    """Neighbours of one style as one span, and none that is empty."""
    joined: list[StyledText] = []
    for span in spans:
        if not span.text:
            continue
        last = joined[-1] if joined else None
        if last and not last.url and not span.url and last.styles == span.styles:
            joined[-1] = replace(last, text=last.text + span.text)
        else:
            joined.append(span)
    return tuple(joined)
