"""`python -m bot` is `crewdeck`."""

import sys

from bot.cli import main

sys.exit(main())
