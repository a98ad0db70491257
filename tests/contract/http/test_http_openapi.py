"""The description of the API is true: whatever is sent, what comes back is documented."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from bot.core.files import stored_file
from bot.core.forms.fields import Field, FieldType
from bot.surfaces.http.problems import STATUS
from tests.contract.http.conftest import Serve
from tests.contract.http.served import KEYS, SECRETS, Served, bearer, demo
from tests.waiting import WITHIN

if TYPE_CHECKING:
    import requests
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.schemas import APIOperation, BaseSchema

ENDLESS = {"/events/human-input", "/ws/human-input", "/ws/human-input/{execution_id}"}
"""What doesn't end by itself; the tests of streams see to it."""


async def test_nothing_answers_5xx_or_what_is_not_documented(serve_with: Serve) -> None:
    served = await serve_with(KEYS | {"CREWDECK_RATE_LIMIT": "10000"})
    field = Field(name="topic", type=FieldType.STRING, required=True)
    await served.store.catalogue.announce(
        "here", [demo(), demo(inputs=(field,)).model_copy(update={"name": "other"})]
    )
    over = await served.started(headers=bearer("ops"))
    question = await served.ask(over)
    file = stored_file("a.txt", b"x")
    await served.store.files.attach(over, file, b"x")
    await served.store.queue.finish(over, result="x")
    ids = {"run_id": over.run.id, "execution_id": over.run.id, "question_id": question.id, "file_id": file.id}
    document = (await served.get("/openapi.json")).json()
    await asyncio.to_thread(probe, document, served.url, ids)


async def test_an_answer_to_head_has_no_body_and_no_answer_is_stored(served: Served) -> None:
    """What follows the head would be the next answer to a proxy that keeps the connection, for whomever."""
    claim = await served.started()
    question = await served.ask(claim)
    file = stored_file("a.txt", b"content")
    await served.store.files.attach(claim, file, b"content")
    ids = {"run_id": claim.run.id, "question_id": question.id, "file_id": file.id}
    document = (await served.get("/openapi.json")).json()
    found = {}
    for path, operations in document["paths"].items():
        if "get" in operations:
            address = path.format(**ids, execution_id=claim.run.id)
            found[path] = await asyncio.wait_for(head_then_get(served, address), WITHIN)
    streams = {path for path, status in found.items() if status == b"405"}
    assert streams == {
        path for path in found if path.startswith(("/events/", "/ws/")) or path.endswith("/stream")
    }
    assert {status for path, status in found.items() if path not in streams} == {b"200"}


async def head_then_get(served: Served, path: str) -> bytes:
    """The status of HEAD, right after whose head the next answer has to begin."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for method, address in (("HEAD", path), ("GET", "/health")):
        writer.write(f"{method} {address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Cache-Control: no-" in head or b"Cache-Control: private, no-store" in head, head
    assert await reader.readexactly(15) == b"HTTP/1.1 200 OK", path
    writer.close()
    return head.split(b" ", 2)[1]


def probe(document: dict[str, Any], url: str, ids: dict[str, str]) -> None:
    """Send what the document allows, and what it doesn't, to every operation."""
    import requests
    import schemathesis

    schema = schemathesis.openapi.from_dict(document)
    headers = {"Authorization": f"Bearer {SECRETS['ops']}"}
    with requests.Session() as session:
        session.trust_env = False
        _probe_all(schema, document, partial(_probe, url=url, headers=headers, ids=ids, session=session))


def _probe_all(
    schema: BaseSchema,
    document: dict[str, Any],
    probe_one: Callable[[APIOperation[Any, Any, Any, Any], GenerationMode], None],
) -> None:
    from schemathesis import GenerationMode
    from schemathesis.core.result import Ok

    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path in ENDLESS:
            continue
        probe_one(operation, GenerationMode.POSITIVE)
        described = document["paths"][operation.path][operation.method]
        if described["parameters"] or "requestBody" in described:
            probe_one(operation, GenerationMode.NEGATIVE)


def _probe(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    *,
    url: str,
    headers: dict[str, str],
    ids: dict[str, str],
    session: requests.Session,
) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    all_checks = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    existing = cycle((True, False))

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case: schemathesis.Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE and next(existing):
            case.path_parameters.update({name: ids[name] for name in case.path_parameters})
        sent = case.call(base_url=url, headers=headers, timeout=70, session=session)
        case.validate_response(sent, checks=all_checks)

    one()


async def test_the_document_names_every_route_and_every_code(served: Served) -> None:
    document = (await served.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    paths = set(document["paths"])
    assert {
        "/crew/start",
        "/{run_id}/stream",
        "/{run_id}/input",
        "/runs",
        "/questions/{question_id}/answer",
    } <= paths
    told = set(
        re.findall(r"`(\w+)`", str([each for p in document["paths"].values() for each in _descriptions(p)]))
    )
    unnamed = {"method_not_allowed", "internal_error"}
    assert set(STATUS) - told - unnamed == set()


def _descriptions(methods: dict[str, Any]) -> list[str]:
    return [answer["description"] for each in methods.values() for answer in each["responses"].values()]


async def test_the_docs_page_loads_nothing_and_runs_nothing(served: Served) -> None:
    page = await served.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in page.text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text)
    assert "/crew/start" in page.text
    assert 'id="settled"' in page.text


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on PATH")
async def test_curl_follows_a_run_to_its_end(served: Served) -> None:
    claim = await served.started()
    command = ["curl", "--silent", "--no-buffer", "--noproxy", "*", f"{served.url}/{claim.run.id}/stream"]
    curl = asyncio.create_task(
        asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=WITHIN, check=True)
    )
    await asyncio.sleep(random.Random(1).random() / 5)
    await served.ask(claim)
    answered = await served.post(f"/{claim.run.id}/input", {"response": "approve"})
    assert answered.status_code == 200
    await served.store.queue.finish(claim, result="Done.")
    said = (await curl).stdout
    assert re.findall(r"^event: (\S+)$", said, re.MULTILINE) == [
        "run_started",
        "PROMPT",
        "human_input_completed",
        "END",
    ]
    assert 'data: {"status":"completed","result":"Done."}\n' in said


async def test_health_is_described_and_open_to_everybody(serve_with: Serve) -> None:
    served = await serve_with(KEYS)
    described = (await served.get("/openapi.json")).json()["paths"]["/health"]["get"]
    assert described["security"] == []
    answer = await served.get("/health")
    assert answer.status_code == 200
    assert answer.json().keys() == {"status", "timestamp"}
    assert "/health" in (await served.get("/docs")).text
