"""The key sequence by which a terminal's user leaves a container without ending it."""

from wherry.kit.errors import InvalidInput

DEFAULT = b"\x10\x11"
"""ctrl-p, ctrl-q."""

_CONTROL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


def parse(text: str) -> bytes:
    """`ctrl-p,ctrl-q`, `a`, `DEL` → bytes; no text gives the default. Raises InvalidInput."""
    if not text:
        return DEFAULT
    return bytes(_key(part) for part in text.split(","))


def _key(part: str) -> int:
    if len(part) == 1 and part.isascii():
        return ord(part)
    if part == "DEL":
        return 127
    if len(part) == 6 and part.startswith("ctrl-") and part[5] in _CONTROL:
        return _CONTROL.index(part[5])
    raise InvalidInput(f"unknown detach key {part!r} (examples: ctrl-p, ctrl-], a, DEL)")


class Detector:
    """Looks for the sequence in a stream; holds back what may be its beginning."""

    __slots__ = ("_held", "_keys")

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Bytes that may pass, and whether the sequence is complete.

        What follows the sequence is dropped. A broken beginning passes as it was typed.
        """
        whole = self._held + data
        self._held = b""
        at = whole.find(self._keys)
        if at >= 0:
            return whole[:at], True
        for size in range(min(len(self._keys) - 1, len(whole)), 0, -1):
            if whole.endswith(self._keys[:size]):
                self._held = self._keys[:size]
                return whole[:-size], False
        return whole, False
