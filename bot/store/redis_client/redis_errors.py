"""Translation of Redis and network errors to StoreUnavailable: StoreRefused where waiting won't help."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import redis
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AskError as MovingAway,
)
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import (
    ConnectionError as Disconnected,
)
from redis.exceptions import (
    TimeoutError as TookTooLong,
)

from bot.core.errors import StoreRefused, StoreUnavailable

_NOT_ACCEPTED = "Redis refuses the user or the password of CREWDECK_REDIS_URL"
_NOT_SIGNED_IN = "Redis wants a password: put it into CREWDECK_REDIS_URL"
_FORBIDDEN = "Redis does not let the user of CREWDECK_REDIS_URL do this"
_NO_COMMAND = "This Redis lacks a command that Crewdeck needs, or forbids it"
_NO_DATABASE = "Redis has no database of the number in CREWDECK_REDIS_URL"
_NO_REDIS = "What answers at CREWDECK_REDIS_URL is no Redis"
_NO_TRUST = "Redis and Crewdeck don't accept each other's TLS certificates, as CREWDECK_REDIS_URL names them"
_REFUSALS = frozenset(
    {_NOT_ACCEPTED, _NOT_SIGNED_IN, _FORBIDDEN, _NO_COMMAND, _NO_DATABASE, _NO_REDIS, _NO_TRUST}
)
"""What stays so until somebody corrects a setting, here or of the server."""

_BY_CLASS: tuple[tuple[type[Exception], str], ...] = (
    (AuthenticationError, _NOT_ACCEPTED),
    (AuthorizationError, _NOT_ACCEPTED),
    (NoPermissionError, _FORBIDDEN),
    (InvalidResponse, _NO_REDIS),
    (MovingAway, "This part of the Redis Cluster is being moved to another node"),
    (MasterNotFoundError, "No Sentinel knows a primary of this service that is up"),
    (BusyLoadingError, "Redis is still loading its data"),
    (MasterDownError, "Redis is a replica that has lost its primary"),
    (ClusterDownError, "The Redis Cluster is down"),
    (
        ReadOnlyError,
        "Redis is a read-only replica: a failover is under way, or the URL names the wrong server",
    ),
    (OutOfMemoryError, "Redis is full (maxmemory): nothing new can be saved until it has room again"),
    (NoScriptError, "Redis forgot a script while it was being sent"),
    (TookTooLong, "Redis does not answer in time"),
    (TimeoutError, "Redis does not answer in time"),
    (Disconnected, "Redis can't be reached"),
    (OSError, "Redis can't be reached"),
)
#: What redis-py has no class for, by the first word of the server's answer.
_BY_WORD = {
    "BUSY": "Redis is busy with a script that takes too long",
    "CLUSTERDOWN": "The Redis Cluster is down",
    "TRYAGAIN": "This part of the Redis Cluster is being moved to another node",
    "LOADING": "Redis is still loading its data",
    "MASTERDOWN": "Redis is a replica that has lost its primary",
    "MISCONF": "Redis can't write to its disk, so it takes nothing new",
    "NOAUTH": _NOT_SIGNED_IN,
    "NOPERM": _FORBIDDEN,
    "NOREPLICAS": "Redis has too few replicas to take anything new",
    "NOSCRIPT": "Redis forgot a script while it was being sent",
    "OOM": "Redis is full (maxmemory): nothing new can be saved until it has room again",
    "READONLY": "Redis is a read-only replica: a failover is under way, or the URL names the wrong server",
}
#: What redis-py says of a connection that it could not make again, and servers of what scripts may not do.
_BY_PHRASE = {
    "CERTIFICATE_VERIFY_FAILED": _NO_TRUST,
    "_ALERT_CERTIFICATE_": _NO_TRUST,
    "_ALERT_BAD_CERTIFICATE": _NO_TRUST,
    "_ALERT_UNKNOWN_CA": _NO_TRUST,
    "_ALERT_DECRYPT_ERROR": _NO_TRUST,
    "_ALERT_HANDSHAKE_FAILURE": _NO_TRUST,
    "DB index": _NO_DATABASE,
    "ACL failure in script": _FORBIDDEN,
    "user executing the script can't": _FORBIDDEN,
    "is loading the dataset": "Redis is still loading its data",
    "Timeout ": "Redis does not answer in time",
    "HELLO must be called": _NOT_SIGNED_IN,
    "unknown command": _NO_COMMAND,
}
#: What redis-py says of each sentinel that it asked in vain: the client, then the error.
_OF_SENTINEL = re.compile(r"<redis\.asyncio\.client\.Redis\(.*?\)>\)> - ")
#: Where redis-py and the streams beneath it are.
_LIBRARIES = tuple(f"{Path(module.__file__).parent}/" for module in (redis, asyncio) if module.__file__)
_BROKEN = (AttributeError, RuntimeError, AssertionError, EOFError)


def is_library_failure(error: BaseException) -> bool:
    """Whether redis-py or asyncio broke, as they do when a connection is closed beneath a command.

    Closing a connection forgets its streams at once: whoever is about to write to it gets an AttributeError
    of redis-py's own, and its streams know further ones that are neither OSErrors nor RedisErrors.
    """
    if not isinstance(error, _BROKEN) or (place := error.__traceback__) is None:
        return False
    while place.tb_next is not None:
        place = place.tb_next
    return place.tb_frame.f_code.co_filename.startswith(_LIBRARIES)


class ErrorTranslation:
    """Raises StoreUnavailable for all errors of Redis and the network in a block, without any password.

    One serves any number of blocks: it has no state, and each command has a block of its own.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if is_library_failure(error):
            raise StoreUnavailable(f"The connection to Redis broke ({type(error).__name__}).") from error
        if not isinstance(error, (RedisError, OSError, TimeoutError)):
            return
        text = str(error)
        if any(secret in text for secret in self._secrets):
            # Old servers quote unknown commands. The cause would print them, too, so there is none.
            raise _translated(error, _without(self._secrets, text)) from None
        raise _translated(error, text) from error


def _without(secrets: Sequence[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _translated(error: Exception, text: str) -> StoreUnavailable:
    reason = (
        _BY_WORD.get(text.partition(" ")[0])
        or next((words for phrase, words in _BY_PHRASE.items() if phrase in text), None)
        or next((words for kind, words in _BY_CLASS if isinstance(error, kind)), "Redis can't do that now")
    )
    text = _OF_SENTINEL.sub("", text).rstrip(".")
    sentence = f"{reason} ({text})." if text else f"{reason}."
    return StoreRefused(sentence) if reason in _REFUSALS else StoreUnavailable(sentence)
