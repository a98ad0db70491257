"""Values of settings: what an operator wrote, read or refused. The sentences follow the setting's name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.core.addresses import check_web_address, is_loopback
from bot.core.events.endpoints import parse_secrets
from bot.core.people.api_keys import parse_keys
from bot.core.ports.journal import parse_journal_keys

MIN_MEMORY_BYTES = 64 << 20
"""The smallest useful memory limit of the embedded Valkey."""
MAX_MEMORY_BYTES = 1 << 50
"""A petabyte: more is a slip, and from 16 exabytes on Valkey doesn't start."""


def check_bot_token(token: SecretStr) -> SecretStr:
    """Raises ValueError for another kind of Slack token."""
    return _check_token(token, "Bot User OAuth Token", ("xoxb-", "xoxe.xoxb-"))


def check_app_token(token: SecretStr) -> SecretStr:
    """Raises ValueError for another kind of Slack token."""
    return _check_token(token, "app-level token", ("xapp-",))


def _check_token(token: SecretStr, kind: str, begins: tuple[str, ...]) -> SecretStr:
    if not token.get_secret_value().startswith(begins):
        raise ValueError(f"it is the {kind}, which begins with {begins[0]}; this is something else")
    return token


def check_signing_secret(secret: SecretStr) -> SecretStr:
    """Raises ValueError for a token of Slack, with which no request could be verified."""
    if secret.get_secret_value().startswith(("xox", "xapp-")):
        raise ValueError("it is the signing secret of the app's Basic Information; this is a token")
    return secret


def check_journal_keys(text: SecretStr) -> SecretStr:
    """Raises ValueError unless it is a list of journal keys."""
    parse_journal_keys(text.get_secret_value())
    return text


def check_api_keys(text: SecretStr) -> SecretStr:
    """Raises ValueError unless it is a list of API keys with their scopes."""
    parse_keys(text.get_secret_value())
    return text


def check_api_key(key: SecretStr) -> SecretStr:
    """Raises ValueError for what can be no key of a client: it goes into a header."""
    text = key.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("this is no API key, which `crewdeck keys add` prints: letters, digits, - and _")
    return key


def check_webhook_secrets(text: SecretStr) -> SecretStr:
    """Raises ValueError unless it is a list of webhook secrets."""
    parse_secrets(text.get_secret_value())
    return text


def check_metadata_url(url: str) -> str:
    """Raises ValueError for what is no address of a document, or one without https of another machine."""
    if not re.fullmatch(r"https?://[^\s/?#]+/\S*", url):
        raise ValueError("it is the web address of a document: https://login.example/openidconfiguration")
    if url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError("without https it may only be an address of this machine")
    return url


def read_server_url(address: str) -> str:
    """The address of a server, without a slash at its end. Raises ValueError."""
    if not address:
        return address
    parts = urlsplit(check_web_address(address))
    if parts.query or parts.fragment:
        raise ValueError("it is the server's address, without a query: https://crews.example")
    return address.rstrip("/")


def read_replicas(text: str | int | None) -> int | None:
    """The number of replicas; None for `auto`. Raises ValueError."""
    if text is None or str(text).strip().lower() == "auto":
        return None
    if not (str(text).isascii() and str(text).strip().isdecimal()):
        raise ValueError("it is `auto` or a number of replicas")
    return int(text)


def read_memory(text: str | int | None) -> int | None:
    """The bytes; None for `auto`. Raises ValueError."""
    if text is None or isinstance(text, int) or text.strip().lower() == "auto":
        return None if isinstance(text, str) else text
    found = re.fullmatch(r"(\d+)\s*(mb|gb)", text.strip().lower())
    size = int(found[1]) << {"mb": 20, "gb": 30}[found[2]] if found else 0
    if not MIN_MEMORY_BYTES <= size <= MAX_MEMORY_BYTES:
        raise ValueError("it is `auto` or a size from 64mb on, such as `512mb` or `2gb`")
    return size


def read_entra_id(text: str) -> str:
    """The id of an app or of a tenant, in lower case. Raises ValueError."""
    if text and not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text.strip()):
        raise ValueError("it is an id of Microsoft Entra, such as 01234567-89ab-cdef-0123-456789abcdef")
    return text.strip().lower()


def unreadable(file: Path, error: OSError | UnicodeDecodeError) -> str:
    """A sentence that says why a file of settings can't be read."""
    if isinstance(error, UnicodeDecodeError):
        why: object = "it is no UTF-8 text. Save it as UTF-8"
    else:
        why = error.strerror or error
    return f"{file.absolute()} can't be read: {why}."


def check_readable(folder: Path) -> None:
    """Raises ValueError if there is no such folder, or if it can't be read."""
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder.absolute()}: there is no such folder") from None
    except OSError as error:
        raise ValueError(f"{folder.absolute()} can't be read: {error.strerror}") from None


def check_writable(folder: Path) -> None:
    """Raises ValueError if nothing can be written there, or if it can't be made. Nothing is changed."""
    whole = folder.absolute()
    there = next(each for each in (whole, *whole.parents) if os.path.lexists(each))
    if not there.is_dir():
        raise ValueError(f"{whole} can't be used: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{whole} can't be used: {there} can't be written by this user")
