"""What is done before a worker says that it is ready, because it goes wrong where runs do it side by side."""

from __future__ import annotations

from collections.abc import Iterator

import openai
from pydantic import BaseModel

ANSWERS = ("openai.types.chat.", "openai.types.completion")
"""Where OpenAI's SDK, through which most models are called, keeps what an answer is made of."""


def complete_answers() -> None:
    """Build the validators of an answer's parts, which takes about 0.1 s.

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
