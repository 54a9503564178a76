"""Progress of pull and load: bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

from wherry.cli.command import Failed
from wherry.cli.session import is_terminal
from wherry.cli.terminal import size_of
from wherry.client.document import Document, Json
from wherry.kit.units import human_size

BAR = 50
"""Characters of a full bar."""


def display(messages: Iterable[Document], stream: TextIO | None = None) -> None:
    """Show a stream of status messages. Raises Failed for an error among them."""
    target = sys.stdout if stream is None else stream
    screen = _Screen(target) if is_terminal(target.fileno()) else None
    for message in messages:
        _check(message)
        if screen is not None:
            screen.show(message)
        elif not _bar(message, 80):
            target.write(_line(message) + "\n")
        target.flush()


def _check(message: Document) -> None:
    text = message.text("errorDetail", "message") or message.text("error")
    if text:
        raise Failed(text)


def _line(message: Document) -> str:
    if message.raw.get("stream"):
        return message.text("stream").removesuffix("\n")
    name = message.text("id")
    return (f"{name}: " if name else "") + message.text("status")


class _Screen:
    """One line for each id, redrawn in place."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._places: dict[str, int] = {}
        self._count = 0
        self._drawn: dict[str, float] = {}

    def show(self, message: Document) -> None:
        name = message.text("id")
        if not name or not message.text("status"):
            self._places.clear()
            self._count = 0
            self._target.write(_line(message) + "\n")
            return
        columns = size_of(self._target.fileno())[1] or 80
        bar = _bar(message, columns)
        if bar and time.monotonic() - self._drawn.get(name, 0.0) < 0.05:
            return
        self._drawn[name] = time.monotonic() if bar else 0.0
        self._draw(name, f"{_line(message)} {bar}".rstrip()[:columns])

    def _draw(self, name: str, text: str) -> None:
        if name not in self._places:
            self._places[name] = self._count
            self._count += 1
            self._target.write(text + "\x1b[K\n")
            return
        up = self._count - self._places[name]
        self._target.write(f"\x1b[{up}A\x1b[2K\r{text}\x1b[{up}B\r")


class Meter:
    """The progress of one stream on standard error, where that is a terminal."""

    def __init__(self, name: str, total: int, *, quiet: bool) -> None:
        self._name = name
        self._total = total
        self._passed = 0
        on = not quiet and is_terminal(2)
        self._screen = _Screen(sys.stderr) if on else None

    def watched(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces, counted as they pass."""
        for piece in pieces:
            self._passed += len(piece)
            self._show("Copying")
            yield piece

    def done(self) -> None:
        """The last line."""
        self._total = self._passed
        self._show("Copied")

    def _show(self, status: str) -> None:
        if self._screen is None:
            return
        detail: dict[str, Json] = {"current": self._passed, "total": self._total}
        told: dict[str, Json] = {"id": self._name, "status": status, "progressDetail": detail}
        self._screen.show(Document(told))
        sys.stderr.flush()


def _bar(message: Document, columns: int) -> str:
    """`[==>   ]  1.2MB/30MB`, or an empty string where there is no number to show."""
    current = message.number("progressDetail", "current")
    total = message.number("progressDetail", "total")
    if current <= 0 and total <= 0:
        return ""
    numbers = human_size(current) + (f"/{human_size(total)}" if total else "")
    if not total or current > total or columns < 110:
        return numbers.rjust(8)
    filled = BAR * current // total
    head = ">" if filled < BAR else ""
    return f"[{'=' * filled}{head}".ljust(BAR + 1) + f"]  {numbers}"


def drain(messages: Iterable[Document]) -> None:
    """Wait for the end of a stream of status messages. Raises Failed for an error among them."""
    for message in messages:
        _check(message)
