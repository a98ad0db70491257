"""What people see: messages and views as frozen snapshots that tests read and press on."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from tests.loopback.slack.blocks import interactive, texts
from tests.loopback.slack.objects import all_options
from tests.loopback.slack.wire import Body


@dataclass(frozen=True)
class Shown:
    """Blocks on somebody's screen, as they were when the snapshot was taken."""

    body: Body

    @property
    def blocks(self) -> list[Body]:
        return self.body.get("blocks") or []

    @property
    def words(self) -> str:
        """All visible text, a line for each piece: of the blocks if there are any, as Slack shows it."""
        return "\n".join(texts(self.blocks)) or self.body.get("text", "")

    @property
    def labels(self) -> list[str]:
        """What can be pressed or chosen: labels of buttons and of options, in order."""
        found: list[str] = []
        for _, element in self.elements():
            if element["type"] == "button":
                found.append(element["text"]["text"])
            found.extend(option["text"]["text"] for option in all_options(element))
        return found

    def elements(self) -> list[tuple[Body, Body]]:
        """(block, element) for everything a person can act on."""
        return [(block, element) for block in self.blocks for element in interactive(block)]

    def button(self, name: str) -> tuple[Body, Body]:
        """The block and element whose action_id or label is `name`; raises LookupError."""
        for block, element in self.elements():
            label = element["text"]["text"] if element["type"] == "button" else None
            if name in (element["action_id"], label):
                return block, element
        known = [
            (element["action_id"], element.get("text", {}).get("text")) for _, element in self.elements()
        ]
        raise LookupError(f"nothing here is called {name!r}; there is {known}")

    def choice(self, label: str) -> tuple[Body, Body, Body]:
        """The block, element and option whose label or value is `label`."""
        for block, element in self.elements():
            for option in all_options(element):
                if label in (option["text"]["text"], option["value"]):
                    return block, element, option
        raise LookupError(f"no option is called {label!r}; there is {self.labels}")


@dataclass(frozen=True)
class Message(Shown):
    """A message in a channel, or shown to one person only (`ephemeral`)."""

    channel: str
    ephemeral: bool = False

    @property
    def ts(self) -> str:
        return str(self.body["ts"])

    @property
    def thread_ts(self) -> str | None:
        return self.body.get("thread_ts")

    @property
    def text(self) -> str:
        return str(self.body.get("text", ""))

    @property
    def user(self) -> str | None:
        return self.body.get("user")


@dataclass(frozen=True)
class View(Shown):
    """A modal, or an App Home tab, of one person."""

    user: str

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def title(self) -> str:
        return str((self.body.get("title") or {}).get("text", ""))


def message(channel: str, body: Body, *, ephemeral: bool = False) -> Message:
    return Message(copy.deepcopy(body), channel, ephemeral)


def view(user: str, body: Body) -> View:
    return View(copy.deepcopy(body), user)
