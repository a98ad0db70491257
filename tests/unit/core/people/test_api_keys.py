"""API keys: how the settings name them, and which secret opens what."""

import pytest

from bot.core.people import api_keys
from bot.core.people.api_keys import ApiKey, Scope, digest, matching, new_secret, parse_keys

SECRET = "0123456789abcdef"


def test_keys_are_read_as_the_settings_write_them() -> None:
    ci, ops = parse_keys(f" ci:{SECRET}:read+start+answer , ops:{SECRET}2")
    assert (ci.name, ci.scopes) == ("ci", (Scope.READ, Scope.START, Scope.ANSWER))
    assert (ops.name, ops.scopes) == ("ops", tuple(Scope))
    assert matching(SECRET, (ci, ops)) == ci
    assert parse_keys("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "ci",
        "ci:",
        ":hush",
        "c i:hush",
        "ci:hush",
        f"ci:hush{SECRET}:reed",
        f"ci:hush{SECRET},ci:hush{SECRET}2",
        f"ci:hush{SECRET}:read,ops:hush{SECRET}:admin",
        f"ci:hush{SECRET}:",
        f"ci:hush{SECRET}: ",
    ],
)
def test_what_is_wrong_is_said_without_the_secret(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|scope|name") as refused:
        parse_keys(text)
    assert "hush" not in str(refused.value)


def test_a_revoked_or_unknown_secret_opens_nothing() -> None:
    secret = new_secret()
    key = ApiKey(name="ci", scopes=(Scope.READ,), digest=digest(secret))
    revoked = key.model_copy(update={"revoked_at": 1})
    assert matching(secret, [revoked, key]) == key
    for wrong in ("", secret[:-1], key.digest, "ü"):
        assert matching(wrong, [key]) is None
    assert matching(secret, [revoked]) is None


def test_secrets_are_long_and_differ() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) >= 43 + len(api_keys.KEY_PREFIX) for secret in made)


def test_admin_covers_everything_and_the_rest_only_themselves() -> None:
    reader = ApiKey(name="r", scopes=(Scope.READ,), digest="")
    admin = ApiKey(name="a", scopes=(Scope.ADMIN,), digest="")
    assert [reader.allows(scope) for scope in Scope] == [True, False, False, False]
    assert all(admin.allows(scope) for scope in Scope)
    assert (admin.actor().admin, reader.actor().admin) == (True, False)
    assert reader.actor().principal == "http::key:r"
