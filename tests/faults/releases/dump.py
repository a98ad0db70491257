"""What a store holds, as JSON that any server can be given: by key, its type and its value."""

# ruff: noqa: ANN401 - JSON
import json
from pathlib import Path
from typing import Any

import redis

from bot.store import redis_keys

HERE = Path(__file__).parent
#: What workers say of themselves while they are alive.
OF_WORKERS = (redis_keys.CREWS, redis_keys.WORKERS)
Dump = dict[str, dict[str, Any]]


def taken(server: redis.Redis, *, expiring: bool = False) -> Dump:
    """All that is stored, but for what workers announce and, unless it is wanted, what expires by itself."""
    names = sorted(name for name in server.scan_iter(count=1000) if name not in OF_WORKERS)
    return {name: _read(server, name) for name in names if expiring or server.pttl(name) < 0}


def _read(server: redis.Redis, name: str) -> dict[str, Any]:
    kind = server.type(name)
    match kind:
        case "string":
            value: Any = server.get(name)
        case "hash":
            value = dict(sorted(server.hgetall(name).items()))
        case "list":
            value = server.lrange(name, 0, -1)
        case "set":
            value = sorted(server.smembers(name))
        case "zset":
            value = server.zrange(name, 0, -1, withscores=True)
        case "stream":
            value = server.xrange(name)
        case _:
            raise AssertionError(kind)
    return {"type": kind, "value": value}


def put(server: redis.Redis, dump: Dump) -> None:
    """Have the store hold this and nothing else, but for what workers announce."""
    for name in server.scan_iter(count=1000):
        if name not in OF_WORKERS:
            server.delete(name)
    for name, stored in dump.items():
        _write(server, name, stored["type"], stored["value"])


def _write(server: redis.Redis, name: str, kind: str, value: Any) -> None:
    match kind:
        case "string":
            server.set(name, value)
        case "hash":
            server.hset(name, mapping=value)
        case "list":
            server.rpush(name, *value)
        case "set":
            server.sadd(name, *value)
        case "zset":
            server.zadd(name, dict(value))
        case "stream":
            for position, fields in value:
                server.xadd(name, fields, id=position)
        case _:
            raise AssertionError(kind)


def file_of(release: str) -> Path:
    return HERE / f"{release}.json"


def write(release: str, dump: Dump) -> None:
    file_of(release).write_text(json.dumps(dump, indent=1, ensure_ascii=False) + "\n")


def read(release: str) -> Dump:
    dump: Dump = json.loads(file_of(release).read_text())
    return dump


def releases() -> list[str]:
    """Those that left a dump, by their names."""
    return sorted(file.stem for file in HERE.glob("*.json"))
