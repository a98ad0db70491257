"""Markdown that crews write, as Slack's rich text. Pure, in linear time.

It is parsed as CommonMark says, and nothing that is to be read gets lost: a link is shown as its text and all
of its target, code as it stands, with the words behind its fence, and a table as its source. Only marks of
Markdown itself are left out, where they have their effect. Definitions of links are shown as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.core.text import visible
from bot.surfaces.chat.shortening import pieces
from bot.surfaces.slack.renderer import rich_text
from bot.surfaces.slack.renderer.rich_text import PIECE_UNITS, Json, blocks

DEEPEST = 20
"""Nested brackets and blocks that are looked into; the parser takes square time to look into all."""
_ADDRESS = re.compile(r"https?://[\w.~:/?#\[\]@!$&'()*+,;=%-]{1,2000}", re.ASCII)
_STYLES = {"strong": "bold", "em": "italic", "s": "strike"}
_RULE = "────────"


def rendered(markdown: str) -> list[Json]:
    """The text as blocks; none if there is nothing in it to be seen."""
    source = visible(markdown)
    lines = source.split("\n")
    page = _Page()
    tokens = iter(_parser().parse(_guarded(source)))
    for token in tokens:
        if token.type == "table_open":
            first, end = token.map or (0, 0)
            page.frame("\n".join(lines[first:end]))
            _skip(tokens, "table_close")
        else:
            page.take(token)
    return blocks(page.finished())


class _Parser(MarkdownIt):
    """A parser that leaves addresses as they were written."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the parser's own name
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "maxNesting": DEEPEST})
    parser.enable(["table", "strikethrough"]).disable("reference")
    return parser


def _guarded(source: str) -> str:
    """Each `&` as an entity: entities in the text, which the parser resolves, come out as they went in."""
    return source.replace("&", "&amp;")


def _unguarded(code: str) -> str:
    """What is code is not resolved by the parser."""
    return code.replace("&amp;", "&")


def _skip(tokens: Iterator[Token], closing: str) -> None:
    for token in tokens:
        if token.type == closing:
            return


class _Page:
    """What has been read so far: paragraphs and frames, one below the other."""

    def __init__(self) -> None:
        self._contents: list[Json] = []
        self._line: list[Json] = []
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
        for spoken in _lines(children, frozenset({"bold"}) if self._heading else frozenset()):
            self._write(spoken)

    def _write(self, spoken: Sequence[Json]) -> None:
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
        self._end_section()
        for piece in pieces(text.removesuffix("\n"), PIECE_UNITS):
            self._contents.append({"type": "rich_text_preformatted", "elements": [_text(piece)]})

    def _end_section(self) -> None:
        if parts := _joined(self._line):
            self._contents.append({"type": "rich_text_section", "elements": parts})
        self._line = []

    def finished(self) -> list[Json]:
        """All of it."""
        self._end_section()
        return self._contents


# ── within a paragraph ──────────────────────────────────────────────────────────────────────────────────


def _lines(children: Sequence[Token], styles: frozenset[str]) -> list[list[Json]]:
    """The lines of a paragraph."""
    found: list[list[Json]] = [[]]
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
            found[-1] += _target(opened, "".join(part["text"] for part in words))
        else:
            found[-1] += _leaf(token, styles)
    return found


def _leaf(token: Token, styles: frozenset[str]) -> list[Json]:
    match token.type:
        case "code_inline":
            return [_text(_unguarded(token.content), styles | {"code"})]
        case "image":
            words = _text(token.content, styles)
            return [words, *_target(token, token.content)]
        case _:
            return [_text(token.content, styles)]


def _target(token: Token, words: str) -> list[Json]:
    """Where a link or an image leads, if its text doesn't say that, and its title."""
    address = str(token.attrs.get("href") or token.attrs.get("src") or "")
    title = str(token.attrs.get("title") or "")
    told = [_address(address)] if address not in {"", words} else []
    if title:
        told += [_text(f' "{title}"' if told else f'"{title}"')]
    return [_text(" (" if words else "("), *told, _text(")")] if told else []


def _address(address: str) -> Json:
    """An address in full. Only plain ones of the web can be followed: others are text."""
    if _ADDRESS.fullmatch(address):
        return {"type": "link", "url": address, "text": address}
    return _text(address)


def _text(words: str, styles: frozenset[str] = frozenset()) -> Json:
    return rich_text.text(words, *styles)


def _joined(parts: Sequence[Json]) -> list[Json]:
    """Neighbours of one style as one part, and none that is empty."""
    joined: list[Json] = []
    for part in parts:
        if not part["text"]:
            continue
        last = joined[-1] if joined else None
        if last and last["type"] == part["type"] == "text" and last.get("style") == part.get("style"):
            joined[-1] = last | {"text": last["text"] + part["text"]}
        else:
            joined.append(part)
    return joined
