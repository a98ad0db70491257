"""Which tools of a crew need an approval: what its files say, and what its tools' authors say."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI has several classes of tools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from bot.core.people.policy import Approvers, Policy
from bot.core.questions.tool_call import ToolCall
from crews.definitions.approval import Approval, approvals_of
from crews.definitions.conditions import Condition, Fields, InvalidCondition, types_of
from crews.definitions.definition import ToolEntry
from crews.definitions.exceptions import CrewBroken
from crews.definitions.placeholders import PLACEHOLDER
from crews.definitions.policies import Mistake, Policies
from crews.definitions.tool_options import entry_name, is_made_by

Values = Mapping[str, Mapping[str, Any]]
"""What conditions look at: args, inputs, crew and requester."""


@dataclass(frozen=True)
class Gate:
    """The approval that calls of one tool need."""

    #: Who decides; None: the crew's approvers.
    approvers: Approvers | None = None
    #: People are asked if one of them asks; without conditions always.
    conditions: tuple[Condition, ...] = ()
    edit: tuple[str, ...] = ()
    title: str = ""
    hide: tuple[str, ...] = ()
    #: Of a gate that the crew has no more: who decides what was asked about then. It asks nothing new.
    policy: Policy | None = None

    @classmethod
    def of_question(cls, call: ToolCall, policy: Policy) -> Gate:
        """The gate that stood before this call when people were asked about it."""
        return cls(edit=call.editable, title=call.title, hide=tuple(call.secrets), policy=policy)

    def asks(self, values: Values) -> bool:
        """Whether people are asked about a call."""
        if self.policy is not None:
            return False
        return not self.conditions or any(each.asks(values) for each in self.conditions)

    def mistakes(
        self, schema: Mapping[str, JsonValue], secrets: tuple[str, ...], unknown_hidden: Mapping[str, str]
    ) -> Iterator[Mistake]:
        """What doesn't fit the tool, whose arguments have this JSON Schema.

        `unknown_hidden`: the parts of names to hide that aren't there.
        """
        properties = schema.get("properties")
        names = [*properties] if isinstance(properties, dict) else []
        known = f"(it has: {', '.join(names) or 'none'})"
        shown = {"edit": self.edit, "title": tuple(PLACEHOLDER.findall(self.title))}
        for key, used in {**shown, "hide": tuple(each.partition(".")[0] for each in self.hide)}.items():
            for name in used:
                if names and name not in names:
                    yield (key,), f"{name} is no argument of the tool {known}"
        for key, used in shown.items():
            for name in used:
                if name in secrets:
                    yield (key,), f"{name} is secret, so nobody could see it there"
        for name, part in unknown_hidden.items():
            yield ("hide",), f"{name}: there is no {part} in it"
        for each in self.conditions if names else ():
            try:
                each.with_args(types_of(schema))
            except InvalidCondition as error:
                yield ("when",), str(error)


@dataclass(frozen=True)
class Gates:
    """The gates of one crew."""

    #: By name, as `tools` of the crew says.
    tools: Mapping[str, ToolEntry] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    #: The types of the crew's inputs.
    inputs: Fields = field(default_factory=dict)
    #: The code that makes the crew; None where files alone do.
    made_by: object = field(default=None, compare=False)

    @property
    def references(self) -> tuple[str, ...]:
        """The classes of tools, and the tools, that the crew names: `module:name`."""
        return tuple(entry.use for entry in self.tools.values() if entry.use is not None)

    def of(self, tool: Any) -> Gate | None:
        """The gate of a tool; None if its calls need no approval. Raises CrewBroken."""
        given = [*self.declared(tool), *approvals_of(tool)]
        return self._gate(given) if given else None

    def declared(self, tool: Any) -> list[Approval]:
        """What the crew says of this tool: as the entry it was made from, by its class, and by its name."""
        made_from = self.tools.get(entry_name(tool) or "")
        entries = [made_from] if made_from is not None else []
        for name, entry in self.tools.items():
            by_name = entry.use is None and same_name(tool, name)
            by_class = entry.use is not None and made_from is None and is_made_by(tool, entry.use)
            if entry is not made_from and (by_name or by_class):
                entries.append(entry)
        return [each.approval for each in entries if each.approval is not None]

    def _gate(self, given: list[Approval]) -> Gate:
        """The crew's words go before the author's, outer ones before inner; people are asked if any asks."""
        try:
            policy = next((each.policy for each in given if each.policy is not None), None)
            if policy is not None and (wrong := policy.mistake(self.policies)):
                raise CrewBroken(f"An approval can't be asked for: {wrong[1]}", remedy="Correct its policy.")
            conditions = [Condition(each.when, self.inputs) for each in given if each.when is not None]
        except InvalidCondition as error:
            wrong_condition = f"An approval can't be asked for: its condition {error}"
            raise CrewBroken(wrong_condition, remedy="Correct it.") from error
        return Gate(
            approvers=policy.approvers(self.policies) if policy is not None else None,
            conditions=tuple(conditions) if len(conditions) == len(given) else (),
            edit=next((each.edit for each in given if each.edit), ()),
            title=next((each.title for each in given if each.title), None) or "",
            hide=tuple(dict.fromkeys(name for each in given for name in each.hide)),
        )


class GateRegistry:
    """The gates of all crews that this process has run, for calls in which no run can be found."""

    def __init__(self) -> None:
        self._known: list[Gates] = []

    def add(self, gates: Gates) -> None:
        """Remember the gates of a crew."""
        if gates.tools and gates not in self._known:
            self._known.append(gates)

    def guards(self, tool: Any) -> bool:
        """Whether the tool's author or one of the crews wants an approval. Raises CrewBroken."""
        return bool(approvals_of(tool)) or any(each.declared(tool) for each in self._known)


REGISTRY = GateRegistry()


def same_name(tool: Any, name: str) -> bool:
    """Whether a tool has this name, as models, people, or the MCP server that it belongs to write it.

    CrewAI puts the server's name before those of its tools.
    """
    theirs = (getattr(tool, "name", None), getattr(tool, "original_tool_name", None))
    return any(not _forms(each).isdisjoint(_forms(name)) for each in theirs if isinstance(each, str))


_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _forms(name: str) -> frozenset[str]:
    """A name with underscores; to models CrewAI writes `sendMoney` as `send_money`."""
    return frozenset(filter(None, (_plain(name), _plain(_WORD_BEGINS.sub("_", name)))))


def _plain(name: str) -> str:
    return "_".join("".join(each if each.isalnum() else " " for each in name.casefold()).split())
