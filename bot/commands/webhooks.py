"""`crewdeck webhooks`: list failed deliveries, redeliver, and manage endpoints."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from bot.commands.output import format_count, format_time, print_rows, print_text, print_to_stderr
from bot.core import ids
from bot.core.errors import NotFound, SettingsError, UnreadableRecord
from bot.core.events.endpoints import PER_RUN_ENDPOINT, SURFACE, Endpoint, derived, surface_of
from bot.core.people.actor import principal
from bot.core.ports.webhooks import DeadLetter, Disabled, FailingDelivery
from bot.settings import Settings
from bot.store.open import open_configured
from bot.store.redis import RedisStore

MAX_ROWS = 50
"""The maximum number of rows in a list."""
EVENT_ID_VERSION = 8
"""The UUID version of an event's id."""


@dataclass(frozen=True)
class WebhooksOptions:
    """The arguments of the command."""

    action: str
    #: Ids of runs and events to redeliver.
    what: Sequence[str] = ()
    #: All events that were given up.
    failed: bool = False
    #: An endpoint, or an API key.
    name: str = ""


def run(settings: Settings, options: WebhooksOptions) -> int:
    """Execute `list`, `redeliver`, `enable`, `forget` or `secret`; returns the exit status.

    Raises SettingsError and StoreUnavailable.
    """
    if options.action == "secret":
        return _secret(settings, options.name)
    command: Callable[[_WebhookCommands, WebhooksOptions], Awaitable[int]] = {
        "list": _WebhookCommands.list,
        "redeliver": _WebhookCommands.redeliver,
        "enable": _WebhookCommands.enable,
        "forget": _WebhookCommands.forget,
    }[options.action]
    return asyncio.run(_with_store(command, settings, options))


async def _with_store(
    command: Callable[[_WebhookCommands, WebhooksOptions], Awaitable[int]],
    settings: Settings,
    options: WebhooksOptions,
) -> int:
    async with open_configured(settings) as store:
        try:
            return await command(_WebhookCommands(store, settings), options)
        except (NotFound, UnreadableRecord) as error:
            print_to_stderr(f"crewdeck: {error}")
            return 1


def _secret(settings: Settings, key: str) -> int:
    """Print the secret that signs webhooks of runs that this API key starts; "" is the local user."""
    if not settings.webhook_secrets:
        raise SettingsError("CREWDECK_WEBHOOK_SECRET is not set: see docs/webhooks.md.")
    who = principal("http", "", f"key:{key}" if key else "local")
    print_text(derived(settings.webhook_secrets[0], who).get_secret_value())
    return 0


class _WebhookCommands:
    """The commands that need the store."""

    def __init__(self, store: RedisStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def list(self, _: WebhooksOptions) -> int:
        names = self._names()
        unknown = await self._unknown()
        if not names and not unknown:
            print_to_stderr("There are no endpoints: see docs/webhooks.md.")
            return 0
        disabled = await self._store.webhooks.disabled()
        failing = {name: await self._store.webhooks.failing(surface_of(name)) for name in names}
        dead_letters = {name: await self._store.webhooks.dead_letters(surface_of(name)) for name in names}
        rows = [("ENDPOINT", "HOST", "STATE")]
        for endpoint in self._settings.webhooks:
            state = _state(endpoint, disabled, failing[endpoint.name], dead_letters[endpoint.name])
            rows.append((endpoint.name, endpoint.host, state))
        if PER_RUN_ENDPOINT in names:
            rows.append(
                (
                    PER_RUN_ENDPOINT,
                    "(as starts say)",
                    _count(failing[PER_RUN_ENDPOINT], dead_letters[PER_RUN_ENDPOINT]),
                )
            )
        rows += [
            (
                name,
                "(not in these settings)",
                f"what it should get is kept; `crewdeck webhooks forget {name}` ends that",
            )
            for name in unknown
        ]
        print_rows(rows)
        _print_failing(failing)
        _print_dead_letters(dead_letters)
        return 0

    async def redeliver(self, options: WebhooksOptions) -> int:
        names = [options.name] if options.name else self._names()
        self._check(names)
        if not options.what and not options.failed:
            raise SettingsError("redeliver: name runs or events, or say --failed.")
        sent = 0
        for name in names:
            surface = surface_of(name)
            for run_id, seqs in (await self._wanted(surface, options)).items():
                taken = await self._taken(name, run_id, seqs)
                sent += await self._store.webhooks.resend(surface, run_id, taken)
        if not sent:
            print_to_stderr("crewdeck: there is nothing to send: no endpoint follows that, or wants it.")
            return 1
        print_text(f"{format_count(sent, 'event')} will be sent again.")
        return 0

    async def enable(self, options: WebhooksOptions) -> int:
        self._check([options.name])
        await self._store.webhooks.enable(surface_of(options.name))
        print_text(f"{options.name} gets webhooks again.")
        return 0

    async def forget(self, options: WebhooksOptions) -> int:
        """Stop following new runs with an endpoint that the settings no longer name."""
        if options.name in self._names():
            raise SettingsError(
                f"{options.name} is set by CREWDECK_WEBHOOKS: take it out there, and restart."
            )
        if options.name not in await self._unknown():
            raise SettingsError(f"There is no endpoint {options.name}; `crewdeck webhooks` lists them.")
        kept = [
            surface
            for surface in await self._store.webhooks.following()
            if surface != surface_of(options.name)
        ]
        await self._store.webhooks.follow(kept)
        print_text(f"{options.name} is forgotten: it gets no runs that start from now on.")
        return 0

    async def _unknown(self) -> Sequence[str]:
        """Endpoints in the store that the settings don't name."""
        known = [surface.removeprefix(SURFACE) for surface in await self._store.webhooks.following()]
        return [name for name in known if name not in self._names()]

    async def _wanted(self, surface: str, options: WebhooksOptions) -> dict[str, Sequence[int]]:
        """The events to redeliver, by run."""
        wanted: defaultdict[str, set[int]] = defaultdict(set)
        if options.failed:
            for each in await self._store.webhooks.dead_letters(surface):
                wanted[each.run_id].add(each.seq)
        for word in options.what:
            run_id, seqs = await self._found(word)
            wanted[run_id].update(seqs)
        return {run_id: sorted(seqs) for run_id, seqs in wanted.items()}

    async def _taken(self, name: str, run_id: str, seqs: Sequence[int]) -> Sequence[int]:
        """The events among these that the endpoint's `events=` filter includes."""
        endpoint = next((each for each in self._settings.webhooks if each.name == name), None)
        if endpoint is None or not endpoint.events:
            return seqs
        named, taken, after = set(seqs), [], 0
        while page := await self._store.events.read(run_id, after):
            taken += [each.seq for each in page if each.seq in named and endpoint.wants(each.body.type)]
            after = page[-1].seq
        return taken

    async def _found(self, word: str) -> tuple[str, Iterable[int]]:
        """Find a run (with all its events) by id or prefix, or a single event by id. Raises NotFound."""
        if _is_event(word):
            run, seq = await self._store.webhooks.find_event(word)
            return run.id, (seq,)
        runs = await self._store.runs.find(word)
        if len(runs) > 1:
            raise SettingsError(f"redeliver: several runs start with {word}: write more of the id.")
        if not runs:
            raise NotFound("run", word)
        return runs[0].id, range(1, runs[0].seq + 1)

    def _names(self) -> Sequence[str]:
        of_starts = [PER_RUN_ENDPOINT] if self._settings.webhook_urls else []
        return [*(endpoint.name for endpoint in self._settings.webhooks), *of_starts]

    def _check(self, names: Sequence[str]) -> None:
        if unknown := sorted(set(names) - set(self._names())):
            raise SettingsError(f"There is no endpoint {unknown[0]}; `crewdeck webhooks` lists them.")


def _is_event(word: str) -> bool:
    try:
        return UUID(word).version == EVENT_ID_VERSION
    except ValueError:
        return False


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────


def _state(
    endpoint: Endpoint,
    disabled: dict[str, Disabled],
    failing: Sequence[FailingDelivery],
    dead_letters: Sequence[DeadLetter],
) -> str:
    off = disabled.get(endpoint.surface)
    if off is None or off.fingerprint != endpoint.fingerprint:
        return _count(failing, dead_letters)
    return (
        f"off since {format_time(off.at)}: {off.why}; `crewdeck webhooks enable {endpoint.name}` turns it on"
    )


def _count(failing: Sequence[FailingDelivery], dead_letters: Sequence[DeadLetter]) -> str:
    parts = (
        [f"{format_count(len(failing), 'run')} waiting since {format_time(failing[0].since)}"]
        if failing
        else []
    )
    parts += [f"{format_count(len(dead_letters), 'event')} given up"] if dead_letters else []
    return "; ".join(parts) or "ok"


def _print_failing(failing: dict[str, list[FailingDelivery]]) -> None:
    rows = [
        (each.run_id, name, format_time(each.since), str(each.tries), each.why)
        for name, found in failing.items()
        for each in found
    ]
    _print_more([("RUN THAT WAITS", "ENDPOINT", "SINCE", "TRIES", "WHY"), *rows])


def _print_dead_letters(dead_letters: dict[str, list[DeadLetter]]) -> None:
    rows = [
        (ids.event_id(each.run_id, each.seq), name, each.run_id, format_time(each.at), each.why)
        for name, found in dead_letters.items()
        for each in found
    ]
    _print_more([("EVENT GIVEN UP", "ENDPOINT", "RUN", "WHEN", "WHY"), *rows])


def _print_more(rows: Sequence[Sequence[str]]) -> None:
    if len(rows) == 1:
        return
    print_text("")
    print_rows(rows[: MAX_ROWS + 1])
    if (left := len(rows) - 1 - MAX_ROWS) > 0:
        print_text(f"and {left} more")
