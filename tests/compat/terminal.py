"""A program at a terminal of its own, as a person would use it."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from types import TracebackType

PATIENCE = 20.0


class Terminal:
    """Runs a program with a pseudo-terminal as its three standard streams."""

    def __init__(
        self, words: list[str], environment: dict[str, str], lines: int = 24, columns: int = 80
    ) -> None:
        self.outer, self.inner = os.openpty()
        self.resize(lines, columns, tell=False)
        self.before = termios.tcgetattr(self.inner)
        self.seen = ""
        self.process = subprocess.Popen(
            words,
            stdin=self.inner,
            stdout=self.inner,
            stderr=self.inner,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.outer)
        os.close(self.inner)

    def resize(self, lines: int, columns: int, *, tell: bool = True) -> None:
        """Change the window's size; the kernel tells the foreground program."""
        fcntl.ioctl(self.outer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.outer, text.encode())

    def expect(self, text: str) -> None:
        """Wait until the text is on the screen, and forget what is before its end."""
        until = time.monotonic() + PATIENCE
        while text not in self.seen:
            left = until - time.monotonic()
            assert left > 0, f"{text!r} did not come; seen: {self.seen!r}"
            if select.select([self.outer], [], [], min(left, 0.1))[0]:
                self.seen += os.read(self.outer, 65536).decode("utf-8", "replace")
            elif self.process.poll() is not None:
                assert text in self.seen, f"{text!r} never came; seen: {self.seen!r}"
        self.seen = self.seen.partition(text)[2]

    def end(self) -> int:
        """Wait for the program's end; its exit code. What it wrote last is in `seen`."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it does not end; seen: {self.seen!r}"
            self._drain()
        self._drain()
        return self.process.returncode

    def _drain(self) -> None:
        while select.select([self.outer], [], [], 0.05)[0]:
            self.seen += os.read(self.outer, 65536).decode("utf-8", "replace")

    def is_restored(self) -> bool:
        """Whether the terminal's modes are those from before."""
        return termios.tcgetattr(self.inner) == self.before


def use_a_shell(program: Sequence[str], env: dict[str, str]) -> None:
    """A shell of `run -it` answers, ends with its code, and leaves the terminal as it was."""
    words = [*program, "run", "--rm", "-it", "--network", "none", "busybox", "sh"]
    with Terminal(words, env) as terminal:
        terminal.expect("/ # ")
        terminal.type("echo $((40+2))\r")
        terminal.expect("42\r\n")
        terminal.type("exit 5\r")
        assert terminal.end() == 5
        assert terminal.is_restored()
