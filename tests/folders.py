"""Folders for servers of tests and what they keep."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = 2**30
"""Bytes that all stores of a session never need."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A private folder that is gone after the block, with a path short enough for sockets in it.

    In memory, where there is room: stores write each change through. On a disk that takes ten times the
    processor, and a server that waits for a slow one is taken for dead.
    """
    with tempfile.TemporaryDirectory(prefix="crewdeck-", dir=_memory()) as folder:
        yield Path(folder)


def _memory() -> Path | None:
    folder = Path("/dev/shm")  # noqa: S108 - the folders made in it are private
    has_room = folder.is_mount() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM
    return folder if has_room else None
