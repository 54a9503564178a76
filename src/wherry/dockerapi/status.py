"""The one table between error classes and HTTP statuses, for server and client."""

from wherry.kit import errors
from wherry.kit.errors import WherryError

_TABLE: tuple[tuple[type[WherryError], int], ...] = (
    (errors.InvalidInput, 400),
    (errors.Unauthenticated, 401),
    (errors.NotPermitted, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.PreconditionFailed, 412),
    (errors.Internal, 500),
    (errors.Corrupt, 500),
    (errors.Unsupported, 501),
    (errors.Unavailable, 503),
)
_BY_STATUS = {status: kind for kind, status in reversed(_TABLE)}


def status_of(error: BaseException) -> int:
    """The HTTP status for an error; 500 for one that is not ours."""
    for kind, status in _TABLE:
        if isinstance(error, kind):
            return status
    return 500


def error_of(status: int, message: str) -> WherryError:
    """The error a client raises for a status of 400 or more."""
    kind = _BY_STATUS.get(status)
    if kind is None:
        kind = errors.InvalidInput if 400 <= status < 500 else errors.Internal
    return kind(message)
