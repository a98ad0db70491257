"""What is sent goes out to the internet only, whatever names say; and it tells nobody a secret."""

import asyncio
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr

from bot.core.events.endpoints import Endpoint
from bot.core.events.event import Event, RunCompleted
from bot.store.redis import RedisStore
from bot.surfaces.webhooks.dispatcher import RetrySchedule
from bot.surfaces.webhooks.sending import DeliveryFailure, open_sender
from bot.surfaces.webhooks.surface import DeliveryTimings
from tests.contract.examples import started
from tests.contract.webhooks.conftest import SECRET, Opens, settings_for
from tests.contract.webhooks.receiver import Receiver
from tests.ports import HOST, reserved
from tests.waiting import WITHIN, eventually

EVENT = Event(run_id="a" * 36, seq=1, at=0, body=RunCompleted(result="ok"))
PRIVATE = "its address is on a private network; CREWDECK_WEBHOOK_ALLOW_PRIVATE allows that"


class Rebound(AbstractResolver):
    """A name server that says what an attacker wants."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        return [ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        return


async def _sent(
    url: str, *, private: bool, resolver: AbstractResolver | None = None
) -> DeliveryFailure | None:
    endpoint = Endpoint(name="crm", url=SecretStr(url), secrets=(SecretStr(SECRET),))
    async with open_sender(private=private, version="1", within=2.0, resolver=resolver) as sender:
        return await sender.send(endpoint, EVENT)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1"])
async def test_a_name_that_turns_out_to_be_private_is_not_connected_to(address: str) -> None:
    missed = await _sent("https://example.com/hooks", private=False, resolver=Rebound(address))
    assert missed == DeliveryFailure(PRIVATE)


async def test_nothing_is_sent_to_a_private_address_unless_that_is_allowed(receiver: Receiver) -> None:
    https = receiver.url.replace("http://", "https://")
    assert await _sent(https, private=False) is not None
    assert await _sent(receiver.url, private=False) is not None
    assert receiver.requests == []
    assert await _sent(receiver.url, private=True) is None
    assert len(receiver.requests) == 1


async def test_proxies_of_this_machine_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await _sent(receiver.url, private=True) is None


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.planned.append(307)
    receiver.headers["Location"] = receiver.url
    missed = await _sent(receiver.url, private=True)
    assert missed == DeliveryFailure("it answered 307 Temporary Redirect")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "120", 120.0),
        (503, "7", 7.0),
        (500, "7", 0.0),
        (429, "soon", 0.0),
        (429, "0", 0.0),
        (503, "-5", 0.0),
        (503, "nan", 0.0),
        (503, "99999999999", 4 * 3600.0),
        (503, "Fri, 31 Dec 2100 23:59:59 GMT", 4 * 3600.0),
        (503, "Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        (503, "Fri, 31 Dec 99999 23:59:59 GMT", 0.0),
    ],
)
async def test_a_receiver_may_ask_for_a_pause(
    receiver: Receiver, status: int, asked: str, seconds: float
) -> None:
    receiver.planned.append(status)
    receiver.headers["Retry-After"] = asked
    missed = await _sent(receiver.url, private=True)
    assert missed is not None
    assert missed.retry_after == seconds


async def test_an_answer_without_end_is_not_read() -> None:
    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            closed.set()
        finally:
            writer.close()

    closed = asyncio.Event()
    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await _sent(f"http://127.0.0.1:{port}/", private=True) is None
        await asyncio.wait_for(closed.wait(), WITHIN)


async def test_nobody_at_home_is_said_without_the_address() -> None:
    with reserved(1) as [port]:
        missed = await _sent(f"http://{HOST}:{port}/s3cret", private=True)
    assert missed == DeliveryFailure("nothing answers at its address")


async def test_a_receiver_without_tls_is_told_apart(receiver: Receiver) -> None:
    missed = await _sent(receiver.url.replace("http://", "https://"), private=True)
    assert missed == DeliveryFailure("it doesn't speak TLS as it should")


async def test_neither_logs_nor_lists_hold_a_secret(
    store: RedisStore, opens: Opens, receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"{receiver.url}/s3cret?token=t0ken"
    settings = settings_for(settings={"CREWDECK_WEBHOOKS": f"crm={url} {SECRET}"})
    timings = DeliveryTimings(RetrySchedule(total=0.0), every=0.05)
    receiver.planned.append(500)
    async with opens(settings, timings):
        await started(store)
        [given_up] = await eventually(lambda: store.webhooks.dead_letters("webhook:crm"))
    said = "".join(capfd.readouterr()) + repr(settings) + repr(settings.webhooks) + repr(given_up)
    assert "A webhook is given up" in said
    for secret in ("s3cret", "t0ken", SECRET, SECRET.removeprefix("whsec_")):
        assert secret not in said
