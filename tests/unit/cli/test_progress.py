"""Progress messages, on a terminal and elsewhere."""

import os
import select

import pytest

from wherry.cli import progress
from wherry.cli.command import Failed
from wherry.client.document import Document, Json

PULL: list[dict[str, Json]] = [
    {"status": "Pulling from library/x", "id": "1"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "aa"},
    {"status": "Downloading", "progressDetail": {"current": 5000, "total": 10000}, "id": "aa"},
    {"status": "Pull complete", "progressDetail": {}, "id": "aa"},
    {"status": "Digest: sha256:0"},
    {"stream": "Loaded image: x:1\n"},
]


def on_terminal(messages: list[dict[str, Json]], columns: int) -> str:
    import fcntl
    import struct
    import termios

    outer, inner = os.openpty()
    size = struct.pack("HHHH", 24, columns, 0, 0)
    fcntl.ioctl(outer, termios.TIOCSWINSZ, size)
    with os.fdopen(inner, "w") as stream, os.fdopen(outer, "rb", buffering=0) as screen:
        progress.display([Document(item) for item in messages], stream)
        shown = b""
        while select.select([screen], [], [], 0.2)[0]:
            shown += screen.read(65536)
        return shown.decode()


def test_plain_lines_leave_the_bars_out() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        progress.display([Document(item) for item in PULL], stream)
    with os.fdopen(reading) as file:
        assert file.read().splitlines() == [
            "1: Pulling from library/x",
            "aa: Pulling fs layer",
            "aa: Pull complete",
            "Digest: sha256:0",
            "Loaded image: x:1",
        ]


def test_bars_are_drawn_in_place() -> None:
    shown = on_terminal(PULL, 120)
    assert "aa: Downloading [=========================>" in shown
    assert "5kB/10kB" in shown
    assert "\x1b[1A" in shown
    assert shown.index("Downloading") < shown.index("Pull complete")


def test_a_narrow_terminal_shows_numbers_only() -> None:
    shown = on_terminal(PULL, 60)
    assert "5kB/10kB" in shown
    assert "[=" not in shown


def test_an_error_among_the_messages() -> None:
    message = Document({"errorDetail": {"message": "no space left"}, "error": "short"})
    with pytest.raises(Failed, match="no space left"):
        progress.drain([message])
