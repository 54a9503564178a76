"""The terminal at our side: its size, raw mode, and the keys that detach."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from wherry.kit.errors import InvalidInput

DEFAULT_DETACH = "ctrl-p,ctrl-q"
_CONTROL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def size_of(descriptor: int) -> tuple[int, int]:
    """Lines and columns; zeros where the descriptor is no terminal."""
    try:
        found = os.get_terminal_size(descriptor)
    except OSError:
        return 0, 0
    return found.lines, found.columns


@contextlib.contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Raw mode while the block runs, whatever ends it; nothing where it is no terminal.

    SIGTERM and SIGHUP that nobody handles become SystemExit, so that they restore it too.
    """
    if not os.isatty(descriptor):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        with _exits_on(signal.SIGTERM), _exits_on(signal.SIGHUP):
            tty.setraw(descriptor, termios.TCSANOW)
            yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _exits_on(number: signal.Signals) -> Iterator[None]:
    if signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return

    def leave(received: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + received)

    signal.signal(number, leave)
    try:
        yield
    finally:
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def on_resize(react: Callable[[], object]) -> Iterator[None]:
    """Call `react` at every change of the window's size while the block runs."""

    def changed(received: int, frame: FrameType | None) -> None:
        del received, frame
        react()

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def detach_sequence(text: str) -> bytes:
    """`ctrl-p,ctrl-q` → the bytes the terminal sends. Raises InvalidInput."""
    return bytes(_key(part) for part in (text or DEFAULT_DETACH).split(","))


def _key(text: str) -> int:
    if len(text) == 1 and text.isascii():
        return ord(text)
    letter = text.removeprefix("ctrl-")
    if letter != text and len(letter) == 1:
        if "a" <= letter <= "z":
            return ord(letter) - ord("a") + 1
        if letter in _CONTROL:
            return _CONTROL[letter]
    raise InvalidInput(f"invalid detach keys: unknown character: '{text}'")


class DetachWatch:
    """Finds the detach sequence in what is typed, and holds back its beginning."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on, and whether the sequence is complete."""
        passed = bytearray()
        for byte in data:
            if byte != self._keys[self._matched]:
                passed += self._keys[: self._matched]
                self._matched = 0
            if byte == self._keys[self._matched]:
                self._matched += 1
            else:
                passed.append(byte)
            if self._matched == len(self._keys):
                self._matched = 0
                return bytes(passed), True
        return bytes(passed), False
