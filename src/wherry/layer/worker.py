"""Program: unpacks layers in a process of its own (umask 0, an interpreter's lock of its own).

`python -I -m wherry.layer.worker` reads requests from its standard input, one JSON object a line,
and answers each with one line: `{"applied": {...}}` or `{"error": {"class": …, "text": …}}`.
It ends at the end of its input.
"""

import json
import os
import sys
from typing import Any

from wherry.kit.errors import Internal, WherryError
from wherry.layer.apply import Applied, apply
from wherry.layer.errors import of_member


def answer(line: str) -> dict[str, Any]:
    """Do one request; never raises."""
    try:
        return {"applied": _apply(json.loads(line))._asdict()}
    except OSError as error:
        known = of_member(error, str(error.filename or "the layer"))
        return _told(known or Internal(f"the layer cannot be unpacked: {error}"))
    except WherryError as error:
        return _told(error)
    except Exception as error:  # noqa: BLE001 - told to the engine, which raises it
        return _told(Internal(f"unpacking a layer failed: {type(error).__name__}: {error}"))


def _told(error: WherryError) -> dict[str, Any]:
    return {"error": {"class": type(error).__name__, "text": str(error)}}


def _apply(request: dict[str, Any]) -> Applied:
    with open(request["blob"], "rb", buffering=0) as stream:
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return apply(
            stream,
            request["target"],
            whiteouts=request["whiteouts"],
            owners=request["owners"],
            lowers=tuple(request["lowers"]),
        )


def main() -> None:
    """Serve until the end of the input."""
    os.umask(0)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
