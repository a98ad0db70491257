"""Files over HTTP: uploads that become inputs, and the files of a run as downloads."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from bot.core.errors import InvalidInputs
from bot.core.files import MAX_FILE_BYTES, stored_file
from bot.core.forms.fields import Field, FieldType
from bot.store import redis_keys
from bot.store.files import PART_BYTES
from bot.terminal.inputs import problem_of, with_uploads
from crewdeck.client import ApiError, Client, SyncClient
from tests.contract.examples import DEMO
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, Served, bearer

READER = DEMO.model_copy(
    update={
        "name": "reader",
        "title": "Reader",
        "inputs": (
            Field(name="doc", type=FieldType.FILE, required=True, accept=("txt",), max_size=1000),
            Field(name="more", type=FieldType.FILE),
        ),
    }
)


async def uploaded(served: Served, name: str = "plan.txt", content: bytes = b"PLAN", **how: object) -> str:
    answer = await served.client.post(f"/files?name={quote(name)}", content=content, **how)  # type: ignore[arg-type]
    assert answer.status_code == 201, answer.text
    return str(answer.json()["file_id"])


async def test_a_run_is_started_with_an_uploaded_file(served: Served) -> None:
    await served.store.catalogue.announce("here", [DEMO, READER])
    file_id = await uploaded(served)
    answer = await served.post("/crew/start", {"crew": "reader", "inputs": {"doc": file_id}})
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    [listed] = (await served.get(f"/runs/{run_id}/files")).json()["files"]
    assert (listed["name"], listed["size"], listed["input"], listed["task_id"]) == (
        "plan.txt",
        4,
        "doc",
        None,
    )
    run = (await served.get(f"/runs/{run_id}")).json()
    assert run["inputs"]["doc"]["file"]["name"] == "plan.txt"
    assert run["inputs"]["doc"]["file"]["digest"] == listed["digest"]
    got = await served.get(f"/runs/{run_id}/files/{listed['file_id']}")
    assert got.content == b"PLAN"


@pytest.mark.parametrize(
    ("inputs", "field", "why"),
    [
        ({"doc": "no id"}, "inputs.doc", "POST /files"),
        ({"doc": {"file": {"id": "x"}}}, "inputs.doc", "POST /files"),
        ({"doc": "6f2b7c0e-5d0f-5c4e-9a55-2f6f0c1d7e31"}, "inputs.doc", "not there any more"),
        ({}, "inputs.doc", "is required"),
    ],
)
async def test_what_is_no_upload_starts_nothing(
    served: Served, inputs: dict[str, object], field: str, why: str
) -> None:
    await served.store.catalogue.announce("here", [DEMO, READER])
    answer = await served.post("/crew/start", {"crew": "reader", "inputs": inputs})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_inputs")
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert why in error["reason"]
    assert (await served.get("/runs")).json()["runs"] == []


async def test_a_file_must_be_of_the_kind_and_size_that_the_input_takes(served: Served) -> None:
    await served.store.catalogue.announce("here", [DEMO, READER])
    pdf, large = await uploaded(served, "plan.pdf"), await uploaded(served, "large.txt", b"x" * 1001)
    for file_id, why in ((pdf, "of type txt, and plan.pdf is none"), (large, "at most 1000 bytes")):
        answer = await served.post("/crew/start", {"crew": "reader", "inputs": {"doc": file_id}})
        assert answer.status_code == 422
        assert why in answer.json()["errors"][0]["reason"]


async def test_only_who_uploaded_a_file_can_use_it(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    await served.store.catalogue.announce("here", [DEMO, READER])
    file_id = await uploaded(served, headers=bearer("ci"))
    body = {"crew": "reader", "inputs": {"doc": file_id}}
    others = await served.post("/crew/start", body, headers=bearer("other"))
    assert (others.status_code, "not there" in others.text) == (422, True)
    assert (await served.post("/crew/start", body, headers=bearer("ci"))).status_code == 202
    refused = await served.client.post("/files?name=x", content=b"x", headers=bearer("reader"))
    assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")


async def test_the_same_request_again_is_the_same_run(served: Served) -> None:
    await served.store.catalogue.announce("here", [DEMO, READER])
    body = {"crew": "reader", "inputs": {"doc": await uploaded(served)}}
    answers = [await served.post("/crew/start", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert len({answer.json()["run_id"] for answer in answers}) == 1


async def test_an_upload_has_limits(served: Served) -> None:
    too_large = await served.client.post("/files?name=a.bin", content=b"x" * (MAX_FILE_BYTES + 1))
    assert (too_large.status_code, too_large.json()["code"]) == (413, "file_too_large")

    async def without_a_length() -> AsyncIterator[bytes]:
        for _ in range(MAX_FILE_BYTES // PART_BYTES + 1):
            yield b"x" * PART_BYTES

    chunked = await served.client.post("/files?name=a.bin", content=without_a_length())
    assert chunked.status_code == 413
    form = await served.client.post("/files?name=a.bin", files={"file": b"x"})
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    nameless = await served.client.post("/files", content=b"x")
    assert (nameless.status_code, nameless.json()["code"]) == (422, "invalid_request")
    assert await uploaded(served, "empty.bin", b"")


async def test_a_download_is_never_shown_as_a_page(served: Served) -> None:
    claim = await served.started()
    content = b"<script>alert(1)</script>" + secrets.token_bytes(2 * PART_BYTES)
    file = stored_file('Über"größe\u202e.html', content, description="d", task_id="t")
    await served.store.files.attach(claim, file, content)
    got = await served.get(f"/runs/{claim.run.id}/files/{file.id}")
    assert got.content == content
    assert got.headers["Content-Disposition"] == (
        "attachment; filename=\"_ber_gr__e.html\"; filename*=UTF-8''%C3%9Cber_gr%C3%B6%C3%9Fe.html"
    )
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Content-Security-Policy"].startswith("sandbox")
    assert got.headers["Content-Length"] == str(len(content))


async def test_a_damaged_file_is_no_complete_download(served: Served) -> None:
    claim, content = await served.started(), secrets.token_bytes(3 * PART_BYTES)
    file = stored_file("a.bin", content)
    await served.store.files.attach(claim, file, content)
    redis = served.store.connection.redis
    key = redis_keys.file(claim.run.id, file.id)
    await redis.hdel(key, "2")
    with pytest.raises(httpx.HTTPError):
        await served.get(f"/runs/{claim.run.id}/files/{file.id}")
    await redis.hdel(key, "0")
    gone = await served.get(f"/runs/{claim.run.id}/files/{file.id}")
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_file")


async def test_a_file_is_known_in_its_own_run_only(served: Served) -> None:
    claim, other = await served.started(), await served.start()
    file = stored_file("a.txt", b"x")
    await served.store.files.attach(claim, file, b"x")
    for path in (f"/runs/{other}/files/{file.id}", f"/runs/{claim.run.id}/files/{claim.run.id}"):
        answer = await served.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_file")
    assert (await served.get(f"/runs/{file.id}/files")).json()["code"] == "unknown_run"
    assert (await served.get(f"/runs/{other}/files")).json() == {"files": []}


# ── clients ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_client_uploads_lists_and_downloads(served: Served) -> None:
    await served.store.catalogue.announce("here", [DEMO, READER])
    async with Client(served.url) as client:
        given = await client.upload("dir/plan.txt", b"PLAN")
        assert (given.name, given.size) == ("plan.txt", 4)
        started = await client.start("reader", {"doc": given.file_id})
        [file] = await client.files(started.run_id)
        assert (file.name, file.input, file.digest) == ("plan.txt", "doc", given.digest)
        assert await client.download(started.run_id, file.file_id) == b"PLAN"
        with pytest.raises(ApiError) as refused:
            await client.download(started.run_id, started.run_id)
        assert refused.value.code == "unknown_file"

    def blocking() -> bytes:
        with SyncClient(served.url) as client:
            again = client.start("reader", {"doc": client.upload("plan.txt", b"SYNC").file_id})
            return client.download(again.run_id, client.files(again.run_id)[0].file_id)

    assert await asyncio.to_thread(blocking) == b"SYNC"


async def test_the_terminal_uploads_what_is_named_with_an_at_sign(served: Served, tmp_path: Path) -> None:
    await served.store.catalogue.announce("here", [DEMO, READER])
    plan = tmp_path / "plan.txt"
    plan.write_text("PLAN")
    async with Client(served.url) as client:
        [crew] = [each for each in await client.crews() if each.name == "reader"]
        assert [(each.accept, each.max_size) for each in crew.inputs] == [(("txt",), 1000), ((), None)]
        values = await with_uploads(client, crew, {"doc": f"@{plan}", "other": "@home"})
        assert values["other"] == "@home"
        started = await client.start("reader", {"doc": values["doc"]})
        assert [file.name for file in await client.files(started.run_id)] == ["plan.txt"]
        for path in (tmp_path / "missing.txt", tmp_path):
            with pytest.raises(InvalidInputs, match="doc: can't be read"):
                await with_uploads(client, crew, {"doc": f"@{path}"})
    assert problem_of(str(plan)) == ""
    assert "No such file" in problem_of("@missing.txt")
