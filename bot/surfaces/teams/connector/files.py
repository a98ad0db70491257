"""Files: offered in personal chats, where they need consent; elsewhere shown in the console."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.core.addresses import is_loopback
from bot.core.errors import NotFound
from bot.core.ports.store import Files, KeyValueStore
from bot.core.value import Value
from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.formatted_text import FormattedText, Link, Untrusted
from bot.surfaces.chat.messages import Message, text_message
from bot.surfaces.chat.platform import SharedFile

Json = dict[str, Any]

CONSENT = "application/vnd.microsoft.teams.card.file.consent"
INFO = "application/vnd.microsoft.teams.card.file.info"
OFFER_TTL_S = 7 * 24 * 3600.0
NAME = "crewdeck"
_STORAGE = (".sharepoint.com", ".sharepoint.us", ".sharepoint-mil.us", ".sharepoint.cn")
"""Where Teams keeps the files of people."""


class FileOffer(Value):
    """A file that somebody may take: one of a run's files, or a text that was made for it."""

    name: str
    run_id: str = ""
    file_id: str = ""
    text: str = ""


def consent_card(file: SharedFile, offer_id: str) -> Json:
    """The message that asks for consent."""
    context = {NAME: {"file": offer_id}}
    about = {"description": file.title, "sizeInBytes": len(file.content)}
    consent = {**about, "acceptContext": context, "declineContext": context}
    attachment = {"contentType": CONSENT, "name": file.name, "content": consent}
    return {"type": "message", "summary": file.title, "attachments": [attachment]}


class FileConsents:
    """Files that were offered and wait for consent, and their upload to where the person keeps files."""

    def __init__(
        self, http: aiohttp.ClientSession, key_values: KeyValueStore, files: Files, *, local_peer: bool
    ) -> None:
        self._http = http
        self._key_values = key_values
        self._files = files
        self._local_peer = local_peer

    async def offer(self, file: SharedFile, run_id: str) -> Json:
        """Keep the offer of a file; returns the message that makes it. Raises StoreUnavailable."""
        offer_id = uuid.uuid4().hex
        if file.file_id:
            offer = FileOffer(name=file.name, run_id=run_id, file_id=file.file_id)
        else:
            offer = FileOffer(name=file.name, text=file.content.decode())
        await self._key_values.set(self._key(offer_id), offer.model_dump_json(), OFFER_TTL_S)
        return consent_card(file, offer_id)

    async def accept(self, value: Json) -> Json | None:
        """Upload what a person consented to (the value of `fileConsent/invoke`); the message that shows it.

        None: it was declined, or is no longer kept. Either way it isn't kept any longer, unless the upload
        failed. Raises RetryLater, Rejected, StoreUnavailable.
        """
        key = self._key(str(_field(_field(value, "context"), NAME).get("file") or ""))
        kept, to = await self._key_values.get(key), _field(value, "uploadInfo")
        if kept is None or value.get("action") != "accept":
            await self._key_values.delete(key)
            return None
        offer = _read(kept)
        try:
            content = await self._content(offer)
        except NotFound:  # It was deleted with its run.
            await self._key_values.delete(key)
            return None
        await self._upload(str(to.get("uploadUrl") or ""), content)
        await self._key_values.delete(key)
        shown = {"uniqueId": to.get("uniqueId"), "fileType": to.get("fileType")}
        info = {"contentType": INFO, "name": offer.name, "contentUrl": to.get("contentUrl")}
        return {"type": "message", "attachments": [{**info, "content": shown}]}

    async def _content(self, offer: FileOffer) -> bytes:
        if not offer.file_id:
            return offer.text.encode()
        return b"".join([part async for part in self._files.read(offer.run_id, offer.file_id)])

    async def _upload(self, url: str, content: bytes) -> None:
        """The address comes from a client, so that it may lead to storage of Teams only."""
        if not self._is_storage(url):
            raise Rejected("foreign_upload_url")
        size = len(content)
        headers = {"Content-Range": f"bytes 0-{max(0, size - 1)}/{size}"}
        try:
            async with self._http.put(url, data=content, headers=headers, allow_redirects=False) as response:
                if not response.ok:
                    raise Rejected(f"upload_status_{response.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryLater(1.0, type(error).__name__) from error

    def _is_storage(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        host = parts.hostname or ""
        local = self._local_peer and is_loopback(host)
        return local or (parts.scheme == "https" and host.endswith(_STORAGE))

    def _key(self, offer_id: str) -> str:
        return f"teams:file:{offer_id}"


def _field(of: object, name: str) -> Json:
    value = of.get(name) if isinstance(of, dict) else None
    return value if isinstance(value, dict) else {}


def _read(kept: str) -> FileOffer:
    """An offer; a former release kept the name and the text in a list."""
    stored = json.loads(kept)
    if isinstance(stored, list):
        return FileOffer(name=stored[0], text=stored[1])
    return FileOffer.model_validate(stored)


def in_console(file: SharedFile, url: str, run_id: str) -> Message:
    """Where a file can be read that can't be shown here. Raises Rejected without a public console."""
    if not url.startswith("https://"):
        raise Rejected("no_public_console")
    page = f"{url}/#/runs/{run_id}"
    if file.file_id:
        return text_message("📎 ", Untrusted(file.title), ": ", Link("it is in the console", page))
    line: FormattedText = (f"{file.title}: ", Link("read all of it in the console", page))
    return text_message(*line)
