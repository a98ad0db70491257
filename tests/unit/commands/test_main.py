"""The entry point of the command line."""

from __future__ import annotations

import signal

import pytest

from bot.commands.main import main


class Interrupting(list[str]):
    """Arguments in whose reading Ctrl-C is pressed."""

    def __len__(self) -> int:
        signal.raise_signal(signal.SIGINT)
        return super().__len__()


@pytest.mark.parametrize("words", [["serve"], ["deliver"], ["inbox"]])
def test_ctrl_c_while_it_starts_ends_it_without_a_traceback(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(Interrupting(words)) == 130
    assert capsys.readouterr() == ("", "")
