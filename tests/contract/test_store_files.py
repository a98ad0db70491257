"""Files of runs in the store: complete or not there, once, within limits, and gone with their run."""

import asyncio
import secrets

import pytest
import redis

from bot.core import files, ids
from bot.core.errors import JournalUndecryptable, NotFound, Refused
from bot.core.files import MAX_FILE_BYTES, MAX_RUN_BYTES, MAX_RUN_FILES, StoredFile, stored_file
from bot.core.ports.queue import Fenced
from bot.core.ports.store import Store
from bot.store.clock import ClockSettings
from bot.store.files import PART_BYTES
from bot.store.journal_cipher import JournalCipher
from bot.store.redis import RedisStore, compose
from tests.contract.examples import LOST, claimed, new_run

SIZES = (0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7)


async def read(store: Store, owner: str, file: StoredFile) -> bytes:
    return b"".join([part async for part in store.files.read(owner, file.id)])


@pytest.mark.parametrize("size", SIZES)
async def test_a_file_comes_back_byte_for_byte(store: RedisStore, size: int) -> None:
    claim, content = await claimed(store), secrets.token_bytes(size)
    file = stored_file("data.bin", content, task_id="t1", path="out/data.bin")
    await store.files.attach(claim, file, content)
    assert await store.files.list(claim.run.id) == [file]
    assert await store.files.get(claim.run.id, file.id) == file
    assert await read(store, claim.run.id, file) == content


async def test_the_same_file_is_there_once_however_often_it_is_attached(store: RedisStore) -> None:
    claim, content = await claimed(store), b"x" * (2 * PART_BYTES)
    file = stored_file("a.txt", content)
    await asyncio.gather(*(store.files.attach(claim, file, content) for _ in range(5)))
    assert await store.files.list(claim.run.id) == [file]
    assert await read(store, claim.run.id, file) == content


async def test_a_file_that_is_not_complete_is_not_there(store: RedisStore, server: redis.Redis) -> None:
    claim, content = await claimed(store), secrets.token_bytes(2 * PART_BYTES)
    file = stored_file("a.bin", content)
    await store.files.attach(claim, file, content)
    [key] = list(server.scan_iter("*:files"))
    record = server.hget(key, file.id)
    assert isinstance(record, str)
    server.hset(key, file.id, "-" + record[1:])  # as a worker leaves it that dies meanwhile
    assert await store.files.list(claim.run.id) == []
    with pytest.raises(NotFound):
        await store.files.get(claim.run.id, file.id)
    await store.files.attach(claim, file, content)
    assert await read(store, claim.run.id, file) == content


async def test_a_lost_claim_attaches_nothing(store: RedisStore) -> None:
    claim = await claimed(store)
    await store.queue.release(claim)
    file = stored_file("a.txt", b"late")
    with pytest.raises(Fenced):
        await store.files.attach(claim, file, b"late")
    assert await store.files.list(claim.run.id) == []


async def test_the_files_of_a_run_are_limited_together(store: RedisStore) -> None:
    claim = await claimed(store)
    for number in range(MAX_RUN_BYTES // MAX_FILE_BYTES):
        content = bytes([number]) * MAX_FILE_BYTES
        await store.files.attach(claim, stored_file(f"{number}.bin", content), content)
    content = b"y" * (MAX_RUN_BYTES % MAX_FILE_BYTES + 1)
    with pytest.raises(Refused, match="50 MB together"):
        await store.files.attach(claim, stored_file("more.bin", content), content)
    fits = stored_file("fits.bin", content[:-1])
    await store.files.attach(claim, fits, content[:-1])
    assert await read(store, claim.run.id, fits) == content[:-1]


async def test_there_is_a_limit_to_their_number(store: RedisStore) -> None:
    claim = await claimed(store)
    for number in range(MAX_RUN_FILES):
        await store.files.attach(claim, stored_file(f"{number}", b""), b"")
    with pytest.raises(Refused) as refused:
        await store.files.attach(claim, stored_file("one more", b""), b"")
    assert refused.value.code == "too_many_files"
    assert len(await store.files.list(claim.run.id)) == MAX_RUN_FILES


async def test_an_upload_expires_and_a_file_that_a_run_was_started_with_stays(
    store: RedisStore, server: redis.Redis
) -> None:
    new, content = new_run(), secrets.token_bytes(PART_BYTES + 1)
    file = stored_file("in.bin", content, input="doc")
    await store.files.seed(new.id, file, content)
    keys = [*server.scan_iter("*:files"), *server.scan_iter("*:file:*")]
    assert len(keys) == 2
    assert all(0 < server.ttl(key) <= files.UPLOAD_TTL_S for key in keys)
    await store.runs.start(new)
    assert all(server.ttl(key) == -1 for key in keys)
    assert await read(store, new.id, file) == content
    late = stored_file("late.bin", b"late", input="doc")
    await store.files.seed(new.id, late, b"late")
    assert await store.files.list(new.id) == [file]


@pytest.mark.parametrize("way", ["deleted", "retention"])
async def test_nothing_of_a_file_outlives_its_run(store: RedisStore, server: redis.Redis, way: str) -> None:
    claim = await claimed(store)
    for name in ("a.txt", "b.txt"):
        await store.files.attach(claim, stored_file(name, b"x"), b"x")
    await store.queue.finish(claim, result="done")
    assert len(await store.files.list(claim.run.id)) == 2
    if way == "deleted":
        await store.runs.delete(claim.run.id)
    else:
        await compose(store.connection, ClockSettings(retention=0.0)).clock.apply_due(LOST)
    assert [key for key in server.scan_iter("*") if ":file" in str(key)] == []


async def test_files_are_encrypted_where_journals_are(store: RedisStore, server: redis.Redis) -> None:
    sealed = compose(store.connection, cipher=JournalCipher([b"k" * 32]))
    claim, content = await claimed(store), b"confidential " * PART_BYTES
    file = stored_file("a.txt", content[: 2 * PART_BYTES])
    await sealed.files.attach(claim, file, content[: 2 * PART_BYTES])
    [key] = server.scan_iter("*:file:*")
    assert {str(part).startswith("sealed:") for part in server.hvals(key)} == {True}
    assert await read(sealed, claim.run.id, file) == content[: 2 * PART_BYTES]
    with pytest.raises(JournalUndecryptable):
        await read(store, claim.run.id, file)


async def test_a_damaged_record_leaves_the_others_readable(store: RedisStore, server: redis.Redis) -> None:
    claim = await claimed(store)
    file = stored_file("a.txt", b"x")
    await store.files.attach(claim, file, b"x")
    [key] = server.scan_iter("*:files")
    server.hset(key, ids.file_id("damaged"), "+1 {")
    assert await store.files.list(claim.run.id) == [file]
