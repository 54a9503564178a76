"""Our standard streams on one side, a container's on the other (attach, exec, run)."""

import os
import select
import socket
from typing import NamedTuple

from wherry.cli.session import write_all
from wherry.cli.terminal import DetachWatch
from wherry.client.connection import Hijacked
from wherry.client.frames import STDERR, Splitter
from wherry.kit.errors import Unavailable

BLOCK = 64 * 1024
_WOULD_BLOCK = ("SSLWantReadError", "SSLWantWriteError")


class Plan(NamedTuple):
    """What is joined to what."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False
    detach: bytes = b""
    """The detach sequence, looked for in what is typed at a terminal."""


class Relay:
    """Copies both ways in one thread; never blocks on one direction while the other waits.

    A container that does not read its input while its output is full would otherwise stop both.
    """

    def __init__(self, stream: Hijacked, plan: Plan) -> None:
        self._socket = stream.socket
        self._plan = plan
        self._splitter = None if plan.tty else Splitter()
        self._watch = DetachWatch(plan.detach) if plan.tty and plan.detach else None
        self._outgoing = b""
        self._typing = plan.stdin
        self._socket.setblocking(False)
        self._deliver(stream.leftover)

    def run(self) -> bool:
        """Copy until the container's side ends; True if the user detached.

        Raises Unavailable where the connection breaks.
        """
        if not self._typing:
            self._half_close()
        poll = select.poll()
        while True:
            self._register(poll)
            for descriptor, event in poll.poll():
                if descriptor == self._socket.fileno():
                    if event & select.POLLOUT:
                        self._flush()
                    if event & ~select.POLLOUT and not self._receive():
                        return False
                elif self._read_input():
                    return True
            if not (self._typing or self._outgoing or self._wants_output()):
                return False

    def _wants_output(self) -> bool:
        return self._plan.stdout or self._plan.stderr

    def _register(self, poll: "select.poll") -> None:
        writing = select.POLLOUT if self._outgoing else 0
        poll.register(self._socket, select.POLLIN | writing)
        if self._typing and not self._outgoing:
            poll.register(0, select.POLLIN)
        elif self._plan.stdin:
            _forget(poll, 0)

    def _read_input(self) -> bool:
        """Take what is typed; True at the detach sequence."""
        try:
            data = os.read(0, BLOCK)
        except OSError:  # the terminal is gone, or standard input was never open
            data = b""
        detached = False
        if not data:
            self._typing = False
        elif self._watch is not None:
            data, detached = self._watch.feed(data)
        self._outgoing += data
        self._flush()
        return detached

    def _flush(self) -> None:
        try:
            while self._outgoing:
                self._outgoing = self._outgoing[self._socket.send(self._outgoing) :]
        except (BrokenPipeError, ConnectionResetError):
            self._outgoing, self._typing = b"", False  # its output is still to be read
        except OSError as error:
            if not _would_block(error):
                raise
        if not self._outgoing and not self._typing:
            self._half_close()

    def _half_close(self) -> None:
        """Tell the container that its input has ended; its output still comes."""
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
        except OSError:  # the other side has closed already
            return

    def _receive(self) -> bool:
        """Take what the container wrote; False at its end."""
        while True:
            try:
                data = self._socket.recv(BLOCK)
            except ConnectionResetError as error:
                raise Unavailable("the engine closed the connection") from error
            except OSError as error:
                if _would_block(error):
                    return True
                raise
            if not data:
                return False
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        if self._splitter is None:
            if self._wants_output():
                write_all(1, data)
            return
        for number, piece in self._splitter.runs(data):
            if number == STDERR and self._plan.stderr:
                write_all(2, piece)
            elif number != STDERR and self._plan.stdout:
                write_all(1, piece)


def _would_block(error: OSError) -> bool:
    return isinstance(error, BlockingIOError) or type(error).__name__ in _WOULD_BLOCK


def _forget(poll: "select.poll", descriptor: int) -> None:
    try:
        poll.unregister(descriptor)
    except KeyError:
        return
