"""The handlers of files: those of a run, and uploads that become a run's inputs."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import quote

import structlog
from aiohttp import web
from aiohttp.hdrs import METH_HEAD
from pydantic import Field

from bot.core import input_files
from bot.core.errors import CrewdeckError
from bot.core.files import MAX_FILE_BYTES, StoredFile, check_size
from bot.core.ports.store import Files, Store
from bot.surfaces.http.bodies import Request
from bot.surfaces.http.operations import RequestContext, reply
from bot.surfaces.http.problems import Problem
from bot.surfaces.http.views import View

log = structlog.get_logger(__name__)

MAX_CONCURRENT_UPLOADS = 8
"""Each holds a file in memory."""
UPLOAD_TIMEOUT_S = 60.0
"""Seconds within which a client has to send a file."""
CHUNK_BYTES = 64 * 1024


class FileView(View):
    """A file of a run, without its content."""

    file_id: str
    name: str
    media_type: str
    size: int = Field(description="In bytes.")
    digest: str = Field(description="`sha256:` and 64 hexadecimal digits.")
    description: str
    task_id: str | None = Field(description="The task that wrote it, or in whose course it was attached.")
    input: str | None = Field(description="The input that it was given as; null: the crew made it.")

    @classmethod
    def of(cls, file: StoredFile) -> FileView:
        return cls(
            file_id=file.id,
            name=file.name,
            media_type=file.media_type,
            size=file.size,
            digest=file.digest,
            description=file.description,
            task_id=file.task_id,
            input=file.input or None,
        )


class FilesView(View):
    """The files of a run."""

    files: tuple[FileView, ...]


class UploadQuery(Request):
    """What an upload is called."""

    name: Annotated[str, Field(min_length=1, max_length=1000, description="The file's name.")]


class UploadView(View):
    """An uploaded file. Its id is the value of an input of type `file`."""

    file_id: str
    name: str
    size: int
    digest: str


class FileRoutes:
    """The handlers of files."""

    def __init__(self, store: Store) -> None:
        self._runs = store.runs
        self._files: Files = store.files
        self._uploads = asyncio.Semaphore(MAX_CONCURRENT_UPLOADS)

    async def list(self, context: RequestContext[None, None]) -> web.Response:
        run = await self._runs.get(context.id("run_id"))
        files = await self._files.list(run.id)
        return reply(FilesView(files=tuple(map(FileView.of, files))))

    async def content(self, context: RequestContext[None, None]) -> web.StreamResponse:
        """The bytes, as a download: nothing in them is ever shown or run as a page of this server."""
        run = await self._runs.get(context.id("run_id"))
        file = await self._files.get(run.id, context.id("file_id"))
        parts = self._files.read(run.id, file.id)
        first = await anext(parts)  # What can't be read is a problem, and no broken download.
        response = web.StreamResponse(headers=_headers(file))
        response.content_length = file.size
        await response.prepare(context.request)
        if context.request.method == METH_HEAD:
            return response
        try:
            await response.write(first)
            async for part in parts:
                await response.write(part)
            await response.write_eof()
        except CrewdeckError as error:
            log.warning("a download broke off", run_id=run.id, file_id=file.id, reason=str(error))
            if context.request.transport is not None:  # The client must not take it for complete.
                context.request.transport.abort()
        return response

    async def upload(self, context: RequestContext[None, UploadQuery]) -> web.Response:
        request = context.request
        if request.content_type.startswith("multipart/"):
            raise Problem(
                "unsupported_media_type", "Send the file's bytes as the body, as `curl --data-binary` does."
            )
        async with self._uploads:
            content = await _read(request, context.query.name)
            by = context.caller.actor
            upload_id, file = await input_files.upload(self._files, context.query.name, content, by)
        view = UploadView(file_id=upload_id, name=file.name, size=file.size, digest=file.digest)
        return reply(view, 201)


async def _read(request: web.Request, name: str) -> bytes:
    """The body. Raises Refused (file_too_large), HTTPRequestTimeout."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem("unsupported_media_type", "Send the body as it is: without a Content-Encoding.")
    check_size(name, request.content_length or 0)
    content = bytearray()
    try:
        async with asyncio.timeout(UPLOAD_TIMEOUT_S):
            async for chunk in request.content.iter_chunked(CHUNK_BYTES):
                content += chunk
                check_size(name, min(len(content), MAX_FILE_BYTES + 1))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except web.RequestPayloadError:
        raise web.HTTPBadRequest from None
    return bytes(content)


def _headers(file: StoredFile) -> dict[str, str]:
    fallback = "".join(c if c.isascii() and (c.isalnum() or c in " ._-()") else "_" for c in file.name)
    return {
        # Whatever the file's type, no page can use it as a script or a style.
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(file.name)}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
