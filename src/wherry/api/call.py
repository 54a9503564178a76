"""One request as handlers see it: typed access to its path, query, headers and body."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qs

from aiohttp import web

from wherry.dockerapi import filters
from wherry.dockerapi.decode import decode_json
from wherry.dockerapi.filters import Filters
from wherry.dockerapi.version import ApiVersion
from wherry.kit.errors import InvalidInput

T = TypeVar("T")

JSON_LIMIT: Final = 8 << 20
"""Bytes of a JSON body; dockerd has no limit and can be filled up."""
_NO: Final = ("", "0", "no", "false", "none")

ReadBody = Callable[[], Awaitable[bytes]]


class Call:
    """A request that a route was found for. `name` is the object in its path, or empty."""

    __slots__ = ("_read", "headers", "method", "name", "path", "query", "request", "version")

    def __init__(
        self,
        request: web.BaseRequest | None,
        *,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        read: ReadBody,
        version: ApiVersion,
        name: str,
    ) -> None:
        self.request = request
        self.method = method
        self.path = path
        self.query = parse_qs(query, keep_blank_values=True, errors="replace")
        self.headers = headers
        self._read = read
        self.version = version
        self.name = name

    def text(self, key: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(key, [default])[0]

    def texts(self, key: str) -> tuple[str, ...]:
        """All values of a query parameter."""
        return tuple(self.query.get(key, ()))

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean as Go's httputils reads it: anything but 0, no, false and none is true."""
        if key not in self.query:
            return default
        return self.text(key).strip().lower() not in _NO

    def integer(self, key: str) -> int | None:
        """A whole number, None where it is absent or empty. Raises InvalidInput."""
        text = self.text(key)
        if not text:
            return None
        digits = text[1:] if text[0] in "+-" else text
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            raise InvalidInput(f'strconv.Atoi: parsing "{text}": invalid syntax')
        return int(text)

    def required(self, key: str) -> int:
        """A whole number that has to be there. Raises InvalidInput."""
        value = self.integer(key)
        if value is None:
            raise InvalidInput('strconv.Atoi: parsing "": invalid syntax')
        return value

    def filters(self, allowed: frozenset[str] | None = None) -> Filters:
        """The `filters` parameter. Raises InvalidInput for a broken one or an unknown name."""
        found = filters.parse(self.text("filters"))
        return found if allowed is None else found.check(allowed)

    async def body(self) -> bytes:
        """The whole body. Raises InvalidInput where it is larger than JSON_LIMIT."""
        return await self._read()

    async def json(self, type: type[T]) -> T:
        """The body as a value. Raises InvalidInput."""
        body = await self.body()
        self.check_json(body)
        return decode_json(body, type)

    async def json_or_default(self, type: type[T], default: T) -> T:
        """As `json`, with the default for an empty body."""
        body = await self.body()
        if not body.strip():
            return default
        self.check_json(body)
        return decode_json(body, type)

    def check_json(self, body: bytes) -> None:
        """Raises InvalidInput unless the content type is JSON, or there is nothing."""
        kind = self.headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() != "application/json" and (kind or body):
            raise InvalidInput(f"Content-Type specified ({kind}) must be 'application/json'")


def reader_of(request: web.BaseRequest) -> ReadBody:
    """Reads the body of an aiohttp request up to JSON_LIMIT."""

    async def read() -> bytes:
        if (request.content_length or 0) > JSON_LIMIT:
            raise _too_large()
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > JSON_LIMIT:
                raise _too_large()
        return bytes(body)

    return read


def _too_large() -> InvalidInput:
    return InvalidInput(f"request body is larger than {JSON_LIMIT} bytes")
