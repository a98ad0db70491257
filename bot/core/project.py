"""A CrewAI project: a folder with crews, or a module in it, with a worker process of its own."""

from __future__ import annotations

import hashlib

from bot.core.value import Value


class Project(Value):
    """A project that was found (`bot/processes/projects.py`); its worker gets it as JSON."""

    #: What its crews are named after: letters, digits, - and _.
    name: str
    #: The absolute path of its folder, which is the working directory of its worker.
    root: str
    #: A module and a name in it (`blog.crew:BlogCrew`), or only a module; empty: everything in the folder.
    target: str = ""
    #: The absolute path of the interpreter of its own environment; empty: that of Crewdeck.
    python: str = ""

    @property
    def environment(self) -> str:
        """The folder of its own environment; empty if it has none."""
        return self.python.rpartition("/bin/")[0]

    @property
    def key(self) -> str:
        """Identifies it among the announcements of a machine: 12 hexadecimal digits."""
        return hashlib.sha256(f"{self.name}\0{self.root}\0{self.target}".encode()).hexdigest()[:12]
