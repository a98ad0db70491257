"""What holds for every answer over HTTP, asked of a real server through plain sockets."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.surfaces.http.site import BODY_TIMEOUT_S
from tests.scenario.server import Server
from tests.waiting import WITHIN


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    where = urlsplit(server.url)
    with socket.create_connection((where.hostname, where.port), timeout=WITHIN) as line:
        yield line


def ask(
    server: Server, method: str, path: str, body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=WITHIN)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_health_says_so_and_when(bare_server: Server) -> None:
    status, body = bare_server.get("/health")
    assert status == 200
    assert body["status"] == "healthy"
    assert abs((datetime.now(UTC) - datetime.fromisoformat(body["timestamp"])).total_seconds()) < 60


def test_ready_is_the_store_and_names_what_is_missing(bare_server: Server) -> None:
    """Without a worker the console and the API serve all the same."""
    status, body = bare_server.get("/ready")
    assert status == 200
    assert body == {"ready": True, "redis": True, "worker": False, "surfaces": {}}


def test_ready_although_slack_is_away_says_so() -> None:
    """A probe must not take the console and the API down with Slack."""
    env = {
        "CREWDECK_WORKERS": "0",
        "SLACK_BOT_TOKEN": "xoxb-1-2-nobody",
        "SLACK_APP_TOKEN": "xapp-1-A-1-nobody",
        "SLACK_API_URL": "http://127.0.0.1:9/api/",
    }
    with Server.started(env=env, wait="announced") as server:
        status, body = server.get("/ready")
        assert status == 200
        assert isinstance(body.pop("delivery"), bool)
        assert body == {"ready": True, "redis": True, "worker": False, "surfaces": {"slack": False}}
        assert 'crewdeck_surface_up{surface="slack"} 0.0' in server.get("/metrics")[1]


def test_figures_are_what_prometheus_reads(bare_server: Server) -> None:
    status, text = bare_server.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert status == 200
    assert {
        "crewdeck_ack_seconds",
        "crewdeck_web_api_calls",
        "crewdeck_web_api_retries",
        "crewdeck_worker_restarts",
        "crewdeck_runs",
        "crewdeck_questions_open",
        "crewdeck_oldest_question_seconds",
        "crewdeck_redis_replicas",
        "crewdeck_answers",
        "crewdeck_answer_seconds",
        "crewdeck_store_up",
    } <= set(families)
    assert families["crewdeck_store_up"].samples[0].value == 1


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/nothing-here"])
def test_no_answer_says_what_we_are_made_of(path: str, bare_server: Server) -> None:
    _, headers, _ = ask(bare_server, "GET", path)
    assert headers["Server"] == "crewdeck"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "nonsense", [b"\x16\x03\x01\x00\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n"]
)
def test_what_is_no_http_is_refused_without_a_word_about_us(nonsense: bytes, bare_server: Server) -> None:
    with connected(bare_server) as line:
        line.sendall(nonsense)
        answer = line.recv(65536)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"aiohttp" not in answer
    assert b"python" not in answer.lower()


def test_an_unknown_address_is_a_problem_with_a_code(bare_server: Server) -> None:
    status, body = bare_server.get("/nothing-here")
    assert status == 404
    assert body == {
        "type": "/docs#not_found",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "detail": "There is nothing at this address.",
    }


def test_a_wrong_method_is_told_the_right_one(bare_server: Server) -> None:
    status, headers, _ = ask(bare_server, "POST", "/health", b"{}")
    assert status == 405
    assert "GET" in headers["Allow"]


def test_a_body_over_a_mebibyte_is_refused(bare_server: Server) -> None:
    for path in ("/health", "/nothing-here"):
        status, _, body = ask(bare_server, "POST", path, b"x" * (1024 * 1024 + 1))
        assert status == 413
        assert b"1048576 bytes" in body


def test_slow_clients_are_in_nobodys_way(bare_server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            line = stack.enter_context(connected(bare_server))
            line.sendall(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nnot yet all")
        started = time.monotonic()
        status, _ = bare_server.get("/health")
        assert status == 200
        assert time.monotonic() - started < BODY_TIMEOUT_S, "they are not waited for"


def test_a_client_that_never_sends_its_body_is_sent_away(bare_server: Server) -> None:
    with connected(bare_server) as line:
        line.settimeout(WITHIN)
        line.sendall(b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 408")
