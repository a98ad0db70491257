"""The working folder of a run: its path in journals and fingerprints, and who removes it."""

import fcntl
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import ids
from crews.journal.fingerprints import fingerprint
from crews.run.folder import ABANDONED_AFTER_S, Folders, RunFolder
from tests.waiting import WITHIN

RUN = ids.run_id("one")
HERE, THERE = RunFolder(Path('/data "here"/runs/é'), RUN), RunFolder(Path("/elsewhere/runs"), RUN)
JSON = st.recursive(
    st.text() | st.integers() | st.just(f"see {HERE.path}/inputs/a.pdf") | st.just(str(HERE.path)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_one_worker_writes_another_reads_with_its_own_path(value: object) -> None:
    written = HERE.to_portable(json.dumps(value))
    assert str(HERE.path) not in json.dumps(json.loads(written), ensure_ascii=False)
    assert json.loads(HERE.to_local(written)) == value
    elsewhere = json.loads(THERE.to_local(written))
    expected = json.dumps(value).replace(json.dumps(str(HERE.path))[1:-1], str(THERE.path))
    assert elsewhere == json.loads(expected)


@given(JSON)
def test_a_fingerprint_does_not_depend_on_where_the_folder_is(value: object) -> None:
    there = json.loads(json.dumps(value).replace(json.dumps(str(HERE.path))[1:-1], str(THERE.path)))
    assert fingerprint(value, normalize=HERE.normalize) == fingerprint(there, normalize=THERE.normalize)


def test_paths_count_like_their_texts() -> None:
    at = [folder.path / "a.txt" for folder in (HERE, THERE)]
    assert fingerprint(at[0], normalize=HERE.normalize) == fingerprint(at[1], normalize=THERE.normalize)
    assert fingerprint(at[0], normalize=HERE.normalize) != fingerprint(
        HERE.path / "b", normalize=HERE.normalize
    )
    other = Path("/other/a.txt")
    assert fingerprint(other, normalize=HERE.normalize) == fingerprint(other)


def test_the_folder_is_private_and_removed_by_its_last_claim(tmp_path: Path) -> None:
    folder = Folders(tmp_path / "data" / "runs").of(RUN)
    folder.open("1")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    (folder.path / "a.txt").write_text("x")
    folder.open("2")
    folder.remove("1")
    assert (folder.path / "a.txt").exists()
    folder.remove("2")
    assert not folder.path.exists()
    folder.remove("2")


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc/passwd", "", ".", "a/.."])
def test_a_path_that_leads_out_of_it_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not inside"):
        HERE.within(path)


def test_a_path_in_it_is_known_by_what_it_is_called_there(tmp_path: Path) -> None:
    folder = Folders(tmp_path).of(RUN)
    folder.open("1")
    assert folder.relative(folder.within("a/b.txt")) == "a/b.txt"
    assert folder.relative(tmp_path / "b.txt") == ""
    (folder.path / "out").symlink_to(tmp_path)
    assert folder.relative(folder.path / "out" / "b.txt") == ""


def test_what_a_killed_worker_left_is_removed_after_a_week(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    for key in ("old", "new"):
        folders.of(key).open("1")
    claim = tmp_path / "old.claim"
    before = claim.stat().st_mtime - ABANDONED_AFTER_S - 1
    os.utime(claim, (before, before))
    folders.sweep()
    assert not folders.of("old").path.exists()
    assert folders.of("new").path.exists()


def test_who_opens_a_folder_waits_for_who_removes_it_and_for_no_other_run(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folder, other = folders.of(RUN), folders.of(ids.run_id("other"))
    folder.open("1")
    claim = tmp_path / f"{RUN}.claim"
    with ThreadPoolExecutor() as threads, claim.open() as removing:
        fcntl.flock(removing, fcntl.LOCK_EX)
        opening = threads.submit(folder.open, "2")
        other.open("1")
        assert other.path.exists()
        assert not opening.done()
        folder.path.rmdir()
        claim.unlink()
        fcntl.flock(removing, fcntl.LOCK_UN)
        opening.result(WITHIN)
    assert folder.path.exists()
    assert claim.read_text() == "2", "the one that others see"
