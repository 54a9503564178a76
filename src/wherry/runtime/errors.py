"""Errors of the runtime, and how they cross the socket from a container's child to its parent."""

import errno

from wherry.kit import errors as kit
from wherry.kit.errors import Internal, InvalidInput, NotPermitted, WherryError


class CommandNotFound(InvalidInput):
    """The program to run does not exist in the container (a shell would say 127)."""


class CommandNotExecutable(InvalidInput):
    """The program to run exists, but cannot be executed (a shell would say 126)."""


class BadWorkingDirectory(InvalidInput):
    """The working directory cannot be entered, or is not inside the container."""


class ContainerSetup(Internal):
    """The kernel refused a step of making the container."""


class SetupNotPermitted(NotPermitted):
    """A step of making the container needs a right that we do not have."""


class UnsafeContainer(NotPermitted):
    """Something in the container is not what it claims to be: an attempt to break out."""


class HookFailed(WherryError):
    """A hook did not end with 0."""


_OWN = (
    CommandNotFound,
    CommandNotExecutable,
    BadWorkingDirectory,
    ContainerSetup,
    SetupNotPermitted,
    UnsafeContainer,
    HookFailed,
)
_BY_NAME: dict[str, type[WherryError]] = {kind.__name__: kind for kind in _OWN} | {
    name: kind
    for name, kind in vars(kit).items()
    if isinstance(kind, type) and issubclass(kind, WherryError)
}


def from_os_error(step: str, error: OSError) -> WherryError:
    """An OSError at a named step as one of ours."""
    text = error.strerror or str(error)
    where = f" {error.filename}" if error.filename else ""
    kind = SetupNotPermitted if error.errno in (errno.EPERM, errno.EACCES) else ContainerSetup
    return kind(f"{step}:{where} {text}".replace(": :", ":"))


def to_message(error: BaseException, step: str) -> dict[str, str]:
    """An error as it crosses the socket."""
    if isinstance(error, OSError):
        error = from_os_error(step, error)
    if isinstance(error, WherryError):
        return {"kind": type(error).__name__, "text": str(error)}
    return {"kind": "Internal", "text": f"{step}: {type(error).__name__}: {error}"}


def from_message(message: dict[str, str]) -> WherryError:
    """The inverse of to_message."""
    return _BY_NAME.get(message["kind"], Internal)(message["text"])
