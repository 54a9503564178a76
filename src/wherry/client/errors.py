"""Failed answers as wherry's error classes."""

from wherry.client.document import Json, decode
from wherry.kit import errors
from wherry.kit.errors import Corrupt, WherryError

PREFIX = "Error response from daemon: "
"""How every error that an engine answered begins, as in Docker's own clients."""

_CLASSES: dict[int, type[WherryError]] = {
    400: errors.InvalidInput,
    401: errors.Unauthenticated,
    403: errors.NotPermitted,
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.PreconditionFailed,
    500: errors.Internal,
    501: errors.Unsupported,
    503: errors.Unavailable,
}


def class_of(status: int) -> type[WherryError]:
    """The error class of an HTTP status, by its hundred where it is not known."""
    if status in _CLASSES:
        return _CLASSES[status]
    return errors.InvalidInput if status < 500 else errors.Internal


def from_answer(status: int, reason: str, body: bytes) -> WherryError:
    """The error that an answer with a status of 400 or more stands for."""
    text = _message(body) or reason or f"status {status}"
    return class_of(status)(PREFIX + text)


def _message(body: bytes) -> str:
    try:
        value: Json = decode(body)
    except Corrupt:
        return body.decode("utf-8", "replace").strip()
    message = value.get("message") if isinstance(value, dict) else value
    return message.strip() if isinstance(message, str) else ""
