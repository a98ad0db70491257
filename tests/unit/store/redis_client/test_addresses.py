"""`CREWDECK_REDIS_URL`: which servers it names, and what is said of one that can't be read."""

import pytest

from bot.core.errors import SettingsError
from bot.store.redis_client.addresses import Kind, Node, read_address

SECRET = "tide-mill-7"


@pytest.mark.parametrize(
    ("url", "kind", "nodes"),
    [
        ("redis://here:7000/2", Kind.SERVER, ()),
        ("unix:///run/redis.sock", Kind.SERVER, ()),
        ("redis+sentinel://a,b:1/crews", Kind.SENTINEL, (("a", 26379), ("b", 1))),
        ("rediss+sentinel://u:p@a:1,[::1]:2/crews/3", Kind.SENTINEL, (("a", 1), ("::1", 2))),
        ("redis+cluster://a, b:1", Kind.CLUSTER, (("a", 6379), ("b", 1))),
        ("rediss+cluster://:p%40q@a/0", Kind.CLUSTER, (("a", 6379),)),
    ],
)
def test_an_address_names_its_servers(url: str, kind: Kind, nodes: tuple[Node, ...]) -> None:
    address = read_address(url)
    assert (address.kind, address.nodes) == (kind, nodes)


def test_a_sentinel_address_tells_redis_from_its_sentinels() -> None:
    address = read_address(
        f"redis+sentinel://me:{SECRET}%2F@a/crews/3?sentinel_username=you&sentinel_password=other%26&db=4"
    )
    assert address.service == "crews"
    assert (address.options["username"], address.options["password"]) == ("me", f"{SECRET}/")
    assert address.options["db"] == 4
    assert address.sentinel_options == {"username": "you", "password": "other&"}
    assert set(address.secrets) == {f"{SECRET}/", "other&"}


def test_files_for_tls_are_named_in_the_query() -> None:
    address = read_address("rediss+cluster://a?ssl_ca_certs=/etc/my%20ca.pem&ssl_check_hostname=false")
    assert address.options["ssl_ca_certs"] == "/etc/my ca.pem"
    assert address.options["ssl_check_hostname"] is False


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@a",
        f"redis+ring://:{SECRET}@a",
        f"redis+cluster://:{SECRET}@",
        f"redis+cluster://:{SECRET}/x@a:1",
        f"redis+cluster://a:1/{SECRET}",
        f"redis+cluster://:{SECRET}@a:port",
        f"redis+sentinel://:{SECRET}@a",
        f"redis+sentinel://:{SECRET}@a/crews/first",
        f"redis+sentinel://:{SECRET}@a:1,:2/crews",
        f"unix+cluster://{SECRET}",
        "redis+cluster://",
        f"redis://:{SECRET}@a/first",
        f"redis://:{SECRET}@a/1/2",
        f"rediss://:{SECRET}@a:1/-1",
        "unix://",
    ],
)
def test_an_address_that_can_not_be_read_names_the_setting_alone(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^CREWDECK_REDIS_URL: ") as wrong:
        read_address(url)
    assert "mill" not in str(wrong.value)
    assert "\n" not in str(wrong.value)
