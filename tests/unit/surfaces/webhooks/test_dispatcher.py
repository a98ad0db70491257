"""Webhooks without a network: the settings, the addresses, the signature and the schedule."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.core.addresses import is_public
from bot.core.events.endpoints import EVENT_TYPES, parse_endpoints, parse_secrets
from bot.surfaces.webhooks.dispatcher import HOUR_S, RetrySchedule
from bot.surfaces.webhooks.sending import signature_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "b2xk" * 8


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - to be refused
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "fec0::1",
        "3fff::1",
        "192.0.0.192",
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "2001:db8::1",
        "example.com",
        "",
    ],
)
def test_addresses_that_are_not_sent_to(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


def test_endpoints_are_written_one_after_the_other() -> None:
    crm, ops = parse_endpoints(
        f"crm=https://crm.example/hooks?a=b {SECRET} events=run_completed,run_failed\n"
        f"  ops=https://ops.example {SECRET} {OTHER}",
        private=False,
    )
    assert (crm.name, crm.host, len(crm.secrets)) == ("crm", "crm.example", 1)
    assert crm.url.get_secret_value() == "https://crm.example/hooks?a=b"
    assert [kind for kind in EVENT_TYPES if crm.wants(kind)] == ["run_completed", "run_failed"]
    assert (ops.surface, len(ops.secrets)) == ("webhook:ops", 2)
    assert all(ops.wants(kind) for kind in (*EVENT_TYPES, "of_a_newer_release"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SECRET, "an endpoint is written name=https://"),
        ("crm=https://crm.example/p4th", "crm: its secret is missing"),
        ("crm=https://crm.example/p4th whsec_c2hvcnQ=", "crm: a secret is whsec_ and 24 to 64 random bytes"),
        (f"crm=https://crm.example/p4th {SECRET[6:]}", "crm: a secret is whsec_"),
        (f"crm=https://crm.example/p4th {SECRET} events=run_over", "'run_over' is no type of event"),
        (f"crm=http://crm.example/p4th {SECRET}", "starts with https://"),
        (f"crm=https://u:p4th@crm.example {SECRET}", "may not hold a user or a password"),
        (f"crm=https://192.168.1.9/p4th {SECRET}", "may not be on a private network"),
        (f"crm=https://:99/p4th {SECRET}", "this is no address of an endpoint"),
        (f"webhook_url=https://crm.example/p4th {SECRET}", "an endpoint can't have the name webhook_url"),
        (f"a=https://a.example {SECRET} a=https://b.example/p4th {SECRET}", "the name a is there twice"),
    ],
)
def test_mistakes_are_named_without_quoting_address_or_secret(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as raised:
        parse_endpoints(text, private=False)
    assert "p4th" not in str(raised.value)
    assert SECRET[6:] not in str(raised.value)


def test_private_networks_are_an_operators_to_allow() -> None:
    [endpoint] = parse_endpoints(f"crm=http://10.0.0.1:8080/hooks {SECRET}", private=True)
    assert endpoint.host == "10.0.0.1"


def test_no_endpoints_and_no_secrets_are_none() -> None:
    assert parse_endpoints(" \n", private=False) == ()
    assert parse_secrets("") == ()


def test_the_signature_of_the_specifications_own_example() -> None:
    signed = signature_headers(
        [SecretStr(SECRET)], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_signs() -> None:
    both = signature_headers([SecretStr(SECRET), SecretStr(OTHER)], "id", 1, b"{}")[
        "webhook-signature"
    ].split(" ")
    alone = [
        signature_headers([SecretStr(each)], "id", 1, b"{}")["webhook-signature"] for each in (SECRET, OTHER)
    ]
    assert both == alone


def _waits(schedule: RetrySchedule, chance: float) -> list[float]:
    """What is waited from the first try to the last."""
    age, waits = 0.0, list[float]()
    for tries in itertools.count(1):
        wait = schedule.wait(tries, age, chance)
        if wait is None:
            return waits
        waits.append(wait)
        age += wait
    raise AssertionError


def test_waits_grow_to_four_hours_and_end_after_three_days() -> None:
    waits = _waits(RetrySchedule(), 0.5)
    assert waits[:4] == [5.0, 15.0, 45.0, 135.0]
    assert max(waits) == 4 * HOUR_S
    assert sum(waits) == pytest.approx(72 * HOUR_S)
    assert 20 < len(waits) < 35


@given(st.integers(1, 10_000), st.floats(0, 80 * HOUR_S), st.floats(0, 1), st.floats(0, 1e9))
def test_any_wait_is_within_bounds(tries: int, age: float, chance: float, asked: float) -> None:
    wait = RetrySchedule().wait(tries, age, chance, at_least=asked)
    if age >= 72 * HOUR_S:
        assert wait is None
    else:
        assert wait is not None
        assert 0 < wait <= min(5 * HOUR_S, 72 * HOUR_S - age)


def test_what_failed_together_does_not_come_back_together() -> None:
    assert RetrySchedule().wait(3, 0, 0.0) == pytest.approx(36.0)
    assert RetrySchedule().wait(3, 0, 1.0) == pytest.approx(54.0)


def test_a_receiver_is_left_alone_as_long_as_it_asks_within_reason() -> None:
    assert RetrySchedule().wait(1, 0, 0.5, at_least=600) == 600
    assert RetrySchedule().wait(1, 0, 0.5, at_least=1e6) == 4 * HOUR_S
