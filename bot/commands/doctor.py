"""`crewdeck doctor`: checks everything that Crewdeck depends on, and names remedies."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from bot.commands.announcement import slack_line, teams_line
from bot.commands.catalogue import check_crews, check_project
from bot.commands.check import shown_place
from bot.commands.installation import is_installed
from bot.commands.unknown_settings import unknown_settings
from bot.core.errors import SettingsError, StoreUnavailable
from bot.core.events.endpoints import Endpoint
from bot.core.finding import Finding
from bot.core.ports.journal import key_id_of
from bot.core.text import terminal_safe
from bot.delivery import count_delivering
from bot.processes.projects import find_configured
from bot.setting_sources import DOTENV
from bot.settings import Settings, load
from bot.store.durability import inspect
from bot.store.embedded import Embedded
from bot.store.open import open_configured
from bot.store.write_concern import WriteConcern
from bot.surfaces.chat.presence import count_present

MARKS = {
    "ok": ("ok    ", "32"),
    "off": ("off   ", "2"),
    "warning": ("warn  ", "33"),
    "broken": ("BROKEN", "31"),
}
"""The word and the colour for each state."""

NO_MODEL = "missing_model"
"""The code of a crew without a model while no default is set: not configured yet, so it is no fault."""
NO_KEY = "missing_key"
"""The code of a crew whose model has no key."""

CHATS = ("slack", "teams")

Check = Callable[[Settings], Awaitable[list[Finding]]]


def examine() -> int:
    """Run all checks and print one line per finding; returns 1 if something is broken, else 0."""
    try:
        settings = load()
    except SettingsError as error:
        _print(Finding(subject="Settings", state="broken", words=str(error), remedy="See docs/settings.md."))
        return 1
    where = f"the environment and {Path(DOTENV).absolute()}" if Path(DOTENV).exists() else "the environment"
    _print(Finding(subject="Settings", state="ok", words=f"read from {where}"))
    for each in unknown_settings():
        _print(Finding(subject="Settings", state="warning", words=each, remedy="See docs/settings.md."))
    broken = asyncio.run(_all(settings))
    print("\nSomething is broken." if broken else "\nAll is well.")
    return 1 if broken else 0


async def _all(settings: Settings) -> bool:
    """Run the checks concurrently, and print their findings in a fixed order."""
    checks: tuple[Check, ...] = (_store, _journals, _slack, _teams, _webhooks, _delivery, _crews)
    broken = False
    for under_way in [asyncio.ensure_future(_safely(check, settings)) for check in checks]:
        for finding in await under_way:
            _print(finding)
            broken = broken or finding.state == "broken"
    return broken


async def _safely(check: Check, settings: Settings) -> list[Finding]:
    try:
        return await check(settings)
    except (SettingsError, StoreUnavailable) as error:
        subject = check.__name__.strip("_").capitalize()
        return [Finding(subject=subject, state="broken", words=str(error), remedy="See docs/settings.md.")]


async def _store(settings: Settings) -> list[Finding]:
    if settings.redis_url is not None:
        write_concern = WriteConcern(settings.redis_replicas, fsync=settings.redis_fsync)
        return await inspect(settings.redis_url.get_secret_value(), write_concern, settings.redis_setting)
    embedded = await asyncio.to_thread(Embedded.attach, settings.data_dir)
    try:
        where = Finding(subject="Redis", state="ok", words=f"embedded, in {settings.data_dir}")
        return [where, *await inspect(embedded.url)]
    finally:
        with suppress(StoreUnavailable):
            await asyncio.to_thread(embedded.detach)


async def _journals(settings: Settings) -> list[Finding]:
    """Whether journals are encrypted. Loading the settings has validated the keys."""
    current, *others = map(key_id_of, settings.journal_keys) if settings.journal_keys else (None,)
    if current is None:
        words, remedy = "not encrypted", "To encrypt them, set CREWDECK_JOURNAL_KEY."
        return [Finding(subject="Journals", state="off", words=words, remedy=remedy)]
    also = f"; {', '.join(others)} decrypt too" if others else ""
    return [Finding(subject="Journals", state="ok", words=f"encrypted with the key {current}{also}")]


async def _slack(settings: Settings) -> list[Finding]:
    if settings.slack_on:
        from bot.surfaces.slack.check import check  # imported late, because Slack's SDK is slow to load

        return await check(settings)
    meant = (settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret)
    return [_disabled_finding("Slack", slack_line(settings), partly=any(meant))]


async def _teams(settings: Settings) -> list[Finding]:
    if settings.teams_on:
        if not is_installed("teams"):
            words, remedy = "what it needs is not installed", 'pip install "crewdeck[teams]"'
            return [Finding(subject="Teams", state="broken", words=words, remedy=remedy)]
        from bot.surfaces.teams.check import check  # imported late, because its libraries are slow to load

        return await check(settings)
    meant = (settings.teams_app_id, settings.teams_app_password, settings.teams_managed_identity)
    return [_disabled_finding("Teams", teams_line(settings), partly=any(meant))]


def _disabled_finding(subject: str, line: str, *, partly: bool) -> Finding:
    """A chat platform that is off, or set in part; `line` is what the start-up says of it."""
    off, _, remedy = line.partition("  ")
    if partly:
        return Finding(
            subject=subject, state="broken", words="some of its settings are missing", remedy=remedy
        )
    return Finding(subject=subject, state="off", words=off, remedy=remedy)


async def _webhooks(settings: Settings) -> list[Finding]:
    """Check the settings only and send nothing: a receiver could mistake a test for an event."""
    found = [_endpoint(endpoint) for endpoint in settings.webhooks]
    if settings.webhook_urls:
        words = "starts may name an address of their own"
        found.append(Finding(subject="Webhooks", state="ok", words=words))
    if not found:
        return [Finding(subject="Webhooks", state="off", words="off", remedy="See docs/webhooks.md.")]
    if settings.webhook_allow_private:
        words = "private networks and http:// are allowed"
        if settings.webhook_urls:
            remedy = "Whoever may start runs can make this server talk to what only it can reach."
            found.append(Finding(subject="Webhooks", state="warning", words=words, remedy=remedy))
        else:
            found.append(Finding(subject="Webhooks", state="ok", words=words))
    return found


def _endpoint(endpoint: Endpoint) -> Finding:
    events = ", ".join(endpoint.events) or "all events"
    subject, words = f"Webhooks to {endpoint.name}", f"{events}, to {endpoint.host}"
    if len(endpoint.secrets) > 1:
        remedy = "Take the old one out once the receiver has the new one."
        return Finding(subject=subject, state="ok", words=f"{words}; two secrets sign", remedy=remedy)
    return Finding(subject=subject, state="ok", words=words)


async def _delivery(settings: Settings) -> list[Finding]:
    """Whether anything delivers, if there is anything to deliver to."""
    if not settings.delivers:
        return []
    async with open_configured(settings) as store:
        processes = await count_delivering(store.key_values, store.clock)
        receives = any([await count_present(each, store.key_values, store.clock, "web") for each in CHATS])
    if processes:
        words = f"{processes} process{'es' if processes > 1 else ''} send to chat platforms and webhooks"
        return [Finding(subject="Delivery", state="ok", words=words)]
    if not receives and settings.delivery != "none":
        words = "nothing is sent while `crewdeck serve` doesn't run"
        return [Finding(subject="Delivery", state="off", words=words)]
    words, remedy = (
        "no process sends to chat platforms and webhooks",
        "Run `crewdeck deliver`, or see the log.",
    )
    return [Finding(subject="Delivery", state="warning", words=words, remedy=remedy)]


async def _crews(settings: Settings) -> list[Finding]:
    if not is_installed("worker"):
        words, remedy = "this machine runs none", 'To run some: pip install "crewdeck[worker]".'
        return [Finding(subject="Crews", state="off", words=words, remedy=remedy)]
    settings.require_crew_dirs()
    records = await asyncio.to_thread(check_crews, settings)
    for project in find_configured(settings):
        records += await asyncio.to_thread(check_project, settings, project)
    found = [_crewai(record) for record in records if "crewai" in record]
    crews = [_crew(record) for record in records if "crew" in record]
    if not crews:
        return [
            *found,
            Finding(subject="Crews", state="warning", words="there are none", remedy="See docs/crews.md."),
        ]
    return [*found, *crews]


def _crewai(record: dict[str, Any]) -> Finding:
    """Compare the installed CrewAI with the release that the adapter was tested with."""
    said = {name: record[name] for name in ("state", "words", "remedy")}
    return Finding.model_validate({"subject": "CrewAI", **said})


def _crew(record: dict[str, Any]) -> Finding:
    subject = f"Crew {record['crew']}"
    if record["severity"] == "ok":
        return Finding(subject=subject, state="ok", words="loads")
    place, key = shown_place(record), f"{record['key']}: " if record["key"] else ""
    return Finding(
        subject=subject,
        state=_state(record),
        words=f"{place}: {key}{record['message']}" if place else record["message"],
        remedy=record["remedy"],
    )


def _state(record: dict[str, Any]) -> Literal["off", "warning", "broken"]:
    """A crew without its model's key can't run, though its files are right; without a model it is off."""
    if record["code"] == NO_MODEL:
        return "off"
    return "warning" if record["severity"] == "warning" and record["code"] != NO_KEY else "broken"


def _print(finding: Finding) -> None:
    word, colour = MARKS[finding.state]
    mark = f"\033[{colour}m{word}\033[0m" if sys.stdout.isatty() else word
    remedy = f" -> {finding.remedy}" if finding.remedy else ""
    said = terminal_safe(f"{finding.subject}: {finding.words}{remedy}", one_line=True)
    print(f"{mark}  {said}", flush=True)
