"""Makes the app package that Teams installs: the manifest with this app's id, and its icons.

`make teams-package` calls it.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bot.settings import Settings

HERE = Path(__file__).parent
ICONS = ("color.png", "outline.png")
WEBSITE = "https://example.com"
"""Where the manifest leads if the console has no address that others can open."""


def manifest(app_id: str, public_url: str) -> dict[str, Any]:
    """The manifest of an app. Links lead to the console if its address is public."""
    website = public_url.rstrip("/") if public_url.startswith("https://") else ""
    template = (HERE / "manifest.json").read_text(encoding="utf-8")
    filled = template.replace("{app_id}", app_id).replace("{website}", website or WEBSITE)
    made: dict[str, Any] = json.loads(filled)
    made["validDomains"] = [urlsplit(website).netloc] if website else []
    return made


def write(package: Path, app_id: str, public_url: str) -> None:
    """The package as a zip. The same settings make the same bytes."""
    package.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest(app_id, public_url), indent=2, ensure_ascii=False)
    contents = {"manifest.json": text.encode()} | {name: (HERE / name).read_bytes() for name in ICONS}
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def main(package: Path) -> int:
    """Write the package of the app that the settings name; the exit status."""
    settings = Settings()
    if not settings.teams_app_id:
        print("TEAMS_APP_ID is not set: the package is made for one app (docs/teams.md).", file=sys.stderr)
        return 2
    write(package, settings.teams_app_id, settings.public_url)
    print(f"{package}: upload it in Teams, under Apps > Manage your apps > Upload an app.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
