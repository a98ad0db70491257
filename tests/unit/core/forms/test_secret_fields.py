"""Fields that ask for a secret are recognised, and those that only speak of one are not."""

import pytest

from bot.core.forms.fields import Field, FieldType
from bot.core.forms.secret_fields import asks_for_secret
from bot.core.forms.validation import check_field


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "db_password", "new-password", "password2", "passwordForDb", "user_pwd",
        "passphrase", "api_key", "apiKey", "APIKey", "apikey", "OPENAI_API_KEY", "token", "access_token",
        "githubToken",
        "client_secret", "secret", "private_key", "ssh_key", "credentials", "pin", "pin_code", "otp", "cvv",
        "card_number", "Passwort", "kennwort", "mot_de_passe", "contraseña", "senha",
        "pass\u200bword", "ｐassword",
    ],
)  # fmt: skip
def test_names_that_ask_for_a_secret(name: str) -> None:
    assert asks_for_secret(Field(name=name))
    with pytest.raises(ValueError, match="send people a link"):
        check_field(Field(name=name))


@pytest.mark.parametrize(
    ("label", "description"),
    [
        ("Your password", ""),
        ("Value", "The API key of the production account"),
        ("", "Paste the access token here"),
    ],
)
def test_labels_and_descriptions_that_ask_for_a_secret(label: str, description: str) -> None:
    assert asks_for_secret(Field(name="value", label=label, description=description))


@pytest.mark.parametrize(
    "field",
    [
        Field(name="max_tokens", type=FieldType.INTEGER),
        Field(name="tokens"),
        Field(name="token", type=FieldType.INTEGER),
        Field(name="token_limit"),
        Field(name="password_policy", type=FieldType.TEXT),
        Field(name="secret_name"),
        Field(name="secretary"),
        Field(name="keyword"),
        Field(name="key"),
        Field(name="opinion"),
        Field(name="is_secret", type=FieldType.BOOLEAN),
        Field(name="password_changed_on", type=FieldType.DATE),
        Field(name="note", description="Never write a password here"),
        Field(name="board", description="The board to pin it to, among those of the team"),
    ],
)
def test_fields_that_ask_for_no_secret(field: Field) -> None:
    assert not asks_for_secret(field)
    check_field(field)


def test_an_integer_can_hold_a_secret_too() -> None:
    assert asks_for_secret(Field(name="pin", type=FieldType.INTEGER))
