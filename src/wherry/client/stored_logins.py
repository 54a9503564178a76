"""Credentials in Docker's config.json, or with the credential helper that it names."""

import base64
import json
import os

from wherry.client.config import read_config
from wherry.client.document import Document, Json
from wherry.kit.errors import NotFound, Unavailable
from wherry.kit.files import write_atomic


def keep(path: str, server: str, username: str, password: str, token: str = "") -> None:
    """Store a login. Raises InvalidInput (broken file), NotFound, Unavailable (helper)."""
    document = read_config(path).document
    helper = _helper(document, server)
    if helper:
        name, secret = ("<token>", token) if token else (username, password)
        value = {"ServerURL": server, "Username": name, "Secret": secret}
        _run(helper, "store", json.dumps(value).encode())
        return
    packed = base64.b64encode(f"{username}:{password if not token else ''}".encode()).decode()
    entry: dict[str, Json] = {"auth": packed}
    if token:
        entry["identitytoken"] = token
    _write(path, document, {**document.child("auths").raw, server: entry})


def forget(path: str, server: str) -> bool:
    """Remove a login; whether there was one."""
    document = read_config(path).document
    helper = _helper(document, server)
    if helper:
        _run(helper, "erase", server.encode())
        return True
    auths = dict(document.child("auths").raw)
    known = auths.pop(server, None) is not None
    if known:
        _write(path, document, auths)
    return known


def _helper(document: Document, server: str) -> str:
    return document.mapping("credHelpers").get(server) or document.text("credsStore")


def _write(path: str, document: Document, auths: dict[str, Json]) -> None:
    """The rest of the file stays as it is; nobody else may read it."""
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    value = {**document.raw, "auths": auths}
    write_atomic(
        os.path.realpath(path), json.dumps(value, indent="\t").encode() + b"\n", mode=0o600
    )


def _run(helper: str, action: str, data: bytes) -> None:
    import subprocess

    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, action], input=data, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise NotFound(f"credential helper {program} of config.json is not installed") from error
    if done.returncode:
        reason = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise Unavailable(f"{program} {action} failed: {reason[:200]}")
