"""`crewdeck new`: a small crew that runs at once. `crewdeck schema`: what editors know of a crew's files."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from bot.commands.output import print_text
from bot.core.errors import SettingsError
from bot.settings import shipped

SCHEMAS = "schemas"
"""The folder of the JSON Schemas among the crews that come with Crewdeck."""
MAX_NAME_LENGTH = 60
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*", re.IGNORECASE)
_FILES = ("crew.yaml", "agents.yaml", "tasks.yaml", "script.yaml")

NEXT = """\
Made {folder}: {files}.

    crewdeck check {folder}
    crewdeck serve {folder}
    crewdeck start {name} topic="tide mills"

Its model is scripted and needs no key. For a real one, write its name as `model:` into
{folder}/crew.yaml, set its key (OPENAI_API_KEY, ANTHROPIC_API_KEY ...) in .env or the
environment, and delete script.yaml. What else a crew can have: docs/crews.md."""


def new(name: str, into: str) -> int:
    """Make a crew of this name in a folder. Raises SettingsError; nothing is ever overwritten."""
    _check_name(name)
    folder = Path(into).expanduser() / name
    if folder.exists() or folder.is_symlink():
        raise SettingsError(f"{folder} is there already, and is left as it is. Use another name, or --dir.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder.parent) as unfinished:
            made = Path(unfinished) / name
            _write(made, name)
            made.rename(folder)
    except OSError as error:
        raise SettingsError(f"{folder} can't be made: {error.strerror or error}.") from error
    print_text(NEXT.format(folder=shlex.quote(str(folder)), files=", ".join(_FILES), name=name))
    return 0


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_LENGTH:
        raise SettingsError(
            f"{name!r} can't be the name of a crew: it has letters, digits, - and _, begins with a letter or "
            f"digit, and is no longer than {MAX_NAME_LENGTH}."
        )
    if (shipped("config") / name.lower()).exists():
        raise SettingsError(f"{name} comes with Crewdeck; a crew of that name would replace it. Use another.")


def _write(folder: Path, name: str) -> None:
    template = files("bot.commands") / "template"
    folder.mkdir()
    words = {"__NAME__": name, "__TITLE__": _title(name)}
    for file in _FILES:
        text = (template / file).read_text(encoding="utf-8")
        for marker, value in words.items():
            text = text.replace(marker, value)
        (folder / file).write_text(text, encoding="utf-8")
    shutil.copytree(shipped("config") / SCHEMAS, folder / f".{SCHEMAS}")


def _title(name: str) -> str:
    """Quoted, since `2024`, `on` and `null` are titles too."""
    return f'"{re.sub("[-_]+", " ", name).strip().capitalize() or name}"'


def schema(name: str) -> int:
    """Print the JSON Schema of a file. Raises SettingsError for one that there isn't."""
    folder = shipped("config") / SCHEMAS
    known = sorted(each.name.partition(".")[0] for each in folder.glob("*.schema.json"))
    wanted = name.removesuffix(".yaml")
    if wanted not in known:
        raise SettingsError(f"There is no schema {name!r}; there are {', '.join(known)}.")
    print_text((folder / f"{wanted}.schema.json").read_text(encoding="utf-8").rstrip())
    return 0
