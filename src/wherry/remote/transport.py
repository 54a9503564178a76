"""Requests to one endpoint of a registry: authorised, redirected, repeated where that helps."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import aiohttp

from wherry.kit import clock
from wherry.kit.errors import WherryError
from wherry.remote import challenge as challenges
from wherry.remote.challenge import Challenge
from wherry.remote.credentials import Credentials
from wherry.remote.endpoints import Endpoint, proxy_for, tls
from wherry.remote.errors import LoginRequired, RateLimited, RegistryUnavailable, from_response
from wherry.remote.settings import Settings
from wherry.remote.tokens import Tokens, basic

Body = bytes | Callable[[], AsyncIterator[bytes]]
"""A body that must be sent again after a 401 or a failure is made anew each time."""

_REPEAT = frozenset({429, 500, 502, 503, 504})
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_MOST_ERROR_BYTES = 64 << 10


class NoConnection(RegistryUnavailable):
    """Nobody answered in HTTP: another scheme, mirror or moment may do."""


class Request(NamedTuple):
    """What to ask. `url` may be relative to the endpoint."""

    method: str
    url: str
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    body: Body | None = None
    accept: tuple[int, ...] = (200,)
    """Statuses the caller deals with; all others are errors."""


class Registry:
    """An endpoint and who we are to it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        tokens: Tokens,
        settings: Settings,
        endpoint: Endpoint,
        credentials: Credentials,
    ) -> None:
        """Nothing is sent yet."""
        self.endpoint, self.settings = endpoint, settings
        self.credentials = credentials
        self._session, self._tokens = session, tokens
        self.answered = False
        """Whether it ever spoke HTTP with us; then another scheme is not worth trying."""
        self._challenge: Challenge | None = None
        self._tls: ssl.SSLContext | bool | None = None

    @contextlib.asynccontextmanager
    async def open(self, request: Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send and give the response, whose body is still to be read.

        Raises NoConnection, or what the answer means (see `errors.from_response`).
        """
        response = await self._persist(request)
        try:
            if response.status not in request.accept:
                raise await _error_of(response)
            yield response
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise _no_connection(request.method, str(response.url), error) from error
        finally:
            response.release()

    async def _persist(self, request: Request) -> aiohttp.ClientResponse:
        """Again after 429 and 5xx, as the server says or slower each time."""
        attempt = 1
        while True:
            response = await self._authorised(request)
            if response.status not in _REPEAT or response.status in request.accept:
                return response
            wait = _retry_after(response)
            delay = backoff(self.settings, attempt) if wait is None else wait
            if attempt >= self.settings.attempts or delay > self.settings.longest_delay:
                return response
            response.release()
            await asyncio.sleep(delay)
            attempt += 1

    async def _authorised(self, request: Request) -> aiohttp.ClientResponse:
        """The challenge of an earlier answer is met at once; a new one, once more."""
        response = await self._follow(request, await self._authorization(request))
        if response.status != 401 or not self._own(str(response.url)):
            return response
        offered = challenges.parse(response.headers.getall("WWW-Authenticate", ()))
        usable = [one for one in offered if one.scheme in ("bearer", "basic")]
        refused = response.request_info.headers.get("Authorization", "")
        if not usable or (refused and usable[0].scheme == "basic"):
            return response
        response.release()
        self._challenge = usable[0]
        return await self._follow(request, await self._authorization(request, refused))

    async def _authorization(self, request: Request, refused: str = "") -> dict[str, str]:
        if self._challenge is None:
            return {}
        if self._challenge.scheme == "basic":
            if not self.credentials.username:
                url = f"{self.endpoint.url}{request.url}"
                raise LoginRequired(f'{request.method} "{url}": no basic auth credentials')
            return {"Authorization": basic(self.credentials)}
        token = await self._tokens.get(
            self.endpoint,
            self._challenge,
            request.scopes,
            self.credentials,
            refused=refused.removeprefix("Bearer "),
        )
        return {"Authorization": f"Bearer {token}"}

    async def _follow(self, request: Request, auth: dict[str, str]) -> aiohttp.ClientResponse:
        """Go where redirects lead; what proves who we are stays with the registry's own host."""
        url = request.url if _absolute(request.url) else self.endpoint.url + request.url
        for _ in range(_MOST_REDIRECTS):
            headers = {**request.headers, **(auth if self._own(url) else {})}
            response = await self._send(request.method, url, headers, request.body)
            location = response.headers.get("Location", "")
            if response.status not in _REDIRECT or not location:
                return response
            response.release()
            url = urljoin(url, location)
            if urlsplit(url).scheme not in ("http", "https"):
                raise RegistryUnavailable(f"{self.endpoint.host} redirects to {url!r}: refused")
        raise RegistryUnavailable(f'{request.method} "{url}": stopped after 10 redirects')

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> aiohttp.ClientResponse:
        try:
            response = await self._session.request(
                method,
                url,
                headers=headers,
                data=body() if callable(body) else body,
                allow_redirects=False,
                proxy=proxy_for(url),
                ssl=self._context() if self._own(url) else True,
            )
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            if isinstance(error.__cause__, WherryError):
                raise error.__cause__ from error  # the body could not be read: not the network
            raise _no_connection(method, url, error) from error
        self.answered = self.answered or self._own(url)
        return response

    def _context(self) -> ssl.SSLContext | bool:
        if self._tls is None:
            self._tls = tls(self.endpoint, self.settings)
        return self._tls

    def _own(self, url: str) -> bool:
        """Whether the URL is on the registry's own origin (scheme, host and port)."""
        ours, theirs = urlsplit(self.endpoint.url), urlsplit(url)
        return (ours.scheme, ours.netloc.lower()) == (theirs.scheme, theirs.netloc.lower())


def backoff(settings: Settings, attempt: int) -> float:
    """Seconds before the next attempt: doubling, with some chance so that many do not march."""
    delay = settings.delay * 2.0 ** (attempt - 1)
    return min(delay, settings.longest_delay) * random.uniform(0.75, 1.0)


def _absolute(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds the server asks for (RFC 9110, 10.2.3): a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - clock.now() / clock.SECOND)
    except ValueError:
        return None


async def _error_of(response: aiohttp.ClientResponse) -> Exception:
    body = await response.content.read(_MOST_ERROR_BYTES)
    offered = challenges.parse(response.headers.getall("WWW-Authenticate", ()))
    scope_error = next((one.parameters.get("error", "") for one in offered), "")
    error = from_response(response.status, response.reason or "", body, scope_error)
    if isinstance(error, RateLimited):
        error.retry_after = _retry_after(response)
    return error


def _no_connection(method: str, url: str, error: BaseException) -> NoConnection:
    text = str(error) or type(error).__name__
    return NoConnection(f'{method} "{url}": {text}')
