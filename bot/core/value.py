"""Base classes of immutable models. Times are milliseconds since the epoch by the store's clock."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable model. Unknown fields, as other releases may write them, are ignored.

    A field with an alias is stored under the alias.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class Strict(Value):
    """An immutable model that decisions depend on.

    Unknown fields are refused, because they could change the model's meaning.
    """

    model_config = ConfigDict(extra="forbid")
