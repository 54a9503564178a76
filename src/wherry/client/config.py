"""Docker's client configuration: config.json, stored credentials and contexts."""

import base64
import json
import os
from typing import NamedTuple

from wherry.client.document import Document, Json, encode
from wherry.client.endpoint import Tls
from wherry.kit.errors import InvalidInput, NotFound

HUB_KEY = "https://index.docker.io/v1/"
"""The key under which config.json keeps Docker Hub's credentials."""


class Config(NamedTuple):
    """The part of config.json that wherry uses."""

    document: Document = Document({})

    @property
    def current_context(self) -> str:
        """The context chosen by `docker context use`."""
        return self.document.text("currentContext")

    @property
    def detach_keys(self) -> str:
        """The key sequence that detaches, or an empty string for the default."""
        return self.document.text("detachKeys")


class Context(NamedTuple):
    """A Docker context's engine."""

    host: str
    tls: Tls | None


def read_config(path: str) -> Config:
    """Read config.json; a missing file, or one of another user, is an empty configuration.

    Raises InvalidInput.
    """
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (FileNotFoundError, PermissionError):
        return Config()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"loading config file {path}: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"loading config file {path}: not a JSON object")
    return Config(Document(value))


def proxies(config: Config, host: str) -> dict[str, str]:
    """The proxy variables that new containers of this engine get, in both spellings."""
    every = config.document.child("proxies")
    chosen = every.child(host) if host in every.raw else every.child("default")
    found = {}
    for field in ("httpProxy", "httpsProxy", "noProxy", "ftpProxy", "allProxy"):
        name = field.removesuffix("Proxy") + "_proxy"
        for spelled in (name.upper(), name):
            if chosen.text(field):
                found[spelled] = chosen.text(field)
    return found


def read_context(folder: str, name: str) -> Context | None:
    """A context from Docker's store; None where there is none of that name."""
    import hashlib

    key = hashlib.sha256(name.encode()).hexdigest()
    meta = f"{folder}/contexts/meta/{key}/meta.json"
    if not os.path.exists(meta):
        return None
    docker = read_config(meta).document.child("Endpoints", "docker")
    files = f"{folder}/contexts/tls/{key}/docker"
    tls = _tls_in(files, not docker.flag("SkipTLSVerify")) if os.path.isdir(files) else None
    return Context(docker.text("Host"), tls)


def _tls_in(folder: str, verify: bool) -> Tls:
    def file(name: str) -> str:
        path = f"{folder}/{name}.pem"
        return path if os.path.exists(path) else ""

    return Tls(file("ca"), file("cert"), file("key"), verify)


def registry_auth(config: Config, domain: str) -> str:
    """The X-Registry-Auth header for a registry, by helper or from the file.

    Without credentials it is an empty object, as Docker sends. Raises InvalidInput, NotFound.
    """
    key = HUB_KEY if domain == "docker.io" else domain
    return base64.urlsafe_b64encode(encode(_credentials(config, key))).decode()


def _credentials(config: Config, key: str) -> dict[str, Json]:
    helpers = config.document.mapping("credHelpers")
    helper = helpers.get(key) or config.document.text("credsStore")
    if helper:
        return _ask_helper(helper, key)
    entry = config.document.child("auths", key)
    found: dict[str, Json] = {}
    user, password = _decoded(entry.text("auth"))
    for name, value in (("username", user), ("password", password)):
        if value or entry.text(name):
            found[name] = value or entry.text(name)
    if entry.text("identitytoken"):
        found["identitytoken"] = entry.text("identitytoken")
    if found:
        found["serveraddress"] = key
    return found


def _decoded(auth: str) -> tuple[str, str]:
    if not auth:
        return "", ""
    try:
        user, _, password = base64.b64decode(auth).decode().partition(":")
    except ValueError as error:
        raise InvalidInput("broken auth entry in config.json: not base64") from error
    return user, password.strip("\0")


def _ask_helper(helper: str, key: str) -> dict[str, Json]:
    import subprocess

    program = f"docker-credential-{helper}"
    try:
        answer = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise NotFound(f"credential helper {program} of config.json is not installed") from error
    if answer.returncode != 0:
        return {}
    found = json.loads(answer.stdout)
    name, secret = str(found.get("Username", "")), str(found.get("Secret", ""))
    if name == "<token>":
        return {"identitytoken": secret, "serveraddress": key}
    return {"username": name, "password": secret, "serveraddress": key}
