"""The delivery process of `serve`: its only argument is the console's address."""

from __future__ import annotations

import sys

from bot.commands import servers
from bot.commands.main import MISTAKE
from bot.core.errors import SettingsError, StoreUnavailable
from bot.processes import garbage_collector


def main() -> int:
    """Deliver until `serve` ends or says so; returns the exit status."""
    garbage_collector.tune()
    try:
        return servers.deliver(sys.argv[1])
    except (SettingsError, StoreUnavailable) as error:
        sys.stderr.write(f"crewdeck: {error}\n")
        return MISTAKE


if __name__ == "__main__":
    sys.exit(main())
