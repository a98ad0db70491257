"""Names, types and sizes of files."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from bot.core.errors import Refused
from bot.core.files import (
    MAX_FILE_BYTES,
    MAX_NAME_BYTES,
    as_input,
    check_size,
    file_name,
    file_of_input,
    files_of_inputs,
    in_words,
    media_type,
    stored_file,
)
from bot.core.text import drop_invisible


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("out/final/report.pdf", "report.pdf"),
        ("..\\..\\report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("/", "file"),
        ("", "file"),
        (".bashrc", "bashrc"),
        ("report\u202efdp.exe", "reportfdp.exe"),
        ("a\x00b\nc.txt", "ab_c.txt"),
        ('a:b*c?"<>|.txt', "a_b_c_____.txt"),
        ("Ma\u0301rz 2026.xlsx", "M\u00e1rz 2026.xlsx"),
        ("日本語.md", "日本語.md"),
        ("trailing. . ", "trailing"),
    ],
)
def test_a_name_has_no_path_and_nothing_invisible(raw: str, name: str) -> None:
    assert file_name(raw) == name


@example("x" * 1000 + ".pdf")
@example("é" * 1000 + ".pdf")
@example("." * 300)
@example("a." + "b" * 500)
@given(st.text())
def test_every_name_is_one_that_file_systems_take(raw: str) -> None:
    name = file_name(raw)
    assert name
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert name not in {".", ".."}
    assert not set(name) & set('/\\<>:"|?*\x00')
    assert not name.startswith(".")
    assert drop_invisible(name) == name
    assert file_name(name) == name


def test_a_long_name_keeps_its_suffix() -> None:
    assert file_name("x" * 1000 + ".pdf").endswith("x.pdf")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.pdf", "application/pdf"),
        ("A.PDF", "application/pdf"),
        ("notes.md", "text/markdown"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("data.unheardof", "application/octet-stream"),
        ("no suffix", "application/octet-stream"),
    ],
)
def test_the_type_follows_from_the_suffix(name: str, kind: str) -> None:
    assert media_type(name) == kind


def test_a_file_is_known_by_its_name_and_content() -> None:
    first, again = stored_file("a/x.txt", b"one"), stored_file("b/x.txt", b"one")
    assert first == again
    others = [
        stored_file("y.txt", b"one"),
        stored_file("x.txt", b"two"),
        stored_file("x.txt", b"one", input="d"),
    ]
    assert len({first.id, *(each.id for each in others)}) == 4


def test_too_large_a_file_says_how_much_is_allowed() -> None:
    check_size("a.bin", MAX_FILE_BYTES)
    with pytest.raises(
        Refused, match=r"a\.bin has 20971521 bytes, and a file may have at most 20971520\."
    ) as refused:
        check_size("dir/a.bin", MAX_FILE_BYTES + 1)
    assert refused.value.code == "file_too_large"
    with pytest.raises(Refused, match="has 2 kB, and a file may have at most 1 kB"):
        check_size("a.bin", 2048, 1024)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 kB"), (5 * 1024 * 1024, "5 MB")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert in_words(size) == words


def test_a_file_among_the_inputs_is_told_from_other_objects() -> None:
    file = stored_file("a.txt", b"x", description="ours", owner="http:key:a")
    value = as_input(file)
    read = file_of_input(value)
    assert read is not None
    assert (read.id, read.name, read.size, read.digest) == (file.id, file.name, file.size, file.digest)
    assert "owner" not in str(value)
    others: tuple[JsonValue, ...] = (
        None,
        "x",
        {},
        {"file": "x"},
        {"file": {"id": "x"}},
        {"files": value["file"]},
        [value],
    )
    for other in others:
        assert file_of_input(other) is None
    assert list(files_of_inputs({"a": value, "b": "text"})) == ["a"]
