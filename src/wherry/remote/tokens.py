"""Bearer tokens (distribution's token authentication) and who may see a password."""

import asyncio
import base64
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec

from wherry.kit.errors import NotPermitted
from wherry.remote.challenge import Challenge
from wherry.remote.credentials import Credentials
from wherry.remote.endpoints import Endpoint, is_insecure, proxy_for, tls
from wherry.remote.errors import LoginRequired, RegistryUnavailable, from_response
from wherry.remote.settings import Settings

_SHORTEST = 60
"""Seconds a token lives at least, as Docker takes it where nothing or nonsense is said."""
_MARGIN = 10.0
_MOST_BYTES = 1 << 20


class _Answer(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    refresh_token: str = ""
    expires_in: int = 0


class _Key(NamedTuple):
    realm: str
    service: str
    scopes: tuple[str, ...]
    credentials: Credentials


class Tokens:
    """Fetches tokens and keeps them while they live, one set for all of an engine's transfers."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        """Nothing is fetched before it is needed."""
        self._session, self._settings = session, settings
        self._kept: dict[_Key, tuple[str, float]] = {}
        self._locks: dict[_Key, asyncio.Lock] = {}

    async def get(
        self,
        endpoint: Endpoint,
        challenge: Challenge,
        scopes: tuple[str, ...],
        credentials: Credentials,
        *,
        refused: str = "",
    ) -> str:
        """A token for the scopes, other than the one that was just refused.

        Raises LoginRequired, AccessDenied, RegistryUnavailable, NotPermitted (the realm must not
        see the password).
        """
        if credentials.registry_token:
            return credentials.registry_token
        parameters = challenge.parameters
        key = _Key(parameters.get("realm", ""), parameters.get("service", ""), scopes, credentials)
        async with self._locks.setdefault(key, asyncio.Lock()):
            token, ends = self._kept.get(key, ("", 0.0))
            if token and token != refused and time.monotonic() < ends:
                return token
            answer = await self._fetch(endpoint, key)
            return self._keep(key, answer)

    def _keep(self, key: _Key, answer: _Answer) -> str:
        """Ended ones go, lest a daemon gathers one for each repository it ever saw."""
        now = time.monotonic()
        for old in [one for one, (_, ends) in self._kept.items() if ends <= now and one != key]:
            del self._kept[old]
            if not self._locks[old].locked():
                del self._locks[old]
        token = answer.access_token or answer.token
        self._kept[key] = (token, now + max(answer.expires_in, _SHORTEST) - _MARGIN)
        return token

    async def _fetch(self, endpoint: Endpoint, key: _Key) -> _Answer:
        _check_realm(endpoint, key)
        method, form, auth = self._question(key)
        try:
            async with self._session.request(
                method,
                key.realm,
                params=form if method == "GET" else None,
                data=form if method == "POST" else None,
                headers=auth,
                proxy=proxy_for(key.realm),
                allow_redirects=False,
                ssl=tls(endpoint, self._settings),
            ) as response:
                body = await response.content.read(_MOST_BYTES)
                if response.status != 200:
                    raise from_response(response.status, response.reason or "", body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RegistryUnavailable(f'{method} "{key.realm}": {error}') from error
        return _read(key, body)

    def _question(self, key: _Key) -> tuple[str, list[tuple[str, str]], dict[str, str]]:
        """GET with basic credentials, or POST (OAuth 2) where we hold a refresh token."""
        who = key.credentials
        if who.identity_token:
            form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", who.identity_token),
                ("service", key.service),
                ("client_id", self._settings.agent),
                ("scope", " ".join(key.scopes)),
            ]
            return "POST", form, {}
        form = [("service", key.service)] if key.service else []
        form += [("scope", scope) for scope in key.scopes]
        if not who.username:
            return "GET", form, {}
        return "GET", [*form, ("account", who.username)], {"Authorization": basic(who)}


def basic(credentials: Credentials) -> str:
    """The header's value for user and password."""
    pair = f"{credentials.username}:{credentials.password}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _check_realm(endpoint: Endpoint, key: _Key) -> None:
    """The registry names who gets the password: not in the clear where it itself came by TLS."""
    parts = urlsplit(key.realm)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise RegistryUnavailable(
            f"{endpoint.host}: no usable realm for token authentication: {key.realm!r}"
        )
    plain = parts.scheme == "http" and not is_insecure(parts.netloc, Settings())
    if plain and endpoint.url.startswith("https:") and not key.credentials.empty:
        raise NotPermitted(
            f"{endpoint.host} wants the password sent unencrypted to {key.realm!r}: refused"
        )


def _read(key: _Key, body: bytes) -> _Answer:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RegistryUnavailable(
            f"{key.realm}: unable to decode token response: {error}"
        ) from error
    if not (answer.access_token or answer.token):
        raise LoginRequired("authorization server did not include a token in the response")
    return answer
