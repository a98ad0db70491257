"""Patches of what CrewAI executes beside something else: crews, tasks, agents, and methods of flows.

Each is a branch of execution of its run: while it goes on, the run doesn't leave because others wait.
"""

from __future__ import annotations

# ruff: noqa: ANN401, SLF001 - CrewAI says Any here, and these are its seams
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial, wraps
from typing import Any

from crewai import Crew, Task
from crewai.agents.agent_executor import AgentExecutor
from crewai.flow.flow import Flow
from crewai.tasks.task_output import TaskOutput

from crews.run.activity import BRANCH, Branch
from crews.run.context import CURRENT


def install() -> None:
    """Patch them, once per process."""
    if "_crewdeck_branches" in vars(Crew):
        return
    crew: Any = Crew
    task: Any = Task
    executor: Any = AgentExecutor
    flow: Any = Flow
    crew.kickoff = _on_own_branch(crew.kickoff)
    crew.akickoff = _on_own_branch_async(crew.akickoff)
    crew._process_async_tasks = _waiting(crew._process_async_tasks)
    task.execute_async = _begun(task.execute_async)
    task._execute_task_async = _until_ended(task._execute_task_async)
    task.aexecute_sync = _on_own_branch_async(task.aexecute_sync)
    executor.invoke = _on_own_branch(executor.invoke)
    executor.invoke_async = _on_own_branch_async(executor.invoke_async)
    flow._execute_start_method = _on_own_branch_async(flow._execute_start_method)
    flow._execute_single_listener = _on_own_branch_async(flow._execute_single_listener)
    crew._crewdeck_branches = True


def context_of(call: Callable[..., Any]) -> contextvars.Context | None:
    """The context in which a call is made that CrewAI or asyncio hands to another thread: `context.run`."""
    function = call.func if isinstance(call, partial) else call
    owner = getattr(function, "__self__", None)
    return owner if isinstance(owner, contextvars.Context) else None


def _on_own_branch(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def on_own_branch(of: Any, *args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is None:
            return original(of, *args, **kwargs)
        with run.activity.own_branch():
            return original(of, *args, **kwargs)

    return on_own_branch


def _on_own_branch_async(
    original: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(original)
    async def on_own_branch(of: Any, *args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is None or (isinstance(of, Flow) and type(of).is_crewai_internal):  # One after the other.
            return await original(of, *args, **kwargs)
        with run.activity.own_branch():
            return await original(of, *args, **kwargs)

    return on_own_branch


# ── tasks with `async_execution` ────────────────────────────────────────────────────────────────────────


def _begun(original: Callable[..., Future[TaskOutput]]) -> Callable[..., Future[TaskOutput]]:
    """The task is a branch from now on; its thread, which has a copy of this context, may begin late."""

    @wraps(original)
    def execute_async(task: Task, *args: Any, **kwargs: Any) -> Future[TaskOutput]:
        run = CURRENT.get()
        if run is None:
            return original(task, *args, **kwargs)
        branch = run.activity.branch()
        token = BRANCH.set(branch)
        try:
            return original(task, *args, **kwargs)
        except BaseException:
            branch.end()
            raise
        finally:
            BRANCH.reset(token)

    return execute_async


def _until_ended(original: Callable[..., None]) -> Callable[..., None]:
    """End the branch once whoever waits for the task has its output, and goes on."""

    @wraps(original)
    def execute_task_async(task: Task, *args: Any, **kwargs: Any) -> None:
        branch = BRANCH.get()
        if branch is None:
            original(task, *args, **kwargs)
            return
        branch.begin_here()
        try:
            original(task, *args, **kwargs)
        finally:
            branch.end()

    return execute_task_async


class _Awaited:
    """A future for whose result a branch waits. The branch goes on before that of the task ends."""

    def __init__(self, future: Future[TaskOutput], branch: Branch) -> None:
        self._future = future
        self._line = branch

    def result(self) -> TaskOutput:
        self._line.wait()
        self._future.add_done_callback(lambda _future: self._line.resume())
        return self._future.result()


def _waiting(original: Callable[..., list[TaskOutput]]) -> Callable[..., list[TaskOutput]]:
    @wraps(original)
    def process(crew: Crew, futures: list[tuple[Task, Any, int]], *args: Any, **kwargs: Any) -> Any:
        branch = BRANCH.get()
        if branch is None:
            return original(crew, futures, *args, **kwargs)
        awaited = [(task, _Awaited(future, branch), index) for task, future, index in futures]
        return original(crew, awaited, *args, **kwargs)

    return process
