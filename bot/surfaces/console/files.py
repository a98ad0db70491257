"""The console's static files: read once, compressed, and revalidated by ETag."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "static"
HOME = "/"
PATH_PREFIX = "/console/"
PAGE_FILE = "index.html"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy: no external resources, and no inline scripts, so no model output can run."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not `no-referrer`: browsers would hide the origin of our forms, too.
    "Referrer-Policy": "same-origin",
    # Revalidated on every request (304), so that a page never mixes files of two releases.
    "Cache-Control": "no-cache",
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class File:
    """A file with its response headers and encodings."""

    content_type: str
    body: bytes
    compressed: bytes
    etag: str

    @classmethod
    def read(cls, path: Path) -> File:
        body = path.read_bytes()
        tag = hashlib.sha256(body).hexdigest()[:20]
        return cls(TYPES[path.suffix], body, gzip.compress(body, mtime=0), f'"{tag}"')

    def response(self, request: web.Request) -> web.Response:
        headers = {**HEADERS, "ETag": self.etag, "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = self.content_type
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self.body, headers=headers)
        return web.Response(body=self.compressed, headers={**headers, "Content-Encoding": "gzip"})


class Files:
    """The files by path."""

    def __init__(self, files: dict[str, File]) -> None:
        self._files = files

    @classmethod
    def shipped(cls) -> Files:
        found = sorted(path for path in FOLDER.rglob("*") if path.suffix in TYPES)
        return cls({_address(path): File.read(path) for path in found})

    def routes(self) -> list[web.RouteDef]:
        return [web.get(address, self.send) for address in self._files]

    async def send(self, request: web.Request) -> web.Response:
        return self._files[request.path].response(request)


def _address(path: Path) -> str:
    name = path.relative_to(FOLDER).as_posix()
    return HOME if name == PAGE_FILE else f"{PATH_PREFIX}{name}"
