"""The append-only file of the embedded Valkey is damaged, as a power failure or a bad disk leaves it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from structlog.testing import capture_logs

from bot.core.errors import StoreUnavailable
from bot.settings import Settings
from bot.store.embedded import Embedded, find_server
from bot.store.open import open_configured
from tests.faults.test_embedded import kill

ANSWERS = 100
SEVERAL = "for n = 1, 5 do redis.call('SET', 'several' .. n, 'all or none') end"
NOISE = random.Random(1).randbytes(300)
Damage = Callable[[bytes], bytes]

ENDS: dict[str, Damage] = {
    "cut in a value": lambda file: file[:-20],
    "cut in a number": lambda file: file[: file.rindex(b"$") + 1],
    "zeros behind it": lambda file: file + bytes(4096),
    "zeros in place of its end": lambda file: file[:-40] + bytes(4096),
    "noise behind it": lambda file: file + NOISE,
    "a write that began": lambda file: file + b"*3\r\n$3\r\nSET\r\n$4\r\nlate\r\n$900\r\nappr",
}
MIDDLES: dict[str, Damage] = {
    "a wrong type": lambda file: file.replace(b"$8\r\nanswer50", b"X8\r\nanswer50"),
    "a length beyond the end": lambda file: file.replace(b"$8\r\nanswer50", b"$800000\r\nanswer50"),
    "a number of arguments": lambda file: file.replace(
        b"*3\r\n$3\r\nSET\r\n$8\r\nanswer50", b"*900000\r\n$3\r\nSET\r\n$8\r\nanswer50"
    ),
    "a block of zeros": lambda file: file[:2048] + bytes(512) + file[2560:],
    "a block of noise": lambda file: file[:2048] + NOISE + file[2048 + len(NOISE) :],
}


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[Embedded]:
    """A dead server whose file ends with a transaction of several entries."""
    binary = find_server() if request.param == "valkey" else _redis()
    if binary is None:
        pytest.skip("no redis-server on PATH")
    attached = Embedded.attach(data_dir, find=lambda: binary)
    with redis.Redis.from_url(attached.url) as client:
        for number in range(ANSWERS):
            client.set(f"answer{number}", "approved")
        client.eval(SEVERAL, 0)
    kill(attached.url)
    yield attached
    attached.detach()


def _redis() -> Path | None:
    found = shutil.which("redis-server")
    return Path(found) if found else None


def file_of(data_dir: Path) -> Path:
    """Where its newest entries are."""
    folder = data_dir / "valkey" / "appendonlydir"
    [path] = folder.glob("*.incr.aof") if folder.exists() else [folder.parent / "appendonly.aof"]
    return path


def answers(server: Embedded) -> tuple[int, int]:
    """How many answers it has, and how many entries of the transaction."""
    with redis.Redis.from_url(server.url) as client:
        return len(client.keys("answer*")), len(client.keys("several*"))


@pytest.mark.parametrize("damage", ENDS.values(), ids=ENDS)
def test_a_damaged_end_is_cut_and_set_aside_and_what_was_acknowledged_is_there(
    damage: Damage, server: Embedded, data_dir: Path
) -> None:
    file = file_of(data_dir)
    whole = file.read_bytes()
    damaged = damage(whole)
    file.write_bytes(damaged)
    server.ensure()
    kept = file.read_bytes()
    assert answers(server) == (ANSWERS, 5 if len(kept) == len(whole) else 0)
    [aside] = file.parent.glob(f"{file.name}.cut-at-*")
    assert kept + aside.read_bytes() == damaged
    assert str(aside) in server.cut
    assert f"{len(damaged) - len(kept)} bytes" in server.cut
    assert "\n" not in server.cut
    assert aside.stat().st_mode & 0o077 == 0
    kill(server.url)
    server.ensure()
    assert server.cut == "", "said once"
    assert answers(server)[0] == ANSWERS


@pytest.mark.parametrize("damage", MIDDLES.values(), ids=MIDDLES)
def test_damage_before_whole_entries_cuts_nothing_and_is_one_sentence(
    damage: Damage, server: Embedded, data_dir: Path
) -> None:
    file = file_of(data_dir)
    whole = file.read_bytes()
    damaged = damage(whole)
    assert damaged != whole
    file.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"is damaged after byte \d+ of .*backup") as refused:
            server.ensure()
        assert "\n" not in str(refused.value)
        assert file.read_bytes() == damaged
    file.write_bytes(whole)
    server.ensure()
    assert answers(server) == (ANSWERS, 5)


def test_a_lost_manifest_empties_nothing(server: Embedded, data_dir: Path) -> None:
    folder = data_dir / "valkey" / "appendonlydir"
    if not folder.exists():
        pytest.skip("this release has one file")
    [manifest] = folder.glob("*.manifest")
    known, before = manifest.read_bytes(), file_of(data_dir).read_bytes()
    manifest.unlink()
    with pytest.raises(StoreUnavailable, match="no manifest"):
        server.ensure()
    assert file_of(data_dir).read_bytes() == before
    manifest.write_bytes(known)
    server.ensure()
    assert answers(server) == (ANSWERS, 5)


async def test_the_log_says_what_was_cut_at_a_start(data_dir: Path) -> None:
    first = Embedded.attach(data_dir)
    with redis.Redis.from_url(first.url) as client:
        client.set("kept", "yes")
    first.detach()
    with file_of(data_dir).open("ab") as file:
        file.write(bytes(512))
    with capture_logs() as logs:
        async with open_configured(Settings.model_validate({"CREWDECK_DATA_DIR": str(data_dir)})) as store:
            await store.health.ping()
    [said] = [each for each in logs if each["log_level"] == "error"]
    assert "512 bytes" in said["what"]
