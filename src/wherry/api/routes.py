"""The route table: which handler answers a method and a path.

Patterns are Docker's: `/containers/{name}/json`, where a name may hold slashes (images have them).
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from aiohttp import web

from wherry.api.call import Call
from wherry.api.hijack import Hijacked
from wherry.dockerapi import version as versions
from wherry.dockerapi.version import MINIMUM, ApiVersion
from wherry.kit.errors import InvalidInput, NotFound

E = TypeVar("E")

Handler = Callable[[E, Call], Awaitable[web.StreamResponse]]
StreamHandler = Callable[[E, Call, Hijacked], Awaitable[None]]

_VERSIONED: Final = re.compile(r"/v([0-9]+\.[0-9]+)(/.*)")


class Route(NamedTuple, Generic[E]):
    """One line of the table."""

    method: str
    pattern: str
    handler: Handler[E]
    since: ApiVersion = MINIMUM
    """Older clients are told that they cannot use it."""
    stops_with_client: bool = False
    """Whether the work is given up when the client goes away, as dockerd does for streams."""


class HijackRoute(NamedTuple, Generic[E]):
    """A line for a request that takes over its connection."""

    method: str
    pattern: str
    handler: StreamHandler[E]
    since: ApiVersion = MINIMUM
    raw_errors: bool = False
    """Whether an error is bare text of the stream's type, as dockerd answers a failed attach."""


class AnyRoute(Protocol):
    """What finding needs of a line."""

    @property
    def method(self) -> str:
        """HTTP method."""

    @property
    def pattern(self) -> str:
        """Path with at most one `{name}`."""

    @property
    def since(self) -> ApiVersion:
        """First version that has it."""


R = TypeVar("R", bound=AnyRoute)


class Found(NamedTuple, Generic[R]):
    """What a path leads to."""

    route: R
    name: str
    version: ApiVersion


class _Pattern(NamedTuple, Generic[R]):
    prefix: str
    suffix: str
    route: R

    def match(self, path: str) -> str | None:
        """The name in the path, None where it is not this pattern's."""
        end = len(path) - len(self.suffix)
        if end <= len(self.prefix) or not path.startswith(self.prefix):
            return None
        return path[len(self.prefix) : end] if path.endswith(self.suffix) else None


class Router(Generic[R]):
    """Finds routes; the first of the table that matches wins."""

    def __init__(self, routes: Iterable[R]) -> None:
        self._exact: dict[tuple[str, str], R] = {}
        self._patterns: dict[tuple[str, str], list[_Pattern[R]]] = {}
        for route in routes:
            self._add(route)

    def _add(self, route: R) -> None:
        if "{name}" not in route.pattern:
            self._exact[route.method, route.pattern] = route
            return
        prefix, _, suffix = route.pattern.partition("{name}")
        key = (route.method, _first_segment(prefix))
        self._patterns.setdefault(key, []).append(_Pattern(prefix, suffix, route))

    def find(self, method: str, path: str) -> Found[R]:
        """The route for a decoded path. Raises NotFound; InvalidInput for the version."""
        text, path = split_version(path)
        route, name = self._lookup(method, path)
        version = versions.accept(text)
        if version < route.since:
            raise InvalidInput(
                f"{method} {path} needs API version {route.since}; this request has {version}"
            )
        return Found(route, name, version)

    def _lookup(self, method: str, path: str) -> tuple[R, str]:
        exact = self._exact.get((method, path))
        if exact is not None:
            return exact, ""
        for pattern in self._patterns.get((method, _first_segment(path)), ()):
            name = pattern.match(path)
            if name is not None:
                return pattern.route, name
        raise NotFound("page not found")


def split_version(path: str) -> tuple[str | None, str]:
    """`/v1.41/info` → `1.41` and `/info`; None without a version."""
    match = _VERSIONED.fullmatch(path)
    return (match[1], match[2]) if match else (None, path)


def _first_segment(path: str) -> str:
    return path.partition("/")[2].partition("/")[0]
