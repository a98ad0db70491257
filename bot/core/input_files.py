"""Files as inputs of a run: uploads become the run's files, once it is known who may use them."""

from __future__ import annotations

import uuid

from pydantic import JsonValue

from bot.core.errors import InvalidInputs, Refused
from bot.core.files import (
    MAX_FILE_BYTES,
    MAX_RUN_BYTES,
    StoredFile,
    as_input,
    check_size,
    in_words,
    stored_file,
)
from bot.core.forms.fields import Field, FieldType
from bot.core.people.actor import Actor
from bot.core.ports.store import Files
from bot.core.runs.run import NewRun

EXPIRED = "is not there any more: uploads are kept for an hour, for whoever uploaded them. Upload it again"


async def upload(files: Files, name: str, content: bytes, by: Actor) -> tuple[str, StoredFile]:
    """Keep a file until its owner starts a run with it; returns the id of the upload.

    Raises Refused (file_too_large).
    """
    upload_id, file = str(uuid.uuid4()), stored_file(name, content, owner=by.principal)
    await files.seed(upload_id, file, content)
    return upload_id, file


async def uploaded(files: Files, upload_id: str, by: Actor) -> StoredFile | None:
    """An upload of this person; None if there is none (any more)."""
    found = await files.list(upload_id)
    return next((file for file in found if file.owner == by.principal), None)


def problem(field: Field, file: StoredFile) -> str | None:
    """What is wrong with a file for this input; None if nothing is."""
    suffix = file.name.rpartition(".")[2].lower() if "." in file.name else ""
    if field.accept and suffix not in field.accept:
        return f"must be a file of type {', '.join(field.accept)}, and {file.name} is none"
    try:
        check_size(file.name, file.size, field.max_size or MAX_FILE_BYTES)
    except Refused as refused:
        return f"is too large: {refused}"
    return None


def file_inputs(new: NewRun) -> list[Field]:
    """The inputs of a new run that are files."""
    return [field for field in new.crew.inputs if field.type is FieldType.FILE and field.name in new.inputs]


async def store_files(files: Files, new: NewRun) -> NewRun:
    """The run with the files of its inputs, which are stored for it; without any it is unchanged.

    Raises InvalidInputs, with a reason for each file that can't be used.
    """
    if not (wanted := file_inputs(new)):
        return new
    found: dict[str, tuple[str, StoredFile]] = {}
    problems: dict[str, str] = {}
    for field in wanted:
        upload_id = str(new.inputs[field.name])
        file = await uploaded(files, upload_id, new.requester)
        why = EXPIRED if file is None else problem(field, file)
        if file is None or why is not None:
            problems[field.name] = why or EXPIRED
        else:
            found[field.name] = upload_id, file
    if sum(file.size for _, file in found.values()) > MAX_RUN_BYTES:
        problems[wanted[0].name] = f"and the other files have more than {in_words(MAX_RUN_BYTES)} together"
    if problems:
        raise InvalidInputs(problems)
    values: dict[str, JsonValue] = {
        name: as_input(await _store(files, new.id, name, upload_id, file))
        for name, (upload_id, file) in found.items()
    }
    return new.model_copy(update={"inputs": {**new.inputs, **values}})


async def _store(files: Files, run_id: str, name: str, upload_id: str, file: StoredFile) -> StoredFile:
    content = b"".join([part async for part in files.read(upload_id, file.id)])
    given = stored_file(file.name, content, input=name)
    await files.seed(run_id, given, content)
    return given
