"""Log entries → the bytes of `GET /containers/ID/logs`: frames, time stamps, details."""

import struct
import time
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote_plus

from wherry.monitor.logentries import Entry
from wherry.monitor.loglines import SECOND

_FRAME = struct.Struct(">BxxxI")


class Form(NamedTuple):
    """`mux` is off for terminals; `details` are the attributes of the log driver's options."""

    mux: bool = True
    timestamps: bool = False
    details: bool = False


def render(entries: Sequence[Entry], form: Form) -> bytes:
    """The bytes of a batch."""
    if form.timestamps or form.details:
        entries = [entry._replace(text=_head(entry, form) + entry.text) for entry in entries]
    if not form.mux:
        return b"".join([entry.text for entry in entries])
    pack = _FRAME.pack
    parts: list[bytes] = []
    for stream, _, text, _ in entries:
        parts += (pack(stream, len(text)), text)
    return b"".join(parts)


def _head(entry: Entry, form: Form) -> bytes:
    """Time first, then the details, as dockerd puts them."""
    head = ""
    if form.timestamps:
        whole, fraction = divmod(entry.stamp, SECOND)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        head = f"{text}.{fraction:09d}Z "
    if form.details:
        pairs = sorted(entry.attrs)
        joined = ",".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs)
        return joined.encode() + b" " if not head else (head + joined + " ").encode()
    return head.encode()
