"""What is held in files: `CREWDECK_GOLDEN=write` in the environment writes them anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def held(file: Path, shown: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """What the file holds: `shown`, if it is written anew."""
    if os.environ.get("CREWDECK_GOLDEN") == "write":
        file.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    return json.loads(file.read_text())
