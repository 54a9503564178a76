"""The conversation between the caller and the processes that become the container.

```
caller (monitor, program)         stage                           init (PID 1)
  fork ────────────────────────►  in the caller's namespaces:
                                  bind sources → descriptors
                                  join namespaces by path
                                  unshare user
  ◄─────────────────────── map ─
  write uid_map, gid_map
  ─ mapped ────────────────────►
                                  unshare the rest, fork ──────►  hostname, mounts
  ◄──────────────── born {pid} ─
                                  exit
  init joins the cgroup
  ◄───────────────────────────────────────────────────── placed? ─ (before a cgroup mount)
  ─ placed ────────────────────────────────────────────────────►
  ◄──────────────────────────────────────────────────── mounted ─ (cgroup namespace made)
  hooks prestart, createRuntime
  ─ proceed {seccomp, state} ──────────────────────────────────►
                                                                  hooks createContainer
                                                                  pivot, masks, command found
  ◄────────────────────────────────────────────────────── ready ─
  write state.json                                                accept on start.sock
```

An exec is the same without the middle: `born`, `proceed`, then end of file when execve has
closed the socket, or `error`. At any point a child may send `error` and exit; a child that
vanishes is seen as end of file. Each message is one packet: JSON, for `proceed` followed by one
packet of BPF program (a single NUL where there is no filter).
"""

import json
import socket
from collections.abc import Mapping

from wherry.kit.errors import Internal
from wherry.linux import fdpass
from wherry.runtime import errors

_NO_FILTER = b"\0"


class Channel:
    """One end of the socket pair."""

    __slots__ = ("sock",)

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, kind: str, **fields: object) -> None:
        """One message. Raises OSError (EPIPE where the other side is gone)."""
        fdpass.send(self.sock, json.dumps({"kind": kind, **fields}).encode())

    def fail(self, error: BaseException, step: str) -> None:
        """Tell the parent why we give up; a parent that is gone cannot be told."""
        try:
            self.send("error", error=errors.to_message(error, step))
        except OSError:
            return

    def expect(self, *kinds: str) -> Mapping[str, object]:
        """The next message. Raises what the other side sent as an error, or Internal."""
        data, _ = fdpass.receive(self.sock)
        if not data:
            raise PeerGone("the other side of the handshake is gone")
        message: dict[str, object] = json.loads(data)
        if message["kind"] == "error":
            detail = message["error"]
            assert isinstance(detail, dict)
            raise errors.from_message(detail)
        if message["kind"] not in kinds:
            raise Internal(f"handshake: {message['kind']!r} where {kinds} was expected")
        return message

    def expect_end(self) -> None:
        """Wait until the other side has closed. Raises what it sent as an error."""
        try:
            self.expect()
        except PeerGone:
            return

    def send_filter(self, program: bytes | None) -> None:
        """The seccomp program, or word that there is none."""
        fdpass.send(self.sock, program or _NO_FILTER)

    def receive_filter(self) -> bytes | None:
        """The inverse of send_filter."""
        data, _ = fdpass.receive(self.sock)
        return None if data == _NO_FILTER else data

    def close(self) -> None:
        """Close this end."""
        self.sock.close()


class PeerGone(Internal):
    """The other side has ended without a word."""


def pair() -> tuple[Channel, Channel]:
    """The caller's end and the child's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), Channel(theirs)
