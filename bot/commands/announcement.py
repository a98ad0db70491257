"""The start-up message of `serve`: its address, the enabled surfaces, and how to enable the others."""

from __future__ import annotations

from collections.abc import Sequence

from bot import local_token
from bot.core.project import Project
from bot.core.text import terminal_safe
from bot.settings import Settings


def announcement(
    settings: Settings,
    projects: Sequence[Project],
    url: str,
    version: str,
    *,
    console: str,
    trusted: str,
    notices: Sequence[str] = (),
) -> str:
    """A few lines for the operator. The only secret in them is part of the address `console`.

    `trusted` says who may call. `notices` say why the API refuses everybody, if it does.
    """
    lines = {
        "Slack": slack_line(settings),
        "Teams": teams_line(settings),
        **_http_lines(url, console, notices),
        "Trusted": trusted,
        **({"Webhooks": webhooks} if (webhooks := webhooks_line(settings)) else {}),
        **({"Delivery": delivery} if (delivery := delivery_line(settings)) else {}),
        "Store": _store_line(settings),
        "Workers": _workers_line(settings, projects),
        **({"Projects": _projects_line(projects)} if projects else {}),
    }
    table = "\n".join(f"  {name:<8} {line}" for name, line in lines.items())
    return f"Crewdeck {version} is up: {url}\n\n{table}\n\nCtrl-C stops everything it started.\n"


def _workers_line(settings: Settings, projects: Sequence[Project]) -> str:
    if not settings.workers:
        return "none here: start them with `crewdeck worker`"
    return (
        f"{settings.workers}, and {settings.workers} for each project" if projects else str(settings.workers)
    )


def _projects_line(projects: Sequence[Project]) -> str:
    """What was found; whether its crews load is told by the log, `crewdeck crews` and the console."""
    return terminal_safe(", ".join(f"{each.name} ({each.root})" for each in projects), one_line=True)


def delivery_line(settings: Settings) -> str:
    """The process that sends messages; empty for the default."""
    if not settings.delivers or settings.delivery == "process":
        return ""
    if settings.delivery == "inside":
        return "by this process"
    return "none here: start it with `crewdeck deliver`"


def trusted_line(settings: Settings, *, plain: bool, token: bool, keys: bool) -> str:
    """Who may call the API and use the console, with the reason."""
    if keys:
        return "who has an API key (crewdeck keys list), or signs in from Slack or Teams"
    if plain:
        return "everybody at this machine, without a key: nothing else can reach it"
    open_by = " and ".join(settings.exposed_by)
    why = f"{open_by} let requests from elsewhere in. Others need a key: crewdeck keys add NAME"
    if token:
        return f"this user at this machine, by {local_token.path_in(settings.data_dir)}: {why}"
    return f"nobody: {why}"


def _http_lines(url: str, console: str, notices: Sequence[str]) -> dict[str, str]:
    if notices:
        return {"HTTP": " ".join(("off ", *notices))}
    return {"Console": f"on   {console}", "HTTP": f"on   {url}/docs; also /health, /ready, /metrics"}


def slack_line(settings: Settings) -> str:
    """Whether Slack is enabled and how its requests arrive, or the settings that enable it."""
    if settings.slack_on:
        how = "Socket Mode" if settings.socket_mode else "request URL: <your public address>/slack/events"
        return f"on   {how}"
    missing = []
    if settings.slack_bot_token is None:
        missing.append("SLACK_BOT_TOKEN")
    if not settings.socket_mode and settings.slack_signing_secret is None:
        missing.append("SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (request URL)")
    return f"off  set {' and '.join(missing)}: see docs/slack.md"


def teams_line(settings: Settings) -> str:
    """Whether Teams is enabled and where its requests arrive, or the settings that enable it."""
    if settings.teams_on:
        return "on   messaging endpoint: <your public address>/api/messages"
    missing = [] if settings.teams_app_id else ["TEAMS_APP_ID"]
    if not settings.teams_tenant_id:
        missing.append("TEAMS_TENANT_ID")
    if not (settings.teams_app_password or settings.teams_managed_identity or settings.teams_outbound_token):
        missing.append("TEAMS_APP_PASSWORD or TEAMS_MANAGED_IDENTITY")
    return f"off  set {' and '.join(missing)}: see docs/teams.md"


def webhooks_line(settings: Settings) -> str:
    """The endpoints that receive events; "" without any."""
    to = [f"{endpoint.name} ({endpoint.host})" for endpoint in settings.webhooks]
    if settings.webhook_urls:
        to.append("the addresses given by starts (webhook_url)")
    return f"to   {', '.join(to)}" if to else ""


def _store_line(settings: Settings) -> str:
    if settings.redis_url is None:
        return f"embedded Valkey in {settings.data_dir}"
    return f"Redis, from {settings.redis_setting}"
