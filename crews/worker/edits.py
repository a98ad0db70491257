"""Edited crews take effect for new runs: YAML is read again, and for code another process takes over.

Code is imported once in a process, so an edit of it needs a new one. A check in a process of its own comes
first: while the edit is broken, this worker goes on with what it has.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from bot.core.runs.crew import CrewProblem
from bot.processes.worker_environment import worker_environment, worker_pipe
from bot.processes.worker_process import command
from bot.settings import Settings
from crews.building.offer import Offer
from crews.definitions.code import keep_sources
from crews.definitions.defined_crews import read
from crews.worker.watching import Stamps, WatchedFiles

log = structlog.get_logger(__name__)

POLL_INTERVAL_S = 0.5
"""Seconds between two looks at the files."""
DEBOUNCE_S = 0.3
"""Seconds without a change after which an edit is complete: editors and git write several times."""
RETRY_DELAY_S = 5.0
"""Seconds after which an edit that couldn't be looked at is looked at again."""
CHECK_TIMEOUT_S = 120.0
"""Seconds, in addition to `settings.build_timeout`."""


class Edits:
    """Follows the edits of one worker's crews. Used on the control loop."""

    def __init__(self, settings: Settings, use: Callable[[Offer], None]) -> None:
        """`use`: called with what is offered from now on."""
        self._settings = settings
        self._use = use
        self._offer = Offer({})
        self._files: WatchedFiles | None = None
        self._before: Stamps = {}
        self._since = _time_of_day()
        #: Whether this worker is to be replaced by one that has the edited code.
        self.outdated = False
        #: Why a successor couldn't run what this worker can, by crew, where code was edited.
        self._broken_code: tuple[CrewProblem, ...] = ()

    @property
    def has_broken_crews(self) -> bool:
        """Whether an edit broke crews that this worker still runs: a successor couldn't run them."""
        return bool(self._broken_code) or any(each.name in self._offer.crews for each in self._offer.problems)

    async def begin(self) -> None:
        """Note the state of the files, before the crews are loaded from them."""
        self._files = await asyncio.to_thread(WatchedFiles, self._settings)
        self._before = await asyncio.to_thread(self._files.stamps)

    async def follow(self, offer: Offer) -> None:
        """Look at the files until cancelled. `offer`: what was loaded."""
        # What is approved now rests on the code that was loaded, also if its files are edited later.
        await asyncio.to_thread(keep_sources)
        self._offer, files = offer, self._files
        while files is not None:
            now: Stamps = await asyncio.to_thread(files.stamps)
            if files.edited(self._before, now):
                now = await self._settled(files, now)
            edited = files.edited(self._before, now)
            if not edited or await self._try_to_handle(edited):
                self._before = now
                await asyncio.sleep(POLL_INTERVAL_S)
            else:
                await asyncio.sleep(RETRY_DELAY_S)

    async def _try_to_handle(self, edited: set[str]) -> bool:
        """Whether it is known what the edit means; otherwise it is looked at again."""
        try:
            await self._handle(edited)
        except (OSError, TimeoutError, ValueError) as error:
            log.error("edited crews can't be checked", reason=str(error) or type(error).__name__)  # noqa: TRY400
            return False
        except Exception:
            log.exception("edited crews could not be taken over")
        return True

    async def _settled(self, files: WatchedFiles, now: Stamps) -> Stamps:
        while True:
            await asyncio.sleep(DEBOUNCE_S)
            later = await asyncio.to_thread(files.stamps)
            if later == now:
                return now
            now = later

    async def _handle(self, edited: set[str]) -> None:
        log.info("crews were edited", files=sorted(edited)[:10], many=len(edited))
        in_yaml = self._settings.project is None and not any(each.endswith(".py") for each in edited)
        if in_yaml and not self.outdated:
            await self._read_again()
        else:
            await self._check()

    async def _read_again(self) -> None:
        from crews.building.reloading import reloaded  # crewai

        known = await asyncio.to_thread(read, self._settings.crew_dirs)
        offer = await asyncio.to_thread(reloaded, known, self._offer.crews, self._settings, self._since)
        self._offer = offer
        if not offer.problems:
            self._since = _time_of_day()
        self._use(self._current_offer())
        log.info(
            "crews were read again", crews=sorted(offer.crews), broken=[each.name for each in offer.problems]
        )

    async def _check(self) -> None:
        """Look in another process whether a successor can run what this worker runs.

        Raises OSError, TimeoutError and ValueError if that can't be done.
        """
        found = [each for each in await self._findings() if self._is_lost(each)]
        broken = [each for each in found if await asyncio.to_thread(self._can_be_built, each["crew"])]
        self.outdated = not broken
        if not broken:
            self._broken_code = ()
            log.info("the code of crews was edited: another worker takes over")
            return
        from crews.building.reloading import problem_of_edit  # crewai

        problems = [problem_of_edit(each["crew"], _finding_text(each), self._since) for each in broken]
        for problem in problems:
            log.error(
                "an edited crew is broken", crew=problem.name, problem=problem.problem, runs_use=self._since
            )
        self._broken_code = tuple(problems)
        self._use(self._current_offer())

    def _current_offer(self) -> Offer:
        """What is offered, with all problems: of code, and others of other crews."""
        names = {problem.name for problem in self._broken_code}
        others = (each for each in self._offer.problems if each.name not in names)
        return Offer(self._offer.crews, (*self._broken_code, *others))

    def _is_lost(self, finding: dict[str, Any]) -> bool:
        """Whether this says that a crew which can be run here couldn't be run by a successor."""
        if finding["severity"] != "error":
            return False
        project = self._settings.project
        return finding["crew"] in self._offer.crews or (
            project is not None and finding["crew"] == project.name and bool(self._offer.crews)
        )

    def _can_be_built(self, crew: str) -> bool:
        """Whether the crew can be built as this worker has it; if not, the edit hasn't broken it."""
        from crews.building.check import is_sound  # crewai

        blueprint = self._offer.crews.get(crew)
        return blueprint is None or is_sound(blueprint, self._settings.build_timeout)

    async def _findings(self) -> list[dict[str, Any]]:
        """What `python -m crews check` finds. Raises OSError, TimeoutError and ValueError."""
        with worker_pipe(worker_environment(self._settings)) as handover:
            process = await asyncio.create_subprocess_exec(
                *command("check"),
                env=handover.environment,
                pass_fds=(handover.descriptor,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S + self._settings.build_timeout):
                written, _ = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
        records = [json.loads(line) for line in written.decode().splitlines() if line.startswith("{")]
        found = [each for each in records if "severity" in each]
        if process.returncode:
            found.append(_died(records, process.returncode))
        return found


def _died(records: list[dict[str, Any]], status: int) -> dict[str, Any]:
    """The finding that a crew ends the process that imports it. Raises ValueError if it was none of them."""
    if not records or "importing" not in records[-1]:
        raise ValueError(f"the check ends with status {status}")
    what = f"importing {records[-1]['importing']} ends the process (status {status})"
    return {
        "crew": records[-1]["crew"],
        "severity": "error",
        "message": what,
        "file": "",
        "line": 0,
        "key": "",
    }


def _finding_text(finding: dict[str, Any]) -> str:
    where = f"{finding['file']}:{finding['line']}" if finding["line"] else finding["file"]
    key = f"{finding['key']}: " if finding["key"] else ""
    return f"{where}: {key}{finding['message']}" if where else f"{key}{finding['message']}"


def _time_of_day() -> str:
    """The time of day that people read."""
    return datetime.now().astimezone().strftime("%H:%M")
