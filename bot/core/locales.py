"""How a person writes numbers and dates. Pure.

Only what can be read in one way is understood; the tables hold what Unicode's CLDR says of a locale.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.core.value import Value

_COMMA_LANGUAGES = """
    af az be bg bs ca cs da de el et eu fi fo fr gl hr hu hy id is it ka kk ky lb lt lv mk nb nl nn no pl pt
    ro ru sk sl sq sr sv tr uk uz vi
"""
"""Languages that write 1,5 for one and a half, in all their regions but those below."""
_POINT_REGIONS = frozenset({"de-CH", "de-LI", "it-CH"})
_COMMA_REGIONS = frozenset(
    {"es", "es-ES", "es-AR", "es-BO", "es-CL", "es-CO", "es-CR", "es-EC", "es-PY", "es-UY", "es-VE"}
)
_DAY_FIRST_WITH_POINTS = """
    az be bg bs cs da de et fi fo hr hy is ka kk lb lv mk nb nn no pl ro ru sk sl sr tr uk
"""
"""Languages that write 31.3.2026."""


class Locale(Value):
    """A person's language, region and time zone, as far as they are known.

    `tag` is a BCP 47 tag such as `de-DE`, `timezone` a name such as `Europe/Berlin`.
    """

    tag: str = ""
    timezone: str = ""

    @property
    def decimal_comma(self) -> bool:
        """Whether one and a half is written 1,5 here. Otherwise it is 1.5."""
        if self._tag in _POINT_REGIONS:
            return False
        return self._language in _COMMA_LANGUAGES.split() or self._tag in _COMMA_REGIONS

    @property
    def day_first_with_points(self) -> bool:
        """Whether 3.4.2026 is the third of April here, and nothing else."""
        return self._language in _DAY_FIRST_WITH_POINTS.split()

    @property
    def zone(self) -> tzinfo | None:
        """The time zone; None if it is unknown."""
        if self.timezone == "UTC":
            return UTC
        try:
            return ZoneInfo(self.timezone) if self.timezone else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None

    @property
    def _tag(self) -> str:
        language, *more = self.tag.replace("_", "-").split("-")
        region = next((part.upper() for part in more if len(part) == 2), "")  # noqa: PLR2004 - BCP 47
        return f"{language.lower()}-{region}" if region else language.lower()

    @property
    def _language(self) -> str:
        return self._tag.partition("-")[0]


def in_zone(naive: datetime, zone: tzinfo) -> datetime:
    """A local time in its zone. Raises ValueError where the clocks skip or repeat it."""
    first, second = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    back = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    if back != naive:
        raise ValueError("doesn't exist: the clocks are put forward then")
    offsets = f"{_offset(first)} or {_offset(second)}"
    raise ValueError(f"happens twice, as the clocks are put back then: add which one is meant, {offsets}")


def _offset(at: datetime) -> str:
    return at.isoformat()[-6:]
