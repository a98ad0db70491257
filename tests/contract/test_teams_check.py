"""What `crewdeck doctor` finds out about Teams, beside a loopback Teams."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from appPackage.build import write
from bot.core.finding import Finding
from bot.settings import Settings
from bot.surfaces.teams.check import check
from tests.loopback.teams import LoopbackTeams


def settings_of(teams: LoopbackTeams, **more: str) -> Settings:
    known = {
        "TEAMS_APP_ID": teams.app_id,
        "TEAMS_TENANT_ID": teams.tenant.id,
        "TEAMS_APP_PASSWORD": teams.app_password,
        "TEAMS_OPENID_METADATA_URL": teams.openid_metadata_url,
    }
    return Settings.model_validate(known | more)


async def found(teams: LoopbackTeams, package: Path, **more: str) -> dict[str, Finding]:
    """The findings, by what they are about."""
    findings = await check(settings_of(teams, **more), teams.login_url, package)
    return dict(zip(("credentials", "keys", "endpoint", "package"), findings, strict=True))


@asynccontextmanager
async def site(status: int) -> AsyncIterator[str]:
    """A server that answers everything with this status."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_good_app_is_well(tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    async with LoopbackTeams() as teams, site(401) as address:
        write(package, teams.app_id, "https://crews.example")
        findings = await found(teams, package, CREWDECK_PUBLIC_URL=address)
    assert {each.state for each in findings.values()} == {"ok"}
    assert teams.app_password not in str(findings)
    assert "ChannelMessage.Read.Group" in findings["package"].words


async def test_each_fault_gets_its_remedy(tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    async with LoopbackTeams() as teams, site(404) as address:
        write(package, "00000000-0000-0000-0000-000000000000", "")
        teams.fail("metadata", 500)
        wrong = {"TEAMS_APP_PASSWORD": "another-password", "CREWDECK_PUBLIC_URL": address}
        findings = await found(teams, package, **wrong)
    assert {each.state for each in findings.values()} == {"broken"}
    assert "invalid_client" in findings["credentials"].words
    assert "TEAMS_APP_PASSWORD" in findings["credentials"].remedy
    assert "TEAMS_OPENID_METADATA_URL" in findings["keys"].remedy
    assert "404" in findings["endpoint"].words
    assert "another app" in findings["package"].words
    assert "another-password" not in str(findings)


async def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    async with LoopbackTeams() as teams:
        findings = await found(teams, tmp_path / "none.zip", TEAMS_OUTBOUND_TOKEN="a-token-of-a-peer")
    assert "CREWDECK_PUBLIC_URL" in findings["endpoint"].remedy
    assert findings["endpoint"].state == "warning"
    assert (findings["package"].state, findings["package"].remedy) == (
        "off",
        "To make it: make teams-package.",
    )
    assert "TEAMS_OUTBOUND_TOKEN" in findings["credentials"].words


@pytest.mark.parametrize("manifest", [None, {}, {"bots": [{"botId": 1}]}, {"authorization": {}}])
async def test_a_package_that_is_none_is_a_fault(tmp_path: Path, manifest: object) -> None:
    package = tmp_path / "app.zip"
    if manifest is None:
        package.write_bytes(b"no zip")
    else:
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("manifest.json", json.dumps(manifest))
    async with LoopbackTeams() as teams:
        finding = (await found(teams, package))["package"]
    assert finding.state == "broken"
    assert "make teams-package" in finding.remedy


async def test_a_package_without_consent_is_a_fault(tmp_path: Path) -> None:
    package, other = tmp_path / "app.zip", tmp_path / "other.zip"
    async with LoopbackTeams() as teams:
        write(package, teams.app_id, "")
        manifest = json.loads(zipfile.ZipFile(package).read("manifest.json"))
        del manifest["authorization"]["permissions"]["resourceSpecific"][0]
        with zipfile.ZipFile(other, "w") as archive:
            archive.writestr("manifest.json", json.dumps(manifest))
        finding = (await found(teams, other))["package"]
    assert "asks for no consent to ChannelMessage.Read.Group" in finding.words
