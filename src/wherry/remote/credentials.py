"""Who we are to a registry: X-Registry-Auth, config.json, credential helpers."""

import asyncio
import base64
import binascii
import os
import re

import msgspec

from wherry.kit.errors import InvalidInput, Unavailable
from wherry.oci.reference import DEFAULT_DOMAIN

HUB_KEY = "https://index.docker.io/v1/"
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")
_HELPER_SECONDS = 30.0
_TOKEN_USER = "<token>"


class Credentials(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one registry may be shown. All empty means anonymous."""

    username: str = ""
    password: str = ""
    identity_token: str = msgspec.field(default="", name="identitytoken")
    """A refresh token for the registry's token service."""
    registry_token: str = msgspec.field(default="", name="registrytoken")
    """A bearer token to use as it is."""
    server: str = msgspec.field(default="", name="serveraddress")
    auth: str = ""

    def __repr__(self) -> str:
        """Secrets do not go into logs and tracebacks."""
        return f"Credentials(username={self.username!r})"

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.username or self.identity_token or self.registry_token)


ANONYMOUS = Credentials()


class _File(msgspec.Struct, rename="camel"):
    auths: dict[str, Credentials] = {}
    creds_store: str = ""
    cred_helpers: dict[str, str] = {}


def from_header(text: str) -> Credentials:
    """The value of `X-Registry-Auth` (base64url JSON); an empty one is anonymous.

    Raises InvalidInput.
    """
    if not text:
        return ANONYMOUS
    try:
        value = msgspec.json.decode(_unpack(text), type=Credentials | None)
        return _with_auth(value or ANONYMOUS)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidInput(f"invalid X-Registry-Auth header: {error}") from error


def all_from_header(text: str) -> dict[str, Credentials]:
    """The value of `X-Registry-Config`: credentials by registry. Raises InvalidInput."""
    if not text:
        return {}
    try:
        found = msgspec.json.decode(_unpack(text), type=dict[str, Credentials] | None) or {}
        return {registry_of(key): _with_auth(value) for key, value in found.items()}
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidInput(f"invalid X-Registry-Config header: {error}") from error


def _unpack(text: str) -> bytes:
    """URL-safe base64 as docker writes it, the plain alphabet and missing padding taken too."""
    standard = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True) or b"{}"


def key_of(domain: str) -> str:
    """How config.json names a registry."""
    return HUB_KEY if domain == DEFAULT_DOMAIN else domain


class ConfigFile:
    """docker's `config.json`, read anew for each question: `docker login` may change it."""

    def __init__(self, path: str) -> None:
        """A file that is not there holds nothing."""
        self._path = path

    async def find(self, domain: str) -> Credentials:
        """The credentials for a registry. Raises InvalidInput, Unavailable (helper failed)."""
        file = self._read()
        helper = file.cred_helpers.get(domain) or file.creds_store
        if helper:
            found = await ask_helper(helper, key_of(domain))
            if not found.empty:
                return found
        for key, value in file.auths.items():
            if registry_of(key) == domain:
                return _with_auth(value)
        return ANONYMOUS

    def _read(self) -> _File:
        try:
            with open(self._path, "rb") as file:
                return msgspec.json.decode(file.read(), type=_File)
        except FileNotFoundError:
            return _File()
        except msgspec.DecodeError as error:
            raise InvalidInput(f"{self._path}: {error}") from error


async def ask_helper(name: str, server: str) -> Credentials:
    """Run `docker-credential-NAME get` (docker-credential-helpers protocol).

    Anonymous where the helper knows nothing. Raises InvalidInput, Unavailable.
    """
    if not _HELPER_NAME.fullmatch(name):
        raise InvalidInput(f"invalid credential helper name {name!r}")
    program = f"docker-credential-{name}"
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "get",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise Unavailable(
            f"credential helper {program} not found in {os.get_exec_path()}"
        ) from None
    try:
        out, problem = await asyncio.wait_for(process.communicate(server.encode()), _HELPER_SECONDS)
    except BaseException as error:
        process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise Unavailable(f"{program} did not answer in {_HELPER_SECONDS:.0f} s") from error
        raise
    return _helper_answer(program, process.returncode or 0, out, problem)


class _Answer(msgspec.Struct, rename="pascal"):
    username: str = ""
    secret: str = ""


def _helper_answer(program: str, code: int, out: bytes, problem: bytes) -> Credentials:
    if code:
        text = (out + problem).decode(errors="replace").strip()
        if "credentials not found" in text:
            return ANONYMOUS
        raise Unavailable(f"{program} failed ({code}): {text[:200]}")
    try:
        answer = msgspec.json.decode(out, type=_Answer)
    except msgspec.DecodeError as error:
        raise Unavailable(f"{program} gave no JSON: {error}") from error
    if answer.username == _TOKEN_USER:
        return Credentials(identity_token=answer.secret)
    return Credentials(answer.username, answer.secret)


def _with_auth(value: Credentials) -> Credentials:
    """`auth` is base64 of `user:password`, and how config.json keeps both."""
    if not value.auth or value.username:
        return value
    user, colon, password = base64.b64decode(value.auth).decode().partition(":")
    if not colon:
        raise InvalidInput("invalid auth configuration: want base64 of user:password")
    return msgspec.structs.replace(value, username=user, password=password.rstrip("\0"), auth="")


def registry_of(key: str) -> str:
    """Keys may be URLs of old times: `https://index.docker.io/v1/`, `https://host/v1/`."""
    host = key.removeprefix("https://").removeprefix("http://").partition("/")[0]
    return (
        DEFAULT_DOMAIN if host in ("index.docker.io", "docker.io", "registry-1.docker.io") else host
    )
