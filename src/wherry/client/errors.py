"""Failed answers as wherry's error classes."""

from wherry.client.document import Json, decode
from wherry.dockerapi.status import error_of
from wherry.kit.errors import Corrupt, WherryError

PREFIX = "Error response from daemon: "
"""How every error that an engine answered begins, as in Docker's own clients."""


def from_answer(status: int, reason: str, body: bytes) -> WherryError:
    """The error that an answer with a status of 400 or more stands for."""
    return error_of(status, PREFIX + (_message(body) or reason or f"status {status}"))


def _message(body: bytes) -> str:
    try:
        value: Json = decode(body)
    except Corrupt:
        return body.decode("utf-8", "replace").strip()
    message = value.get("message") if isinstance(value, dict) else value
    return message.strip() if isinstance(message, str) else ""
