"""The bases of all frozen values. Times are milliseconds since the epoch, by the store's clock."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A value never changes. Fields of another release, which this one doesn't know, are ignored.

    Where a field has an alias, that is the name under which it is stored.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class Strict(Value):
    """A value on which decisions rest.

    A field that this release doesn't know would change its meaning, so it is refused when it is read.
    """

    model_config = ConfigDict(extra="forbid")
