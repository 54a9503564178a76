"""Log bytes → entries, quickly (msgspec). For readers; the monitor itself uses `logentries`."""

import calendar
from functools import lru_cache

import msgspec

from wherry.kit.clock import SECOND, parse_rfc3339
from wherry.monitor.logentries import STREAM_NUMBERS, Entry, decode_json, decode_local


class _Line(msgspec.Struct):
    time: str
    log: str = ""
    stream: str = "stdout"
    attrs: dict[str, str] | None = None


_lines = msgspec.json.Decoder(_Line)


def decode(driver: str, data: bytes) -> tuple[list[Entry], int]:
    """The entries that are complete in `data`, and how many bytes they took."""
    if driver == "local":
        return decode_local(data)
    end = data.rfind(b"\n") + 1
    if not end:
        return [], 0
    try:
        return [_entry(line) for line in _lines.decode_lines(memoryview(data)[:end])], end
    except (msgspec.MsgspecError, ValueError, KeyError):  # a torn line among them: take them singly
        return decode_json(data)


def _entry(line: _Line) -> Entry:
    attrs = tuple(line.attrs.items()) if line.attrs else ()
    return Entry(STREAM_NUMBERS[line.stream], _stamp(line.time), line.log.encode(), attrs)


def _stamp(text: str) -> int:
    """RFC3339Nano in UTC, as the driver writes it; others take the long way."""
    if len(text) < 21 or text[-1] != "Z" or text[19] != ".":
        return parse_rfc3339(text)
    return _second(text[:19]) + int(text[20:-1].ljust(9, "0")[:9])


@lru_cache(maxsize=64)
def _second(text: str) -> int:
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    clock = (int(text[11:13]), int(text[14:16]), int(text[17:19]))
    return calendar.timegm((year, month, day, *clock)) * SECOND
