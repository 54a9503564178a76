"""Program: unpacks layers in a process of its own (umask 0, an interpreter's lock of its own).

`python -I -m wherry.layer.worker` reads requests from the socket that is its standard input, one
JSON object a line, and answers each with one line on its standard output: `{"applied": {...}}` or
`{"error": {"class": …, "text": …}}`. It ends at the end of its input. A request without `blob`
brings two descriptors: a file that still grows, and the pipe that tells how far (`growing`).
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from wherry.kit.errors import Internal, WherryError
from wherry.layer.apply import Applied, apply
from wherry.layer.errors import of_member
from wherry.layer.growing import Growing
from wherry.oci.compression import Readable

_READ = 1 << 16


def answer(line: bytes, descriptors: Sequence[int] = ()) -> dict[str, Any]:
    """Do one request; never raises."""
    try:
        return {"applied": _apply(json.loads(line), descriptors)._asdict()}
    except OSError as error:
        known = of_member(error, str(error.filename or "the layer"))
        return _told(known or Internal(f"the layer cannot be unpacked: {error}"))
    except WherryError as error:
        return _told(error)
    except Exception as error:  # noqa: BLE001 - told to the engine, which raises it
        return _told(Internal(f"unpacking a layer failed: {type(error).__name__}: {error}"))


def _told(error: WherryError) -> dict[str, Any]:
    return {"error": {"class": type(error).__name__, "text": str(error)}}


def _apply(request: dict[str, Any], descriptors: Sequence[int]) -> Applied:
    if not request["blob"]:
        with contextlib.closing(Growing(*descriptors)) as growing:
            return _unpack(growing, request, known=True)
    with open(request["blob"], "rb", buffering=0) as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return _unpack(stream, request, known=False)


def _unpack(stream: Readable, request: dict[str, Any], *, known: bool) -> Applied:
    return apply(
        stream,
        request["target"],
        whiteouts=request["whiteouts"],
        owners=request["owners"],
        lowers=tuple(request["lowers"]),
        known=known,
    )


def requests(source: socket.socket) -> Iterator[tuple[bytes, list[int]]]:
    """Lines with the descriptors that came along; the next is not sent before the answer."""
    data, descriptors = b"", list[int]()
    while True:
        more, received, _, _ = socket.recv_fds(source, _READ, 2)
        if not more:
            return
        data += more
        descriptors += received
        if data.endswith(b"\n"):
            yield data, descriptors
            data, descriptors = b"", []


def main() -> None:
    """Serve until the end of the input."""
    os.umask(0)
    with socket.socket(fileno=0) as source:
        for line, descriptors in requests(source):
            sys.stdout.write(json.dumps(answer(line, descriptors)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
