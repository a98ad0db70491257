"""Patches of CrewAI's Flow: calls of methods are recorded, and its questions reach people.

They are on the class, so that flows started by a method of the run's own flow ask the same people.
CrewAI's own flows, such as the executor of agents, are left alone.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from crewai.flow.flow import Flow
from crewai.flow.flow_definition import FlowHumanFeedbackDefinition
from crewai.memory.unified_memory import Memory
from crewai.memory.utils import sanitize_scope_name

from crews.definitions.code import code_of
from crews.flows.human_feedback import InputProvider, feedback_on, feedback_spec_of, review_of, within
from crews.flows.replay import FLOW_REPLAY, FlowReplay
from crews.run.context import CURRENT, RunContext

INPUT_PROVIDER = InputProvider()
DEFINING = threading.RLock()


def install() -> None:
    """Patch Flow, once per process."""
    if getattr(Flow, "_crewdeck_installed", False):
        return
    for name, replaced in (
        ("_execute_method", _execute_method),
        ("_run_human_feedback_step", _run_human_feedback_step),
        ("_resolve_input_provider", _resolve_input_provider),
        ("ask", _ask),
        ("_flow_post_init", _post_init),
        ("_is_public_turn_result", _is_public_turn_result),
    ):
        setattr(Flow, name, replaced(getattr(Flow, name)))
    Flow.flow_definition = classmethod(  # type: ignore[method-assign, assignment]
        _flow_definition(Flow.flow_definition.__func__)  # type: ignore[attr-defined]
    )
    Flow._skip_auto_memory = True  # type: ignore[attr-defined]  # noqa: SLF001 - CrewAI's own mark
    Flow._crewdeck_installed = True  # type: ignore[attr-defined]  # noqa: SLF001 - a seam


def _replay_of(flow: Flow[Any]) -> FlowReplay | None:
    replay = FLOW_REPLAY.get()
    return replay if replay is not None and replay.replays(flow) else None


def _run_of(flow: Flow[Any]) -> RunContext | None:
    return None if type(flow).is_crewai_internal else CURRENT.get()


def _flow_definition(original: Callable[..., Any]) -> Callable[..., Any]:
    """Derive definitions one after the other.

    CrewAI derives a definition from the attributes of its class when it is first needed, and keeps it as one
    of them. In the first runs of a worker other threads iterate over these meanwhile, and would fail.
    """

    @wraps(original)
    def flow_definition(cls: type[Flow[Any]]) -> Any:
        with DEFINING:
            return original(cls)

    return flow_definition


def _post_init(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def post_init(flow: Flow[Any], definition: Any = None) -> None:
        original(flow, definition)
        if flow.memory is None and not type(flow).is_crewai_internal:
            flow.__dict__["memory"] = LazyMemory(flow._definition.name)  # noqa: SLF001 - as CrewAI does

    return post_init


def _execute_method(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def execute(
        flow: Flow[Any], name: str, method: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        replay = _replay_of(flow)
        if replay is None:
            return await original(flow, name, method, *args, **kwargs)
        async with replay.call(str(name)) as call:

            async def body(*given: Any, **named: Any) -> Any:
                return await replay.run_body(call, partial(method, *given, **named))

            return await original(flow, name, body, *args, **kwargs)

    return execute


def _is_public_turn_result(original: Callable[..., bool]) -> Callable[..., bool]:
    """Compare results by their texts.

    CrewAI compares objects, and a recorded result is another object than the one that a method kept private.
    """

    @wraps(original)
    def is_public(flow: Flow[Any], result: Any) -> bool:
        if _replay_of(flow) is not None:
            text = flow._stringify_result(result)  # noqa: SLF001 - as CrewAI does
            if any(flow._stringify_result(each) == text for each in flow._turn_recorded_results):  # noqa: SLF001
                return False
        return original(flow, result)

    return is_public


def _run_human_feedback_step(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def step(flow: Flow[Any], name: str, declared: FlowHumanFeedbackDefinition, output: Any) -> Any:
        run = _run_of(flow)
        if run is None:
            return await original(flow, name, declared, output)
        replay = _replay_of(flow)
        call = replay.current() if replay is not None else None
        digest = review_of(run, feedback_spec_of(declared), output).fingerprint
        if replay is not None and call is not None:
            replay.before_feedback(call, digest)
        code = code_of(type(flow), run.gates.made_by)
        result = await feedback_on(run, str(name), declared, output, code)
        if replay is not None and call is not None:
            await replay.record_feedback(call, digest)
        flow.human_feedback_history.append(result)
        flow.last_human_feedback = result
        if not declared.emit:
            return result
        flow._human_feedback_method_outputs[name] = result  # noqa: SLF001 - as CrewAI does
        return result.outcome

    return step


def _resolve_input_provider(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def resolve(flow: Flow[Any]) -> Any:
        return INPUT_PROVIDER if _run_of(flow) is not None else original(flow)

    return resolve


def _ask(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def ask(
        flow: Flow[Any], message: str, timeout: float | None = None, metadata: dict[str, Any] | None = None
    ) -> Any:
        if _run_of(flow) is None:
            return original(flow, message, timeout, metadata)
        with within(timeout):  # a deadline, instead of CrewAI's clock, which stops when the run is parked
            return original(flow, message, None, metadata)

    return ask


class LazyMemory:
    """A placeholder for the `Memory` that CrewAI would create for every Flow: created on first use.

    The first one in a process takes seconds, since it imports a database; few flows use it.
    """

    #: CrewAI saves lists only in what is a `Memory`.
    __class__ = Memory  # type: ignore[assignment]
    #: Asked for by CrewAI before it waits for what is being saved: nothing is, as long as nobody used it.
    _memory = None

    def __init__(self, flow_name: str) -> None:
        self._scope = f"/flow/{sanitize_scope_name(flow_name)}"
        self._made: Memory | None = None
        self._making = threading.Lock()

    def drain_writes(self) -> None:
        if self._made is not None:
            self._made.drain_writes()

    def __getattr__(self, name: str) -> Any:
        with self._making:
            self._made = self._made or Memory(root_scope=self._scope)
        return getattr(self._made, name)
