"""Files: offered in personal chats, where they need consent; elsewhere shown in the console."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.core.addresses import is_loopback
from bot.core.ports import Memory
from bot.surfaces.chat.failures import Later, Rejected
from bot.surfaces.chat.messages import Line, Link, Message, said

Json = dict[str, Any]

CONSENT = "application/vnd.microsoft.teams.card.file.consent"
INFO = "application/vnd.microsoft.teams.card.file.info"
OFFER_TTL_S = 7 * 24 * 3600.0
NAME = "crewdeck"
_STORAGE = (".sharepoint.com", ".sharepoint.us", ".sharepoint-mil.us", ".sharepoint.cn")
"""Where Teams keeps the files of people."""


@dataclass(frozen=True)
class OfferedFile:
    """A file that somebody may take."""

    file_name: str
    content: str

    def card(self, offer_id: str, title: str) -> Json:
        """The message that asks for consent."""
        context = {NAME: {"file": offer_id}}
        about = {"description": title, "sizeInBytes": len(self.content.encode())}
        consent = {**about, "acceptContext": context, "declineContext": context}
        attachment = {"contentType": CONSENT, "name": self.file_name, "content": consent}
        return {"type": "message", "summary": title, "attachments": [attachment]}


class FileConsents:
    """Files that were offered and wait for consent, and their upload to where the person keeps files."""

    def __init__(self, http: aiohttp.ClientSession, memory: Memory, *, local_peer: bool) -> None:
        self._http = http
        self._memory = memory
        self._local_peer = local_peer

    async def offer(self, file_name: str, content: str, title: str) -> Json:
        """Keep a file, and the message that offers it. Raises StoreUnavailable."""
        offer_id, offer = uuid.uuid4().hex, OfferedFile(file_name, content)
        kept = json.dumps([offer.file_name, offer.content])
        await self._memory.remember(self._key(offer_id), kept, OFFER_TTL_S)
        return offer.card(offer_id, title)

    async def accept(self, value: Json) -> Json | None:
        """Upload what a person consented to (the value of `fileConsent/invoke`); the message that shows it.

        None: it was declined, or is no longer kept. Either way it isn't kept any longer, unless the upload
        failed. Raises Later, Rejected, StoreUnavailable.
        """
        key = self._key(str(_field(_field(value, "context"), NAME).get("file") or ""))
        kept, to = await self._memory.recall(key), _field(value, "uploadInfo")
        if kept is None or value.get("action") != "accept":
            await self._memory.forget(key)
            return None
        offer = OfferedFile(*json.loads(kept))
        await self._upload(str(to.get("uploadUrl") or ""), offer.content.encode())
        await self._memory.forget(key)
        shown = {"uniqueId": to.get("uniqueId"), "fileType": to.get("fileType")}
        info = {"contentType": INFO, "name": offer.file_name, "contentUrl": to.get("contentUrl")}
        return {"type": "message", "attachments": [{**info, "content": shown}]}

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
            raise Later(1.0, type(error).__name__) from error

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


def in_console(title: str, url: str, run_id: str) -> Message:
    """Where a text can be read that is too long for a message. Raises Rejected without a public console."""
    if not url.startswith("https://"):
        raise Rejected("no_public_console")
    line: Line = (f"{title}: ", Link("read all of it in the console", f"{url}/#/runs/{run_id}"))
    return said(*line)
