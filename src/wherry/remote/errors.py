"""What registries answer when they do not give what was asked, in Docker's words."""

import msgspec

from wherry.kit.errors import (
    Corrupt,
    InvalidInput,
    NotFound,
    NotPermitted,
    Unauthenticated,
    Unavailable,
    Unsupported,
    WherryError,
)
from wherry.oci.reference import Reference


class AccessDenied(NotPermitted):
    """The registry knows who asks and says no."""


class PullDenied(NotFound):
    """Docker's answer where a repository is private or does not exist; nobody can tell which."""


class LoginRequired(Unauthenticated):
    """Credentials are missing or wrong."""


class ManifestUnknown(NotFound):
    """No such tag or digest in the repository."""


class RepositoryUnknown(NotFound):
    """No such repository."""


class BlobUnknown(NotFound):
    """The registry lacks a blob."""


class RateLimited(Unavailable):
    """Too many requests; `retry_after` says in seconds when to come again, if the registry did."""

    retry_after: float | None = None


class RegistryUnavailable(Unavailable):
    """No connection, or the registry is in trouble itself."""


class VerificationFailed(Corrupt):
    """What came is not what its digest promised."""


class _Entry(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    errors: list[_Entry] = []
    details: str = ""


_CLASSES: dict[str, type[WherryError]] = {
    "BLOB_UNKNOWN": BlobUnknown,
    "BLOB_UPLOAD_UNKNOWN": RegistryUnavailable,
    "DENIED": AccessDenied,
    "MANIFEST_UNKNOWN": ManifestUnknown,
    "NAME_UNKNOWN": RepositoryUnknown,
    "NOT_FOUND": ManifestUnknown,
    "TOOMANYREQUESTS": RateLimited,
    "UNAUTHORIZED": LoginRequired,
    "UNSUPPORTED": Unsupported,
}
_OF_STATUS = {401: "UNAUTHORIZED", 403: "DENIED", 405: "UNSUPPORTED", 429: "TOOMANYREQUESTS"}
_MESSAGES = {
    "UNAUTHORIZED": "authentication required",
    "DENIED": "requested access to the resource is denied",
    "UNSUPPORTED": "The operation is unsupported.",
    "TOOMANYREQUESTS": "too many requests",
}


def from_response(status: int, reason: str, body: bytes, scope_error: str = "") -> WherryError:
    """The error of a response (distribution-spec, Error Codes).

    `scope_error` is what a bearer challenge says (RFC 6750, 3.1): `insufficient_scope` means that
    a good token does not reach so far, whatever the body says.
    """
    if scope_error == "insufficient_scope":
        return AccessDenied(f"denied: {_MESSAGES['DENIED']}")
    entry = _first(status, body)
    if entry.code:
        message = entry.message or _MESSAGES.get(entry.code, entry.code)
        kind = _CLASSES.get(entry.code, RegistryUnavailable if status >= 500 else InvalidInput)
        return kind(f"{entry.code.lower().replace('_', ' ')}: {message}")
    if status >= 500:
        return RegistryUnavailable(f"received unexpected HTTP status: {status} {reason}")
    return (NotFound if status == 404 else InvalidInput)(
        f"error parsing HTTP {status} response body: {body[:200].decode(errors='replace')!r}"
    )


def _first(status: int, body: bytes) -> _Entry:
    """The first error of the body; without one, what the status stands for."""
    try:
        read = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        read = _Body()
    code = _OF_STATUS.get(status, "")
    if read.errors and read.errors[0].code:
        return read.errors[0]
    return _Entry(code, read.details)


def for_pull(error: WherryError, reference: Reference) -> WherryError:
    """The error with the words dockerd puts before it when a pull fails."""
    match error:
        case AccessDenied():
            return PullDenied(
                f"pull access denied for {reference.familiar_repository}, repository does not "
                f"exist or may require 'docker login': {error}"
            )
        case ManifestUnknown():
            return ManifestUnknown(f"manifest for {reference.familiar} not found: {error}")
        case RepositoryUnknown():
            return RepositoryUnknown(
                f"repository {reference.familiar_repository} not found: {error}"
            )
    return error
