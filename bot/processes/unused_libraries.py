"""Keeps libraries out of a server that others load only because they are installed.

They come with Python, with crewai, with the command line or with tools of developers. Nothing of a server
calls them, and together they take 7 MB of each. Who imports them does without where they aren't installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = (
    "bz2",  # shutil, for archives
    "frozenlist._frozenlist",  # frozenlist, which has the same in Python; alone it needs the library of C++
    "greenlet",  # structlog, for contexts of greenlets
    "lzma",  # shutil, for archives
    "opentelemetry",  # redis-py, for metrics that nobody asked it for
    "rich",  # structlog, for tracebacks; ours are plain, since those print variables
)


@contextmanager
def blocked_imports() -> Iterator[None]:
    """Hide these libraries from imports in the block, unless they are loaded already.

    A name without a module is one that can't be imported, to Python.
    """
    hidden = [name for name in UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
