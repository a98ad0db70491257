"""Files: those of people, read with the app's token from Slack's own hosts and nowhere else; and ours."""

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
from bot.surfaces.chat.flow_control import with_retries
from bot.surfaces.chat.inbound.form_values import MISSING_SCOPE
from bot.surfaces.chat.inbound.ports import Payload

HOSTS = (".slack.com", ".slack-files.com", ".slack-gov.com")
"""Where Slack keeps files. The token is sent to no other host."""
DOWNLOAD_TIMEOUT_S = 60.0
CHUNK_BYTES = 64 * 1024
SEND_ATTEMPTS, SEND_RETRY_DELAY_S = 3, 0.5


class SlackFile(Payload):
    """A file as a `file_input` reports it; also the value of its field, as JSON."""

    id: str
    name: str = "file"
    mimetype: str = ""
    size: int = 0
    url_private_download: str = ""
    url_private: str = ""


class SlackFiles:
    """Reads the files that people chose in modals, which needs the scope `files:read`; and sends ours."""

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

    async def send(self, url: str, content: bytes) -> None:
        """Send a file's content to the address that Slack gave for it.

        Its host is not the Web API's: a firewall may let through one and not the other. Raises Rejected then,
        too, so that the file is said in another way.
        """
        try:
            await with_retries(lambda: self._send(url, content), SEND_ATTEMPTS, SEND_RETRY_DELAY_S)
        except RetryLater as later:
            raise Rejected("not_uploaded") from later

    async def _send(self, url: str, content: bytes) -> None:
        try:
            async with self._session.post(url, data=content, proxy=self._web.proxy) as response:
                status = response.status
        except aiohttp.ClientHttpProxyError as refused:
            status = refused.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryLater(SEND_RETRY_DELAY_S, type(error).__name__) from error
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RetryLater(SEND_RETRY_DELAY_S, f"status {status}")
        if status != HTTPStatus.OK:
            raise Rejected(f"status_{status}")

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._web.session is None:
            raise RuntimeError("The Web API has no session.")
        return self._web.session

    async def _download(self, url: str, file: SlackFile) -> bytes:
        headers = {"Authorization": f"Bearer {self._web.token}"}
        how: dict[str, Any] = {"headers": headers, "allow_redirects": False, "proxy": self._web.proxy}
        async with self._session.get(url, **how) as response:
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
