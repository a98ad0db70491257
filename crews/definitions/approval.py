"""Approvals in front of tools: what authors write, in YAML and in Python. Needs no crewai.

`requires_approval` only says so; `crews/crewai_adapter/tools/steps.py` asks. Where that isn't at work,
because code calls a tool outside of a run, the person at the terminal approves it, or the call is refused.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - functions of any kind
import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError, model_validator

from crews import terminal
from crews.definitions.entry import Entry, Text
from crews.definitions.placeholders import PLACEHOLDER
from crews.definitions.policies import ApproverSpec, Written, approver_spec

T = TypeVar("T")
APPROVALS_ATTRIBUTE = "__crewdeck_approval__"
"""The attribute of a class, a function or a tool that says which approvals it needs: the outermost first."""

APPROVED_CALLS: ContextVar[tuple[object, ...]] = ContextVar("crewdeck_let_through", default=())
"""The tools and functions whose approved call is under way here."""


GUARDED: type | None = None
"""The class of tools before whose `_run` something else stands; set where CrewAI's tools are patched."""


class NotApproved(RuntimeError):  # noqa: N818 - says what happened
    """A call that needs an approval was not made: it was rejected, or nobody could be asked."""


class Approval(Entry):
    """`approval` of a tool."""

    policy: Annotated[ApproverSpec | None, BeforeValidator(approver_spec, json_schema_input_type=Written)] = (
        None
    )
    """Who decides; if left out, the crew's approvers."""
    when: Text | None = None
    """CEL over args, inputs, crew and requester; where it is false, the call is made without asking."""
    edit: tuple[Text, ...] = ()
    """The arguments that an approval may change."""
    title: Text | None = None
    """What the call does, with `{argument}`."""
    hide: tuple[Text, ...] = ()
    """Arguments that nobody sees."""

    @model_validator(mode="after")
    def _shows_what_it_says(self) -> Self:
        for key, names in (("edit", self.edit), ("title", self.shown)):
            for name in names:
                if name in self.hide:
                    raise ValueError(f"{key}: {name} is hidden, so nobody could see it there")
        return self

    @property
    def shown(self) -> tuple[str, ...]:
        """The arguments in the title."""
        return tuple(PLACEHOLDER.findall(self.title or ""))


def approval(written: object) -> object:
    """What `approval:` says, as its keys. Raises ValueError: nothing there is no approval by accident."""
    match written:
        case None | False:
            raise ValueError(
                "must be a policy's name, or keys such as policy and when; {} takes the crew's approvers"
            )
        case True:
            return {}
        case str() | list():
            return {"policy": written}
        case dict():
            return {key: tuple(each) if isinstance(each, list) and key in {"edit", "hide"} else each
                    for key, each in written.items()}  # fmt: skip
    return written


GateEntry = Annotated[
    Approval | None, BeforeValidator(approval, json_schema_input_type=Literal[True] | Written | Approval)
]
"""None only where the key is left out."""


def requires_approval(
    *,
    policy: object = None,
    when: str | None = None,
    edit: Sequence[str] = (),
    title: str | None = None,
    hide: Sequence[str] = (),
) -> Callable[[T], T]:
    """Let people approve each call of a tool before it is made: of a class, a function, or one tool.

    `policy`: a `crewdeck.Policy`, the name of one of the crew's, or what `approvers` may be; None: the crew's
    approvers. `when`: CEL over args, inputs, crew and requester; people aren't asked where it is false.
    `edit`: the arguments that an approval may change. `title`: what the call does, with `{argument}`.
    `hide`: arguments that nobody sees. Below `crewai.tools.tool` for functions:

        @tool
        @requires_approval(policy="pay", title="Pay {amount} to {recipient}")
        def send_money(amount: float, recipient: str) -> str: ...

    Outside of runs the person at the terminal is shown the call and approves it; where there is no terminal,
    NotApproved is raised. Raises ValueError for arguments that aren't right.
    """
    given: dict[str, object] = {"when": when, "edit": tuple(edit), "title": title, "hide": tuple(hide)}
    if policy is not None:
        given["policy"] = policy
    try:
        needed = Approval.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"requires_approval: {place}: {first['msg']}".replace(": :", ":")) from error
    if needed.when is not None:
        from crews.definitions.conditions import Condition

        Condition(needed.when)
    # A copy for each target: an approved call of one tool must not let through that of another.
    return lambda target: _marked(target, needed.model_copy())


def _marked(target: T, needed: Approval) -> T:
    if isinstance(target, type):
        return _marked_class(target, needed)  # type: ignore[return-value]
    if inspect.isroutine(target):
        return _guarded(target, needed)  # type: ignore[return-value]
    # One tool: a pydantic model, which refuses unknown attributes.
    object.__setattr__(target, APPROVALS_ATTRIBUTE, (needed, *_marks(target)))
    if callable(function := getattr(target, "func", None)):
        object.__setattr__(target, "func", _guarded(function, needed))
        return target
    for name in METHODS:
        if (method := getattr(target, name, None)) is not None:
            object.__setattr__(target, name, _guarded(method, needed, of=target))
    return target


METHODS = ("_run", "_arun")
"""What a class of tools does, which CrewAI calls."""


def _marked_class(target: type[Any], needed: Approval) -> type[Any]:
    """The class, which is guarded like all that are derived from it, wherever their methods come from."""
    setattr(target, APPROVALS_ATTRIBUTE, (needed, *_marks(target)))
    for name in METHODS:
        if (method := getattr(target, name, None)) is not None:
            setattr(target, name, _guarded(method, needed))
    theirs = vars(target).get("__init_subclass__")

    def init_subclass(cls: type[Any], /, **options: Any) -> None:
        if theirs is None:
            super(target, cls).__init_subclass__(**options)
        else:
            theirs.__func__(cls, **options)
        for name in METHODS:
            if name in vars(cls):
                setattr(cls, name, _guarded(vars(cls)[name], needed))

    target.__init_subclass__ = classmethod(init_subclass)  # type: ignore[assignment]
    return target


def _guarded(function: Callable[..., Any], needed: Approval, of: object = None) -> Callable[..., Any]:
    """The function, which is only called in the course of an approved call. `of`: whose method it is.

    Who approves it approves what it needs besides, by another decorator below.
    """
    needs = (needed, *_marks(function))

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if _is_already_approved(needed, of, args):
            return function(*args, **kwargs)
        _approve_outside_of_runs(needs, function, args, kwargs)
        with approved_call(*needs):  # a method may call the one that it overrides
            return function(*args, **kwargs)

    @wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if _is_already_approved(needed, of, args):
            return await function(*args, **kwargs)
        await asyncio.to_thread(_approve_outside_of_runs, needs, function, args, kwargs)
        with approved_call(*needs):
            return await function(*args, **kwargs)

    guarded = awaited if inspect.iscoroutinefunction(function) else call
    setattr(guarded, APPROVALS_ATTRIBUTE, needs)
    return guarded


def _is_already_approved(needed: Approval, of: object, args: tuple[Any, ...]) -> bool:
    """Whether the approved call is under way, or something else asks."""
    whose = args[0] if of is None and args else of
    if GUARDED is not None and isinstance(whose, GUARDED):
        return True  # A method of a tool: the tool's own gate asks.
    return any(each is needed for each in APPROVED_CALLS.get())


def _approve_outside_of_runs(
    needs: Sequence[Approval], function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Raises NotApproved unless the person at the terminal approves this call."""
    name = function.__qualname__
    if not terminal.asking_allowed():
        raise NotApproved(
            f"{name} needs an approval, so it is called as a tool (`tool.run()`) in a run that Crewdeck "
            "started. A test can call `__wrapped__`."
        )
    try:
        approved = terminal.confirm(name, _shown(needs, function, args, kwargs))
    except terminal.NoTerminal as error:
        raise NotApproved(f"{name} needs an approval. {error} A test can call `__wrapped__`.") from error
    if not approved:
        raise NotApproved(f"The call of {name} was rejected at the terminal.")


def _shown(
    needs: Sequence[Approval], function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[str]:
    """The complete call. Without a run there are no inputs for `when`, so the person is always asked."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise NotApproved(f"{function.__qualname__} can't be called so: {error}") from error
    bound.apply_defaults()
    hide = tuple(name for each in needs for name in each.hide)
    yield f"May {function.__qualname__} be called with these arguments?"
    for name, value in bound.arguments.items():
        if name != "self":
            yield f"  {name}: {_redacted(value, (name,), hide)!r}"
    if any(each.policy is not None for each in needs):
        yield "  In Crewdeck a policy says who decides; here you alone do."


def _redacted(value: Any, path: tuple[str, ...], hide: Sequence[str]) -> Any:
    """The value without what is hidden in it; all of it where that has no place of its own there."""
    place = ".".join(path)
    if place in hide:
        return "(hidden)"
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {key: _redacted(each, (*path, str(key)), hide) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each, path, hide) for each in value]
    within = any(each.startswith(f"{place}.") for each in hide)
    return "(hidden)" if within and value is not None else value


def approvals_of(tool: Any) -> tuple[Approval, ...]:
    """What the author's code says of a tool: of itself, of its class and those above, and of its function."""
    found = [
        tool,
        *(vars(each).get(APPROVALS_ATTRIBUTE) and each for each in type(tool).__mro__),
        getattr(tool, "func", None),
    ]
    marks = {id(mark): mark for each in found if each is not None for mark in _marks(each)}
    return tuple(marks.values())


def _marks(target: Any) -> tuple[Approval, ...]:
    found = getattr(target, APPROVALS_ATTRIBUTE, ())
    return found if isinstance(found, tuple) else ()


@contextmanager
def approved_call(*what: object) -> Iterator[None]:
    """The approved call of these is under way while the block runs."""
    token = APPROVED_CALLS.set((*APPROVED_CALLS.get(), *what))
    try:
        yield
    finally:
        APPROVED_CALLS.reset(token)
