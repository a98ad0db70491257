"""Files of people, read with the app's token from Slack's own hosts and nowhere else."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.files import MAX_FILE_BYTES, check_size
from bot.surfaces.chat.failures import Rejected, RetryLater
from bot.surfaces.chat.inbound.form_values import MISSING_SCOPE
from bot.surfaces.chat.inbound.ports import Payload

HOSTS = (".slack.com", ".slack-files.com", ".slack-gov.com")
"""Where Slack keeps files. The token is sent to no other host."""
DOWNLOAD_TIMEOUT_S = 60.0
CHUNK_BYTES = 64 * 1024


class SlackFile(Payload):
    """A file as a `file_input` reports it; also the value of its field, as JSON."""

    id: str
    name: str = "file"
    mimetype: str = ""
    size: int = 0
    url_private_download: str = ""
    url_private: str = ""


class SlackFiles:
    """Reads the files that people chose in modals; needs the scope `files:read`."""

    def __init__(self, web: AsyncWebClient) -> None:
        self._web = web
        self._api = urlsplit(web.base_url)

    async def fetch(self, reference: str) -> tuple[str, bytes]:
        """The name and the content. Raises Refused (file_too_large), Rejected, RetryLater."""
        try:
            file = SlackFile.model_validate_json(reference)
        except ValidationError:
            raise Rejected("no_file") from None
        check_size(file.name, file.size)
        url = file.url_private_download or file.url_private
        if not self._is_slacks(url):
            raise Rejected("foreign_url")
        try:
            async with asyncio.timeout(DOWNLOAD_TIMEOUT_S):
                return file.name, await self._download(url, file)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryLater(1.0, type(error).__name__) from error

    async def _download(self, url: str, file: SlackFile) -> bytes:
        headers = {"Authorization": f"Bearer {self._web.token}"}
        how: dict[str, Any] = {"headers": headers, "allow_redirects": False, "proxy": self._web.proxy}
        if self._web.session is None:
            raise RuntimeError("The Web API has no session.")
        async with self._web.session.get(url, **how) as response:
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise RetryLater(1.0, f"status {response.status}")
            page = response.content_type == "text/html" and file.mimetype != "text/html"
            if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST or page:
                raise Rejected(MISSING_SCOPE)  # Slack shows its sign-in page instead.
            if response.status != HTTPStatus.OK:
                raise Rejected(f"status_{response.status}")
            content = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                content += chunk
                check_size(file.name, min(len(content), MAX_FILE_BYTES + 1))
            return bytes(content)

    def _is_slacks(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            same = (parts.scheme, parts.hostname, parts.port) == (
                self._api.scheme,
                self._api.hostname,
                self._api.port,
            )
        except ValueError:
            return False
        return same or (parts.scheme == "https" and (parts.hostname or "").endswith(HOSTS))
