"""The screen: printed lines, and at most one prompt below them, which can be withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Any

from prompt_toolkit import PromptSession, print_formatted_text
from prompt_toolkit.application import Application, get_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import FormattedTextControl, Layout, Window
from prompt_toolkit.validation import ValidationError, Validator

from bot.core.text import terminal_safe
from bot.terminal.decisions import StyledLine
from bot.terminal.exits import Interrupted, Withdrawn

DIGITS = "123456789"
POINTER = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
EDITING_HINT = "Enter sends, Alt-Enter makes a new line, Ctrl-X Ctrl-E opens your editor"


class Screen:
    """Terminal output and prompts. `asks`: whether there is a person to ask."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks
        self._prompt: Application[Any] | None = None
        self._leaving: Exception | None = None
        self._in_editor = False

    def say(self, *lines: StyledLine) -> None:
        """Print lines, above the prompt if there is one."""
        width = get_app_session().output.get_size().columns
        for line in lines:
            print_formatted_text(FormattedText(_wrapped(_safe(line), width)))

    def withdraw(self) -> None:
        """Withdraw the prompt: the task that awaits it gets Withdrawn."""
        self._leave(Withdrawn())

    def interrupt(self) -> None:
        """Interrupt the prompt: the task that awaits it gets Interrupted."""
        self._leave(Interrupted())

    def _leave(self, why: Exception) -> None:
        self._leaving = why
        prompt = self._prompt
        if prompt is None or self._in_editor:
            return
        if prompt.future is not None and not prompt.future.done():
            prompt.exit(exception=why)

    async def choose(self, choices: Sequence[str], title: str = "", first: int = 0) -> int:
        """Choose with arrow keys or a digit; returns the index. Raises Withdrawn, Interrupted."""
        listed = [terminal_safe(choice, one_line=True) for choice in choices]
        menu = _Menu(listed, terminal_safe(title, one_line=True), first)
        return int(await self._run(menu.application))

    async def words(
        self,
        label: str = "",
        *,
        several_lines: bool = True,
        default: str = "",
        check: Callable[[str], str] = lambda _: "",
    ) -> str:
        """Let the person type, or edit `default`. `check` returns an error message or "".

        Raises Withdrawn, Interrupted.
        """
        session: PromptSession[str] = PromptSession(
            message=[("ansicyan", f"{terminal_safe(label, one_line=True)}{POINTER} ")],
            multiline=several_lines,
            prompt_continuation="  ",
            bottom_toolbar=EDITING_HINT if several_lines else None,
            key_bindings=self._writing(several_lines=several_lines),
            validator=_Check(check),
            validate_while_typing=False,
            interrupt_exception=Interrupted,
            eof_exception=Interrupted,
            erase_when_done=True,
        )
        session.default_buffer.reset(Document(default))
        return str(await self._run(session.app)).strip()

    async def _run(self, application: Application[Any]) -> Any:  # noqa: ANN401 - what it is exited with
        if self._leaving is not None:  # withdrawn between two prompts
            why, self._leaving = self._leaving, None
            raise why
        self._prompt = application
        try:
            return await application.run_async(set_exception_handler=False, handle_sigint=False)
        except (Withdrawn, Interrupted):
            self._leaving = None
            raise
        finally:
            self._prompt = None

    def clear(self) -> None:
        """Reset a pending withdrawal, before the next prompt."""
        self._leaving = None

    def _writing(self, *, several_lines: bool) -> KeyBindings:
        keys = KeyBindings()
        wide = Condition(lambda: several_lines)

        @keys.add("enter", filter=wide)
        def send(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter", filter=wide)
        def new_line(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-x", "c-e", filter=wide)
        async def edit(event: KeyPressEvent) -> None:
            self._in_editor = True
            try:
                await event.current_buffer.open_in_editor()
            finally:
                self._in_editor = False
            if self._leaving is not None:
                self._leave(self._leaving)

        return keys


class _Check(Validator):
    """Rejects input as long as `check` returns an error message."""

    def __init__(self, check: Callable[[str], str]) -> None:
        self._check = check

    def validate(self, document: Document) -> None:
        if problem := self._check(document.text.strip()):
            raise ValidationError(len(document.text), terminal_safe(problem, one_line=True))


def _safe(line: StyledLine) -> StyledLine:
    """The line with control characters made visible, and with further lines of untrusted text indented."""
    end = "\n" if len(line) == 1 else "\n    "
    return [(style, terminal_safe(text).replace("\n", end)) for style, text in line]


def _wrapped(line: StyledLine, width: int) -> StyledLine:
    """Wrap an indented line between words; other lines stay whole, so that they can be copied."""
    if len(line) != 1 or not line[0][1].startswith(" "):
        return line
    [(style, text)] = line
    indent = " " * (len(text) - len(text.lstrip()))
    return [(style, fill(text, width, subsequent_indent=indent, break_long_words=False))]


class _Menu:
    """A vertical menu with one selected item."""

    def __init__(self, choices: Sequence[str], title: str, first: int) -> None:
        self._choices = choices
        self._title = title
        self._at = max(0, min(first, len(choices) - 1))
        text = FormattedTextControl(self._text, focusable=True, show_cursor=False)
        self.application: Application[int] = Application(
            layout=Layout(Window(text, dont_extend_height=True, wrap_lines=True)),
            key_bindings=self._keys(),
            erase_when_done=True,
        )

    def _text(self) -> FormattedText:
        lines = [("bold", f"  {self._title}\n")] if self._title else []
        for number, choice in enumerate(self._choices):
            here = number == self._at
            lines.append(("ansicyan bold" if here else "", f"  {POINTER if here else ' '} {choice}\n"))
        lines.append(("ansibrightblack", "  ↑ ↓ and Enter, or a digit"))
        return FormattedText(lines)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("up")
        @keys.add("k")
        def up(_: KeyPressEvent) -> None:
            self._at = (self._at - 1) % len(self._choices)

        @keys.add("down")
        @keys.add("j")
        @keys.add("tab")
        def down(_: KeyPressEvent) -> None:
            self._at = (self._at + 1) % len(self._choices)

        @keys.add("enter")
        def choose(event: KeyPressEvent) -> None:
            event.app.exit(result=self._at)

        @keys.add("c-c")
        @keys.add("c-d")
        def leave(event: KeyPressEvent) -> None:
            event.app.exit(exception=Interrupted())

        for digit in DIGITS[: len(self._choices)]:
            keys.add(digit)(self._pick(int(digit) - 1))
        return keys

    @staticmethod
    def _pick(index: int) -> Callable[[KeyPressEvent], None]:
        return lambda event: event.app.exit(result=index)
