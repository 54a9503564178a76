"""The lines of dockerd's json-file log, byte for byte, a block of lines at a time.

`{"log":"text\\n","stream":"stdout","attrs":{…},"time":"2026-01-02T03:04:05.123456789Z"}`

Escapes are those of Go's encoder in that driver: `\\u003c` for `<`, `\\u0009` for a tab, `\\u2028`,
and `\\ufffd` for each byte that is not UTF-8. Bytes are looked at by C code only (`translate`,
`replace`, `split`): a 20 MB log costs 0.1 s of encoding.
"""

import json
import re
import time

from wherry.monitor.loglines import SECOND, Clock, Piece

STREAMS = {1: "stdout", 2: "stderr"}
"""File descriptor of the process → the name in the log."""

_SPECIAL = bytes([*range(0x0A), *range(0x0B, 0x20), *b'"\\<>&'])
_PLAIN = bytes(byte for byte in range(0x80) if byte not in _SPECIAL)
_ESCAPES = {byte: b"\\u%04x" % byte for byte in _SPECIAL} | {
    ord('"'): b'\\"',
    ord("\\"): b"\\\\",
    ord("\r"): b"\\r",
}
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_SEPARATORS = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def escape(text: bytes) -> bytes:
    """The inside of a JSON string; newlines stay as they are (they part the lines of a block)."""
    odd = text.translate(None, _PLAIN)
    if not odd:
        return text
    kinds = set(odd)
    if 0x5C in kinds:  # the backslash first: the other escapes are made of it
        text = text.replace(b"\\", b"\\\\")
    for byte in kinds:
        if byte < 0x80 and byte != 0x5C:
            text = text.replace(bytes((byte,)), _ESCAPES[byte])
    if max(kinds) < 0x80:
        return text
    return _escape_unicode(text)


def _escape_unicode(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        marked = text.decode(errors="surrogateescape")
        text = _NOT_UTF8.sub(r"\\ufffd", marked).encode()
    for separator, escaped in _SEPARATORS:
        text = text.replace(separator, escaped)
    return text


def go_string(text: str) -> str:
    """A JSON string as Go's encoding/json writes it (for attributes)."""
    inner = escape(text.encode(errors="surrogateescape")).replace(b"\n", b"\\n")
    return f'"{inner.decode()}"'


def attributes(attrs: tuple[tuple[str, str], ...]) -> str:
    """The `attrs` member with its comma, keys sorted as Go sorts a map; nothing for none."""
    if not attrs:
        return ""
    pairs = ",".join(f"{go_string(key)}:{go_string(value)}" for key, value in sorted(attrs))
    return f'"attrs":{{{pairs}}},'


class JsonLines:
    """Encodes pieces into lines of the log file."""

    __slots__ = ("_attrs", "_clock", "_second", "_text")

    def __init__(self, clock: Clock, attrs: tuple[tuple[str, str], ...] = ()) -> None:
        self._clock = clock
        self._attrs = attributes(attrs)
        self._second = -1
        self._text = ""

    def encode(self, stream: int, piece: Piece) -> list[bytes]:
        """One entry for each line of the piece."""
        lines = escape(piece.text).split(b"\n")
        end = "\\n" if piece.whole else ""
        if piece.stamp is not None:
            return [self._format(stream, end, piece.stamp) % (lines[0], piece.stamp % SECOND)]
        stamps = self._clock.stamps(len(lines))
        if stamps[0] // SECOND != stamps[-1] // SECOND:
            each = zip(lines, stamps, strict=True)
            return [self._format(stream, end, ns) % (line, ns % SECOND) for line, ns in each]
        form = self._format(stream, end, stamps[0])
        base = stamps[0] - stamps[0] % SECOND
        return [form % (line, ns - base) for line, ns in zip(lines, stamps, strict=True)]

    def _format(self, stream: int, end: str, ns: int) -> bytes:
        middle = f'{end}","stream":"{STREAMS[stream]}",{self._attrs}"time":"'
        middle = (middle + self._seconds(ns // SECOND)).replace("%", "%%")
        return f'{{"log":"%b{middle}.%09dZ"}}\n'.encode()

    def _seconds(self, second: int) -> str:
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._text


def gzip_extra(ns: int) -> bytes:
    """What dockerd puts into the header of a compressed segment: the time of its last line."""
    whole, fraction = divmod(ns, SECOND)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return json.dumps({"lastTime": f"{text}.{fraction:09d}Z"}, separators=(",", ":")).encode()
