"""Errors across the monitor's socket: the class's name and the text go, the class comes back."""

from typing import Any

from wherry.kit import errors
from wherry.kit.errors import InvalidInput, Unavailable, WherryError


class MonitorGone(Unavailable):
    """The monitor ended or was lost before it answered."""


class ProcessFailed(InvalidInput):
    """The program of a container or an exec could not be started.

    `code` is what a shell would say: 127 not found, 126 not executable, 128 otherwise.
    """

    def __init__(self, text: str, code: int = 128) -> None:
        super().__init__(text)
        self.code = code


_BY_NAME: dict[str, type[WherryError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, WherryError)
}
_NOT_FOUND = ("executable file not found", "no such file or directory", "cannot find the file")
_NOT_EXECUTABLE = (
    "permission denied",
    "not a directory",
    "is a directory",
    "exec format error",
    "operation not permitted",
)


def to_fields(error: WherryError | OSError) -> dict[str, Any]:
    """The JSON form of an error."""
    if isinstance(error, OSError):
        return {"class": "Internal", "text": str(error), "errno": error.errno}
    fields: dict[str, Any] = {"class": _wire_name(error), "text": str(error)}
    if isinstance(error, ProcessFailed):
        fields["code"] = error.code
    return fields


def from_fields(fields: dict[str, Any]) -> WherryError:
    """The error again; an unknown class becomes Internal."""
    text = str(fields.get("text", "the monitor gave no reason"))
    if fields.get("class") == "ProcessFailed":
        return ProcessFailed(text, int(fields.get("code", 128)))
    return _BY_NAME.get(str(fields.get("class")), errors.Internal)(text)


def _wire_name(error: WherryError) -> str:
    if isinstance(error, ProcessFailed):
        return "ProcessFailed"
    for cls in type(error).__mro__:
        if cls.__name__ in _BY_NAME:
            return cls.__name__
    return "Internal"


def classify(text: str) -> int:
    """The exit code that stands for a program that could not be started.

    The words are those of runc, crun and strerror(3); dockerd sorts them the same way.
    """
    lowered = text.lower()
    if any(word in lowered for word in _NOT_FOUND):
        return 127
    if any(word in lowered for word in _NOT_EXECUTABLE):
        return 126
    return 128
