"""What all entries of the files in a crew's folder have in common."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]
_REFERENCE = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"
Reference = Annotated[str, Field(pattern=_REFERENCE)]
"""`module:Class`."""


def is_reference(written: object) -> bool:
    """Whether this is written as `module:Class`."""
    return isinstance(written, str) and re.match(_REFERENCE, written) is not None


class Entry(BaseModel):
    """Something in one of the files. An unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)
