"""JSON answers as typed values that tolerate what other engines add or leave out.

The client also talks to Docker and Podman of any version, so an answer is read field by field:
a missing field or a null reads as the empty value, an unknown one is kept.
"""

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from wherry.kit.errors import Corrupt

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Document:
    """A JSON object with typed look-ups; a path of several names goes down into it."""

    __slots__ = ("raw",)

    def __init__(self, raw: Mapping[str, Json]) -> None:
        self.raw = raw

    def value(self, *path: str) -> Json:
        """What is at the path; None where anything on the way is missing."""
        found: Json = dict(self.raw) if not path else None
        here: Json | Mapping[str, Json] = self.raw
        for name in path:
            if not isinstance(here, Mapping):
                return None
            here = found = here.get(name)
        return found

    def text(self, *path: str) -> str:
        """The string at the path, or an empty one."""
        found = self.value(*path)
        return found if isinstance(found, str) else ""

    def number(self, *path: str) -> int:
        """The number at the path as an integer, or 0."""
        found = self.value(*path)
        return int(found) if isinstance(found, int | float) else 0

    def real(self, *path: str) -> float:
        """The number at the path, or 0."""
        found = self.value(*path)
        return float(found) if isinstance(found, int | float) else 0.0

    def flag(self, *path: str) -> bool:
        """Whether the value at the path is true."""
        return self.value(*path) is True

    def texts(self, *path: str) -> list[str]:
        """The strings of the list at the path."""
        found = self.value(*path)
        return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []

    def child(self, *path: str) -> "Document":
        """The object at the path, or an empty one."""
        found = self.value(*path)
        return Document(found if isinstance(found, dict) else {})

    def children(self, *path: str) -> "list[Document]":
        """The objects of the list at the path."""
        found = self.value(*path)
        items = found if isinstance(found, list) else []
        return [Document(item) for item in items if isinstance(item, dict)]

    def mapping(self, *path: str) -> dict[str, str]:
        """The string values of the object at the path."""
        found = self.value(*path)
        items = found.items() if isinstance(found, dict) else ()
        return {name: item for name, item in items if isinstance(item, str)}


def decode(data: bytes | str) -> Json:
    """JSON text → value. Raises Corrupt."""
    try:
        value: Json = json.loads(data)
    except ValueError as error:
        raise Corrupt(f"the engine's answer is not JSON: {error}") from error
    return value


def document(data: bytes | str) -> Document:
    """JSON text of an object → Document. Raises Corrupt."""
    value = decode(data)
    if not isinstance(value, dict):
        raise Corrupt("the engine's answer is not a JSON object")
    return Document(value)


def encode(value: Json) -> bytes:
    """Value → compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def values(chunks: Iterator[bytes]) -> Iterator[Document]:
    """The objects of a stream of JSON texts, however the bytes are cut. Raises Corrupt."""
    decoder = json.JSONDecoder()
    held = ""
    pending = b""
    for chunk in chunks:
        whole, pending = _whole_characters(pending + chunk)
        held = (held + whole).lstrip()
        while held:
            try:
                value, end = decoder.raw_decode(held)
            except ValueError:
                break
            held = held[end:].lstrip()
            if isinstance(value, dict):
                yield Document(value)
    if held.strip():
        raise Corrupt(f"the engine's answer ends in broken JSON: {held[:80]!r}")


def _whole_characters(data: bytes) -> tuple[str, bytes]:
    for cut in range(min(3, len(data)) + 1):
        try:
            return data[: len(data) - cut].decode(), data[len(data) - cut :]
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace"), b""
