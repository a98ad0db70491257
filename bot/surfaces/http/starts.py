"""Starting runs over HTTP, idempotent by `Idempotency-Key`."""

from __future__ import annotations

import hashlib
import json
import uuid

from bot.core import ids, starting
from bot.core.actor import Actor
from bot.core.endpoints import StartUrls
from bot.core.errors import NotFound
from bot.core.event import encode
from bot.core.place import Place
from bot.core.ports import Store
from bot.core.run import NewRun, Run
from bot.surfaces.http.bodies import StartBody
from bot.surfaces.http.problems import Problem

IDEMPOTENCY_KEY_TTL_S = 24 * 3600.0
"""How long an `Idempotency-Key` is remembered."""
MAX_KEY_LENGTH = 255


class Starts:
    """Starts runs."""

    def __init__(self, store: Store, webhook_urls: StartUrls) -> None:
        self._store = store
        self._webhook_urls = webhook_urls

    async def start(self, body: StartBody, actor: Actor, idempotency_key: str | None) -> Run:
        """Start the run, or return the one that this caller started with the same key.

        Raises NotFound (unknown_crew), NoWorker, InvalidInputs, Refused (not_admitted, run_deleted), Problem
        (idempotency_conflict, webhook_urls_off, invalid_request).
        """
        if idempotency_key is None:
            run, _ = await self._store.runs.start(await self._plan(body, actor, str(uuid.uuid4())))
            return run
        receipt = _receipt(actor, checked(idempotency_key))
        kept = await self._store.memory.recall(receipt)
        if kept is None:
            # Validated before the key is stored, so that a refused request can be corrected and sent again.
            await self._plan(body, actor, receipt)
            # Random, so that the same key starts another run after it has expired.
            kept = await self._store.memory.put_if_absent(
                receipt, json.dumps([str(uuid.uuid4()), _digest(body)]), IDEMPOTENCY_KEY_TTL_S
            )
        word, digest = json.loads(kept)
        if digest != _digest(body):
            raise Problem(
                "idempotency_conflict", "This Idempotency-Key has started another run, with another body."
            )
        return await self._same(body, actor, word)

    async def _same(self, body: StartBody, actor: Actor, word: str) -> Run:
        """The run that belongs to `word`; started now if an earlier request stored only the key."""
        try:
            return await self._store.runs.get(ids.run_id(f"http:{word}"))
        except NotFound:
            run, _ = await self._store.runs.start(await self._plan(body, actor, word))
            return run

    async def _plan(self, body: StartBody, actor: Actor, word: str) -> NewRun:
        crew = await starting.crew_named(self._store.catalogue, body.crew)
        followers = self._followers(body.webhook_url)
        return starting.plan(crew, body.inputs, actor, key=f"http:{word}", followers=followers)

    def _followers(self, url: str | None) -> tuple[Place, ...]:
        if url is None:
            return ()
        if not self._webhook_urls.allowed:
            raise Problem(
                "webhook_urls_off", "This server sends no webhooks to addresses that come with a start."
            )
        try:
            return (self._webhook_urls.follower(url),)
        except ValueError as error:
            why = f"{str(error)[:1].upper()}{str(error)[1:]}."
            raise Problem("invalid_request", why, errors=[("webhook_url", why)]) from None


def checked(key: str) -> str:
    """Validate an `Idempotency-Key`. Raises Problem."""
    if 0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable():
        return key
    raise Problem(
        "invalid_idempotency_key", f"An Idempotency-Key is 1 to {MAX_KEY_LENGTH} printable ASCII characters."
    )


def _receipt(actor: Actor, key: str) -> str:
    return "start:" + hashlib.sha256(encode([actor.principal, key])).hexdigest()


def _digest(body: StartBody) -> str:
    canonical = json.dumps(body.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
