"""Loads some modules when something of them is used, not when it is named.

Packages import all that they offer: Bolt the app for threads beside the one for asyncio, redis-py the cluster
beside the client. Servers name such things, in annotations, exports and checks of types, and never use them.
Together they take 6 MB.

`from module import Name` of such a module is a stand-in, which does what the class or function would: it can
be called, subclassed and asked for attributes, which loads the module. A missing name is an error only then.
`importlib.util.LazyLoader` would be of no use here: naming something loads the module.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - stand-ins return anything
import re
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    # Its module would load what servers are to be spared.
    Loader = object

MODULES = frozenset(
    {
        "aiohttp.tracing",
        "aiohttp.web_fileresponse",  # and with it a list of MIME types
        "attr.validators",
        "redis.asyncio.cluster",
        "redis.asyncio.keyspace_notifications",
        "redis.cluster",
        "redis.keyspace_notifications",
        "slack_bolt.app.app",
        "slack_bolt.oauth.async_oauth_flow",  # and with it SQLite
        "slack_bolt.oauth.oauth_flow",
        "slack_bolt.workflows.step.step",
        "slack_sdk.models.attachments",
        "slack_sdk.models.blocks.basic_components",
        "slack_sdk.models.blocks.block_elements",
        "slack_sdk.models.blocks.blocks",
        "slack_sdk.models.metadata",
        "slack_sdk.models.views",
        "slack_sdk.web.client",
        "slack_sdk.webhook.client",
        "urllib.request",
    }
)
_VALUE = re.compile(r"[A-Z0-9_]+|\w+(Error|Exception|Warning)")
"""Names for which nothing else can stand: constants, and exceptions, since `except` takes classes alone."""


def install() -> None:
    """Have these modules loaded late from now on. Those that are loaded already stay."""
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in MODULES else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LazyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: that is what the module is spared."""


_loading = threading.RLock()


class _LazyModule(ModuleType):
    """A module of which nothing was used yet."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        if not _VALUE.fullmatch(name):
            return _StandIn(self, name)
        _load(self)
        return getattr(self, name)


def _load(module: ModuleType) -> None:
    with _loading:
        spec = module.__spec__
        if spec is None or not isinstance(spec.loader, _Loader):
            return
        # From here on it is a module like others, also to itself and to what it imports.
        module.__class__ = ModuleType
        spec.loader = module.__loader__ = spec.loader.real
        spec.loader.exec_module(module)


class _StandIn:
    """A class of a module that isn't loaded."""

    __slots__ = ("_module", "_name")

    def __init__(self, module: ModuleType, name: str) -> None:
        self._module = module
        self._name = name

    def _real(self) -> Any:
        _load(self._module)
        return getattr(self._module, self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in {"__name__", "__qualname__"}:
            return self._name
        if name.startswith("__") and isinstance(self._module, _LazyModule):
            raise AttributeError(name)  # `typing` looks for its own in all that an annotation names.
        return getattr(self._real(), name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        return (self._real(),)

    def __instancecheck__(self, instance: object) -> bool:
        # There is no instance of what was never loaded.
        return not isinstance(self._module, _LazyModule) and isinstance(instance, self._real())

    def __subclasscheck__(self, subclass: type) -> bool:
        return not isinstance(self._module, _LazyModule) and issubclass(subclass, self._real())

    def __or__(self, other: Any) -> Any:
        return self._real() | other

    def __ror__(self, other: Any) -> Any:
        return other | self._real()
