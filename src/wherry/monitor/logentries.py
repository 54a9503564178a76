"""Log bytes → entries, with the standard library; `logdecode` is the quick one for readers."""

import json
from typing import NamedTuple

from wherry.kit.clock import parse_rfc3339
from wherry.kit.errors import InvalidInput
from wherry.monitor import locallines

STREAM_NUMBERS = {"stdout": 1, "stderr": 2, "stdin": 1}


class Entry(NamedTuple):
    """One logged line (with its newline) or a part of one. `stamp` in nanoseconds."""

    stream: int
    stamp: int
    text: bytes
    attrs: tuple[tuple[str, str], ...] = ()


def decode(driver: str, data: bytes) -> tuple[list[Entry], int]:
    """The entries that are complete in `data`, and how many bytes they took."""
    return decode_local(data) if driver == "local" else decode_json(data)


def decode_json(data: bytes) -> tuple[list[Entry], int]:
    """Lines that do not parse (a torn write of another program) are left out, as dockerd does."""
    end = data.rfind(b"\n") + 1
    entries = []
    for line in data[:end].splitlines():
        entry = _json_entry(line)
        if entry is not None:
            entries.append(entry)
    return entries, end


def _json_entry(line: bytes) -> Entry | None:
    try:
        fields = json.loads(line)
        stamp = parse_rfc3339(fields["time"])
    except (ValueError, KeyError, TypeError, InvalidInput):
        return None
    text = fields.get("log", "").encode("utf-8", "surrogatepass")
    attrs = tuple(fields.get("attrs", {}).items())
    return Entry(STREAM_NUMBERS.get(fields.get("stream", "stdout"), 1), stamp, text, attrs)


def decode_local(data: bytes) -> tuple[list[Entry], int]:
    """See `locallines` for the format."""
    entries = []
    at, head = 0, locallines.HEAD
    while at + head.size <= len(data):
        length, stamp, flags = head.unpack_from(data, at)
        end = at + length + 8
        if end > len(data):
            break
        text = data[at + head.size : end - 4]
        partial = flags & locallines.PARTIAL
        entries.append(Entry(flags & 0x7F, stamp, text if partial else text + b"\n"))
        at = end
    return entries, at
