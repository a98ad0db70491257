"""Codes that prove to one surface who somebody is on another. Redis has only their digests."""

from __future__ import annotations

import hashlib
import secrets

from bot.core.errors import Refused
from bot.core.people.actor import Actor
from bot.store import redis_keys
from bot.store.codec import ms
from bot.store.connection import Connection

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter looks like a digit."""
CODE_LENGTH = 10
"""50 bits, of which one person can try a handful in the lifetime of a code."""
CODE_TTL_S = 600
MAX_CODES = 10
"""Codes that somebody gets within `CODE_TTL_S`."""
MAX_TRIES = 10
"""Codes that somebody tries within `CODE_TTL_S`."""
_LOOKS_LIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class LinkCodes:
    """Issues codes, and takes each from the first who enters it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def issue(self, actor: Actor) -> str:
        """A new code of this actor. Raises Refused (too_many_attempts)."""
        await self._limit("offer", actor, MAX_CODES)
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        await self._connection.run_unsharded_durably(
            "offer_code", redis_keys.link_code(_digest(code)), actor.model_dump_json(), ms(CODE_TTL_S)
        )
        return f"{code[:5]}-{code[5:]}"

    async def owner(self, code: str, actor: Actor) -> tuple[Actor, bool]:
        """Whose code this is, and whether `actor` has used it. Counts as a try.

        Raises Refused (invalid_code, too_many_attempts).
        """
        await self._limit("redeem", actor, MAX_TRIES)
        key = redis_keys.link_code(_digest(code))
        whose, used_by = await self._connection.do(self._connection.redis.hmget(key, ["value", "used_by"]))
        if whose is None or used_by not in {None, actor.principal}:
            raise _invalid()
        return Actor.model_validate_json(whose), used_by is not None

    async def redeem(self, code: str, actor: Actor) -> None:
        """Take the code. Raises Refused (invalid_code) if somebody else was faster."""
        found = await self._connection.run_unsharded_durably(
            "use_code", redis_keys.link_code(_digest(code)), actor.principal
        )
        if found is None or not found[1]:
            raise _invalid()

    async def _limit(self, kind: str, actor: Actor, most: int) -> None:
        key = redis_keys.link_attempts(kind, actor.principal)
        if int(await self._connection.run_unsharded("count_within", key, ms(CODE_TTL_S))) > most:
            raise Refused("too_many_attempts", "That were too many codes. Try again in ten minutes.")


def _digest(code: str) -> str:
    """Found by digest, so that no comparison's duration tells anything about a code."""
    typed = code.strip().upper().translate(_LOOKS_LIKE)
    return hashlib.sha256(f"link code {typed}".encode()).hexdigest()


def _invalid() -> Refused:
    return Refused(
        "invalid_code", "This code is not valid: it was mistyped, used, or is older than ten minutes."
    )
