"""One set of trusted certificates for the clients of all models of OpenAI's kind.

Reading it takes tens of milliseconds and a megabyte. CrewAI does so twice for each model of each crew that is
built: again for every run, and whenever a parked one is revived. The clients stay each crew's own.
"""

from __future__ import annotations

# ruff: noqa: ANN401, SLF001 - CrewAI says Any here, and the seams are private
import os
import ssl
from collections.abc import Callable, Iterator
from functools import cache, wraps
from typing import Any

import httpx
import openai
from crewai.llms.base_llm import BaseLLM
from crewai.llms.providers.openai.completion import OpenAICompletion
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI
from pydantic import BaseModel

from bot import logging

Build = Callable[[OpenAICompletion], Any]


def install() -> None:
    """Let models that are created from now on share the certificates, once per process."""
    model: Any = OpenAICompletion
    if getattr(model, "_crewdeck_shares_certificates", False):
        return

    def client(given: dict[str, Any]) -> OpenAI:
        return OpenAI(http_client=DefaultHttpxClient(verify=trusted_certificates()), **given)

    def async_client(given: dict[str, Any]) -> AsyncOpenAI:
        return AsyncOpenAI(http_client=DefaultAsyncHttpxClient(verify=trusted_certificates()), **given)

    model._build_sync_client = _sharing(model._build_sync_client, client)
    model._build_async_client = _sharing(model._build_async_client, async_client)
    model._crewdeck_shares_certificates = True
    BaseLLM.__init__ = _concealing(BaseLLM.__init__)  # type: ignore[method-assign]


def trusted_certificates() -> ssl.SSLContext:
    """The certificates. Code of crews may choose others at any time: a file of a company, or the system's."""
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), ssl.SSLContext)


@cache
def _read(*_chosen: object) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _concealing(init: Callable[..., None]) -> Callable[..., None]:
    """Hide the model's key from the log: providers quote a refused key."""

    @wraps(init)
    def made(self: BaseLLM, /, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if self.api_key:
            logging.conceal(self.api_key)

    return made


def _sharing(theirs: Build, ours: Callable[[dict[str, Any]], Any]) -> Build:
    """Our client, unless the crew's author configured another one."""

    @wraps(theirs)
    def build(model: OpenAICompletion) -> Any:
        given = model._get_client_params()
        return theirs(model) if model.interceptor or "http_client" in given else ours(given)

    return build


ANSWERS = ("openai.types.chat.", "openai.types.completion")
"""Where OpenAI's SDK, through which most models are called, keeps what an answer is made of."""


@cache
def build_response_models() -> None:
    """Build the validators of an answer's parts, which takes about 0.1 s. Again, it does nothing.

    The SDK puts that off until the first answer is read. While one thread builds them they are missing for
    the others, whose model calls then fail: "BaseModel cannot be instantiated directly".
    """
    for model in _below(openai.BaseModel):
        if model.__module__.startswith(ANSWERS):
            model.model_rebuild()


def _below(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in root.__subclasses__():
        yield model
        yield from _below(model)


def lacks_key(model: object) -> bool:
    """Whether this is a model of OpenAI without a key."""
    return isinstance(model, OpenAICompletion) and not model.api_key
