"""Recognises fields that ask for a secret: what is filled in is stored, and shown to others. Pure.

A field is judged by the words of its name, label and description. What only speaks of a secret
(`password_policy`, `max_tokens`, "never your password") is no secret.
"""

from __future__ import annotations

import re

from bot.core.forms.fields import Field, FieldType
from bot.core.labels import label_key

_TYPES = frozenset({FieldType.STRING, FieldType.TEXT, FieldType.INTEGER, FieldType.NUMBER})
"""Types of values that can hold a secret."""


def _split(table: str, separator: str | None = None) -> frozenset[str]:
    return frozenset(each.strip() for each in table.split(separator))


_WORDS = _split(
    """
    password passwords passwd passphrase passphrases passcode pwd secret secrets credential credentials token
    apikey accesskey secretkey privatekey cvv cvc otp totp
    passwort passwörter kennwort zugangsdaten contraseña contrasena senha wachtwoord parola
    """
)
_PHRASES = tuple(
    phrase.split()
    for phrase in _split(
        """
        api key, api keys, access key, secret key, private key, signing key, encryption key, ssh key,
        license key, pass word, pass phrase, pin code, pin number, one time code, one time password,
        verification code, security code, recovery code, backup code, 2fa code, mfa code, seed phrase,
        recovery phrase, card number, credit card, social security number, mot de passe, palabra clave
        """,
        ",",
    )
)
_PIN = "pin"
_ABOUT = _split(
    """
    policy policies reason name names id ids count limit limits length budget date url hint rotation reset
    owner type strength rule rules expiry expires expired expiration age manager vault location usage used
    needed required enabled changed leaked rotated santa scope scopes status price cost
    """
)
"""Words that follow the word of a secret where something about it is meant: `password_policy`."""
_NEGATIONS = _split("no not never without don't dont cannot can't don kein keine nicht nie sans pas sin non")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def asks_for_secret(field: Field) -> bool:
    """Whether this field asks for a password, a key, a token or the like."""
    if field.type not in _TYPES:
        return False
    numeric = field.type in {FieldType.INTEGER, FieldType.NUMBER}
    texts = (field.name, field.label, field.description)
    return any(_names_secret(_words(text), numeric=numeric) for text in texts)


def _words(text: str) -> list[str]:
    """The words in lower case; digits at the end of a word don't count: `password2`."""
    split = label_key(_CAMEL.sub(" ", text).replace("_", " "))
    return [word.rstrip("0123456789") or word for word in _WORD.findall(split)]


def _names_secret(words: list[str], *, numeric: bool) -> bool:
    if not _NEGATIONS.isdisjoint(words):
        return False
    return any(_secret_at(words, at, numeric=numeric) for at in range(len(words)))


def _secret_at(words: list[str], at: int, *, numeric: bool) -> bool:
    """Whether the word or phrase that begins here is a secret, and not part of something about one."""
    for size in _sizes(words, at, numeric=numeric):
        following = words[at + size : at + size + 1]
        if not following or following[0] not in _ABOUT:
            return True
    return False


def _sizes(words: list[str], at: int, *, numeric: bool) -> list[int]:
    """How many words the secrets take that begin at this word."""
    found = [len(phrase) for phrase in _PHRASES if words[at : at + len(phrase)] == phrase]
    word = words[at]
    # A number in a field such as `max_tokens` counts tokens, and is no secret.
    if word in _WORDS and not (numeric and word == "token"):
        found.append(1)
    if word == _PIN and len(words) <= 3:  # noqa: PLR2004 - in a sentence it is a verb as often
        found.append(1)
    return found
