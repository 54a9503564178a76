"""Lines sent on to a syslog server or to journald, beside the copy that `docker logs` reads.

Nothing here waits: what the other side does not take in time is dropped, counted and told, so that
no server can hold up a container. Formats: RFC 3164, RFC 5424, the local syslog of Unix, and
journald's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

PATIENCE = 5.0
"""Seconds to connect at the start of a container."""
LAST = 1.0
"""Seconds for the last lines, when the container has ended."""
ROOM = 1 << 20
"""Bytes that a stream may be behind."""
RETRY = 10.0
"""Seconds between attempts to reach a server that went away; losses nearer than that are one."""
_SEVERITY = {1: 6, 2: 3}
"""stdout is informational, stderr an error."""

Format = Callable[[int, int, bytes], bytes]
"""(stream, time in ns, line) → what is sent."""


def syslog(options: Mapping[str, str], hostname: str, pid: int) -> Format:
    """Options: facility (number), tag, format (``, rfc3164, rfc5424, rfc5424micro)."""
    facility, tag, kind = int(options["facility"]) * 8, options["tag"], options["format"]

    def write(stream: int, stamp: int, line: bytes) -> bytes:
        priority = facility + _SEVERITY[stream]
        seconds = stamp // 1_000_000_000
        if kind.startswith("rfc5424"):
            when = _rfc3339(stamp, micro=kind.endswith("micro"))
            head = f"<{priority}>1 {when} {hostname} {tag} {pid} {tag} - "
        else:
            moment = time.localtime(seconds)
            when = time.strftime("%b ", moment) + f"{moment.tm_mday:2d}"
            when += time.strftime(" %H:%M:%S", moment)
            host = f"{hostname} " if kind == "rfc3164" else ""
            head = f"<{priority}>{when} {host}{tag}[{pid}]: "
        return head.encode() + line + b"\n"

    return write


def _rfc3339(stamp: int, *, micro: bool) -> str:
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    moment = time.localtime(seconds)
    zone = time.strftime("%z", moment)
    zone = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    fraction = f".{nanoseconds // 1000:06d}" if micro else ""
    return time.strftime("%Y-%m-%dT%H:%M:%S", moment) + fraction + zone


def journald(options: Mapping[str, str]) -> Format:
    """Every option with an upper-case name is a field."""
    fields = {name: value for name, value in options.items() if name.isupper()}

    def write(stream: int, stamp: int, line: bytes) -> bytes:
        priority = str(_SEVERITY[stream])
        own = {"PRIORITY": priority, "SYSLOG_TIMESTAMP": _rfc3339(stamp, micro=True)}
        parts = [_field(name, value.encode()) for name, value in (fields | own).items()]
        return b"".join([*parts, _field("MESSAGE", line)])

    return write


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


class Remote:
    """Sends lines to one address: `udp://H:P`, `tcp://H:P`, `unix://PATH`, `unixgram://PATH`."""

    __slots__ = ("_address", "_format", "_lost_at", "_on_lost", "_place", "_queue", "_sock",
                 "_tried", "dropped")  # fmt: skip

    def __init__(self, options: Mapping[str, str], on_lost: Callable[[str], None]) -> None:
        """`on_lost` hears why, each time that losing begins. Raises InvalidInput: nobody there."""
        if options["kind"] == "journald":
            self._format = journald(options)
        else:
            self._format = syslog(options, os.uname().nodename, os.getpid())
        self._address = options["address"]
        self._queue = bytearray()
        self._tried = 0.0
        self._on_lost = on_lost
        self._lost_at = -RETRY
        self.dropped = 0
        try:
            self._place = _resolve(self._address)
            self._sock: socket.socket | None = _connect(self._place)
        except OSError as error:
            text = os.strerror(error.errno or 0).lower() if error.errno else str(error)
            scheme, _, place = self._address.partition("://")
            raise InvalidInput(
                f"failed to initialize logging driver: dial {scheme} {place}: connect: {text}"
            ) from error

    def send(self, stream: int, stamp: int, line: bytes) -> None:
        """One line, now or never."""
        message = self._format(stream, stamp, line)
        if self._sock is None and not self._reconnected():
            self._drop(1, "is gone")
        elif self._sock is not None and self._sock.type == socket.SOCK_DGRAM:
            self._datagram(self._sock, message)
        elif len(self._queue) + len(message) > ROOM:
            self._drop(1, "does not take lines in time")
            self._flush()
        else:
            self._queue += message
            self._flush()

    def close(self) -> None:
        """Send what goes without waiting long, and hang up."""
        if self._sock is not None and self._queue:
            self._flush(until=time.monotonic() + LAST)
        if self._sock is not None:
            self._lost("did not take the last lines in time")

    def _drop(self, lines: int, why: str) -> None:
        """Count lines that do not go; tell it where they are the first for some time."""
        if not lines:
            return
        self.dropped += lines
        last, self._lost_at = self._lost_at, time.monotonic()
        if self._lost_at - last >= RETRY:
            self._on_lost(f"{self._address} {why}")

    def _reconnected(self) -> bool:
        now = time.monotonic()
        if now - self._tried < RETRY:
            return False
        self._tried = now
        try:
            self._sock = _connect(self._place, patience=0.2)
        except OSError:
            return False
        return True

    def _datagram(self, sock: socket.socket, message: bytes) -> None:
        try:
            sock.send(message)
        except ConnectionRefusedError:  # told of an earlier one, or the server is being restarted
            self._drop(1, "is gone")
            if sock.family == socket.AF_UNIX:
                self._lost("is gone")
        except OSError as error:
            self._drop(1, f"takes no line: {os.strerror(error.errno or 0).lower()}")

    def _flush(self, until: float = 0.0) -> None:
        """Send what goes now, or until that moment of the monotonic clock."""
        try:
            while self._queue and self._sock is not None:
                self._sock.settimeout(max(0.0, until - time.monotonic()))
                del self._queue[: self._sock.send(self._queue)]
        except (BlockingIOError, TimeoutError):
            return
        except OSError:
            self._lost("is gone")

    def _lost(self, why: str) -> None:
        """Hang up; what is queued (each line ends with a newline) goes nowhere."""
        if self._sock is not None:
            self._sock.close()
        self._sock, self._tried = None, time.monotonic()
        self._drop(self._queue.count(b"\n"), why)
        self._queue.clear()


class _Place(NamedTuple):
    """What to connect to: a sockaddr, and the kinds of socket to try in order."""

    family: int
    kinds: tuple[int, ...]
    target: tuple[object, ...] | str


def _resolve(address: str) -> _Place:
    """Ask for the name once: a dead name server must not hold up a container later.

    A stream for `unix` where the server has one, else datagrams, as /dev/log mostly is. Raises
    OSError.
    """
    scheme, _, place = address.partition("://")
    if scheme == "unix":
        return _Place(socket.AF_UNIX, (socket.SOCK_STREAM, socket.SOCK_DGRAM), place)
    if scheme == "unixgram":
        return _Place(socket.AF_UNIX, (socket.SOCK_DGRAM,), place)
    host, _, port = place.rpartition(":")
    kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
    family, kind, _, _, target = socket.getaddrinfo(host.strip("[]"), port, type=kind)[0]
    return _Place(family, (kind,), target)


def _connect(place: _Place, patience: float = PATIENCE) -> socket.socket:
    """A connected socket that never blocks. Raises OSError."""
    for kind in place.kinds:
        sock = socket.socket(place.family, kind)
        try:
            sock.settimeout(patience)
            sock.connect(place.target)
            sock.setblocking(False)
        except OSError:
            sock.close()
            if kind == place.kinds[-1]:
                raise
        else:
            return sock
    raise AssertionError("a place has at least one kind")
