"""Keeps libraries out of a server that others load only because they are installed.

They come with crewai, with the command line or with tools of developers. Nothing of a server calls them, and
together they take 6 MB of each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = (
    "greenlet",  # structlog, for contexts of greenlets
    "opentelemetry",  # redis-py, for metrics that nobody asked it for
    "rich",  # structlog, for tracebacks; ours are plain, since those print variables
)


@contextmanager
def kept_out() -> Iterator[None]:
    """What is imported in the block takes these libraries for not installed, unless they are loaded already.

    A name without a module is one that can't be imported, to Python.
    """
    hidden = [name for name in UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
