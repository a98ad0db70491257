"""Structured logs on standard error: readable on a terminal, JSON otherwise, and never with a secret in them.

Modules log with `structlog.get_logger(__name__)`: a short sentence, and fields such as `run_id` and
`question_id`. What people and models wrote is logged at debug level only, and tokens never: the redaction
here is the second line of defence, not the first.
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
"""Shorter values of secret settings are no secrets, and taking them out would leave no readable log."""

TOKENS = re.compile(
    r"\bx(?:ox[a-z]|app)(?:\.xox[a-z])?-[\w-]{4,}"  # Slack's
    r"|(?<![\w-])(?:sk|rk|gsk)[-_][\w-]{8,}"  # model providers'
    r"|(?<![\w-])cd[kl]_[\w-]{8,}"  # ours
    r"|\bwhsec_[\w+/=]{8,}"  # what signs webhooks
    r"|(?<=://)[^\s/@\"']+@"  # the user and password of a URL
    r"|\b(?i:bearer) +[\w.~+/=-]{8,}"
)

SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL")
"""How variables are called whose values are secrets, mostly."""

VENDORS = ("slack_bolt", "slack_sdk", "aiohttp", "asyncio")
"""Their loggers speak up at WARNING, whatever our level is: below it they quote requests."""

AT_EVERY_CALL = "Using an approximate input token count"
"""What CrewAI warns of whenever it calls a model, and nobody can do anything about."""


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send all logs of this process, the standard library's included, to `stream` (standard error).

    What looks like a secret in its environment is taken out of them, too.
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
    # Tracebacks are plain: the pretty ones print the variables.
    first: list[Processor] = [structlog.processors.format_exc_info, _clean]
    if log_format == "text" or (log_format == "auto" and stream.isatty()):
        return [*first, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    return [
        *first,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]


def _clean(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Whoever wrote it, no terminal obeys what is in a record, and no text of others begins a line of it."""
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
    """The last step: takes secrets out of the finished line, wherever in it they are."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Take these out as well from now on."""
        known = self._secrets | {secret for secret in secrets if len(secret) >= MIN_SECRET_LENGTH}
        if known == self._secrets:
            return
        # As they are, and as JSON and Python write them.
        written = known | {write(secret)[1:-1] for secret in known for write in (json.dumps, repr)}
        longest_first = sorted(written, key=len, reverse=True)
        self._secrets, self._known = known, re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, _: WrappedLogger, __: str, line: EventDict | str) -> str:
        text = str(line)
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return TOKENS.sub(REDACTED, text)


def conceal(secret: str) -> None:
    """Take this out of this process' logs, too, from now on."""
    for handler in logging.getLogger().handlers:
        for processor in getattr(handler.formatter, "processors", ()):
            if isinstance(processor, Redaction):
                processor.learn([secret])


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The values of variables that sound like secrets, such as a model provider's key; no paths."""
    return [
        value
        for name, value in environment.items()
        if SECRET_NAMES.search(name.upper()) and not value.startswith(("/", "~", "."))
    ]


def secrets_of(settings: Settings) -> list[str]:
    """The values of all secret settings, and the password inside of a URL."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    # One that is set to nothing is no secret.
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
    """CrewAI tells the root logger of every tool and call; it speaks up at WARNING, as `VENDORS` do.

    What a provider said to it, it quotes after a colon: keys, prompts. Our own line about a failed run has
    that, without secrets.
    """
    if record.name.startswith("crewai."):
        return not record.getMessage().startswith(AT_EVERY_CALL)
    if record.name != "root" or "crewai" not in Path(record.pathname).parts:
        return True
    record.msg, record.args = record.getMessage().partition(":")[0].partition("\n")[0], ()
    record.exc_info = record.exc_text = None
    return record.levelno >= logging.WARNING


def without_payloads(record: logging.LogRecord) -> bool:
    """Keep of a vendor's message what comes before the payload that it quotes."""
    if record.name.startswith(("slack_bolt", "slack_sdk")) and record.levelno > logging.DEBUG:
        words = record.getMessage().partition("{")[0].partition("\n")[0]
        record.msg, record.args = words.rstrip(" ("), ()
    return True
