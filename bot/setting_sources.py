"""Where settings come from: variables with the aliases of fields, in the environment and in `.env`.

The names of fields are for code alone. pydantic-settings would read them as variables, too: `LOG_LEVEL`,
`API_KEY` and `PROJECT` of other programs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
)

DOTENV = ".env"
"""Read from the working directory; the environment has precedence."""


class _Environment(EnvSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _by_alias(field, field_name, super().get_field_value(field, field_name))


class _File(DotEnvSettingsSource):
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _by_alias(field, field_name, super().get_field_value(field, field_name))


def _by_alias(field: FieldInfo, field_name: str, found: tuple[Any, str, bool]) -> tuple[Any, str, bool]:
    """What was found under an alias; nothing if it was found under the name of the field."""
    _, key, is_complex = found
    return (None, key, is_complex) if field.alias is not None and key == field_name else found


class EnvironmentSettings(BaseSettings):
    """Settings whose variables are called as their aliases, and as nothing else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as pydantic-settings calls it
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as pydantic-settings calls it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What code gives, then the environment, then the file."""
        env_file = getattr(dotenv_settings, "env_file", None)
        return init_settings, _Environment(settings_cls), _File(settings_cls, env_file=env_file)


def with_source(name: str) -> str:
    """A setting's name and where it was set; its name alone if it is set in neither place."""
    if _has(os.environ, name):
        return f"{name} (in the environment)"
    in_file = _has(dotenv_values(DOTENV, encoding="utf-8-sig"), name)
    return f"{name} (in {Path(DOTENV).absolute()})" if in_file else name


def _has(variables: Mapping[str, str | None], name: str) -> bool:
    return any(value for each, value in variables.items() if each.upper() == name.upper())
