"""Structured logs on standard error: text on a terminal, JSON otherwise, with secrets redacted.

Modules log with `structlog.get_logger(__name__)`: a short sentence, and fields such as `run_id` and
`question_id`. Text of people and models is logged at debug level only, and tokens never: the redaction here
is the second line of defence.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.core.text import terminal_safe
from bot.settings import Settings

REDACTED = "[redacted]"
MIN_SECRET_LENGTH = 6
"""Shorter values are not redacted, because that would make logs unreadable."""

TOKENS = re.compile(
    r"\bx(?:ox[a-z]|app)(?:\.xox[a-z])?-[\w-]{4,}"  # Slack
    r"|(?<![\w-])(?:sk|rk|gsk)[-_][\w-]{8,}"  # model providers
    r"|(?<![\w-])cd[kl]_[\w-]{8,}"  # Crewdeck
    r"|\bwhsec_[\w+/=]{8,}"  # webhook secrets
    r"|(?<=://)[^\s/@\"']+@"  # user and password in a URL
    r"|\b(?i:bearer) +[\w.~+/=-]{8,}"
)

SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL")
"""Names of variables whose values are likely secrets."""

VENDORS = ("slack_bolt", "slack_sdk", "aiohttp", "asyncio")
"""Loggers that log at WARNING only, whatever our level is: below it they quote requests."""

REPEATED_WARNING = "Using an approximate input token count"
"""A warning of CrewAI on every model call, which operators can't act on."""


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send all logs of this process, the standard library's included, to `stream` (standard error).

    Secrets of the settings and the environment are redacted.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.log_format, stream),
                Redaction([*secrets_of(settings), *secrets_in(os.environ)]),
            ],
        )
    )
    handler.addFilter(without_chatter)
    handler.addFilter(without_payloads)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in VENDORS:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def _renderers(log_format: str, stream: TextIO) -> list[Processor]:
    # Plain tracebacks, because the formatted ones print variables.
    first: list[Processor] = [structlog.processors.format_exc_info, _clean]
    if log_format == "text" or (log_format == "auto" and stream.isatty()):
        return [*first, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    return [
        *first,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def _clean(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Make control characters and line breaks in values visible, so that no value imitates a record."""
    return {
        name: terminal_safe(value) if name == "exception" else _cleaned(value)
        for name, value in event.items()
    }


def _cleaned(value: object) -> object:
    match value:
        case bool() | int() | float() | None:
            return value
        case dict():
            return {str(_cleaned(name)): _cleaned(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_cleaned(each) for each in value]
        case _:
            return terminal_safe(str(value), one_line=True)


class Redaction:
    """The last processor: removes secrets from the rendered line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Redact these values, too, from now on."""
        # Whoever uses a secret that was read from a file leaves out the newline at its end.
        known = self._secrets | {
            secret.strip() for secret in secrets if len(secret.strip()) >= MIN_SECRET_LENGTH
        }
        if known == self._secrets:
            return
        # The plain value, and its encodings in JSON and Python.
        written = known | {write(secret)[1:-1] for secret in known for write in (json.dumps, repr)}
        longest_first = sorted(written, key=len, reverse=True)
        self._secrets, self._known = known, re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, _: WrappedLogger, __: str, line: EventDict | str) -> str:
        text = str(line)
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return TOKENS.sub(REDACTED, text)


def conceal(secret: str) -> None:
    """Redact this value in the logs of this process from now on."""
    for handler in logging.getLogger().handlers:
        for processor in getattr(handler.formatter, "processors", ()):
            if isinstance(processor, Redaction):
                processor.learn([secret])


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The values of variables whose names suggest secrets, such as a model provider's key; no paths."""
    return [
        value
        for name, value in environment.items()
        if SECRET_NAMES.search(name.upper()) and not value.startswith(("/", "~", "."))
    ]


def secrets_of(settings: Settings) -> list[str]:
    """The values of all secret settings, and the password in a URL."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    # Empty settings have no secret.
    secrets = [
        found for value in values if isinstance(value, SecretStr) and (found := value.get_secret_value())
    ]
    return secrets + [password for secret in secrets if (password := _password(secret))]


def _password(secret: str) -> str | None:
    try:
        return urlsplit(secret).password
    except ValueError:
        return None


def without_chatter(record: logging.LogRecord) -> bool:
    """Drop CrewAI's messages below WARNING, and what others quote after a colon: keys and prompts.

    CrewAI logs every tool and model call to the root logger. Crewdeck's own message about a failed run has
    the details, redacted.
    """
    if record.name.startswith("crewai."):
        return not record.getMessage().startswith(REPEATED_WARNING)
    if record.name != "root" or "crewai" not in Path(record.pathname).parts:
        return True
    record.msg, record.args = record.getMessage().partition(":")[0].partition("\n")[0], ()
    record.exc_info = record.exc_text = None
    return record.levelno >= logging.WARNING


def without_payloads(record: logging.LogRecord) -> bool:
    """Keep the part of a vendor's message before the payload that it quotes."""
    if record.name.startswith(("slack_bolt", "slack_sdk")) and record.levelno > logging.DEBUG:
        words = record.getMessage().partition("{")[0].partition("\n")[0]
        record.msg, record.args = words.rstrip(" ("), ()
    return True
