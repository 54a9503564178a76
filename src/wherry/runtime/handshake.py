"""The conversation between the caller and the processes that become the container.

```
caller (monitor, program)         stage                           init (PID 1)
  make the cgroup
  fork ────────────────────────►  in the caller's namespaces:
                                  join the cgroup
                                  bind sources → descriptors
                                  join namespaces by path
                                  unshare user
  ◄─────────────────────── map ─
  write uid_map, gid_map
  ─ mapped ────────────────────►
                                  unshare the rest, fork ──────►  hostname, mounts, devices
  ◄──────────────── born {pid} ─
                                  exit
  compile the filters
  ◄───────────────────────────────────────────────────── mounted ─
  hooks prestart, createRuntime
  ─ proceed {state}, filters ──────────────────────────────────►
                                                                  hooks createContainer
                                                                  pivot, masks, command found
  ◄────────────────────────────────────────────────────── ready ─
  write state.json                                                accept on start.sock
```

Where nothing is mapped and no pid namespace is joined, and the caller is itself a child that
leaves (`CreateRequest.for_parent`), stage and init are one process: it is cloned into the pid
namespace as a child of the caller's parent, and there is no `born`. But on cgroup v2 it is forked
before the cgroup is made, and waits for `placed` before it joins.

An exec is the same without the middle: `born`, `executing`, then end of file when execve has
closed the socket, or `error`. At any point a child may send `error` and exit; a child that
vanishes is seen as end of file. Each message is one packet of JSON; the filters (their BPF
programs) follow as `filters.send_filters` writes them.
"""

import json
import socket
from collections.abc import Mapping

from wherry.kit.errors import Internal
from wherry.linux import fdpass
from wherry.runtime import errors

_MOST_EARLY = 2


class Channel:
    """One end of the socket pair."""

    __slots__ = ("_early", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._early: list[dict[str, object]] = []

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
        """The next message of these kinds. Raises what the other side sent as an error.

        Two processes write to one end, so init's first word may come before the stage's last:
        a message of another kind waits for its turn. Raises PeerGone at the end of file.
        """
        for message in self._early:
            if message["kind"] in kinds:
                self._early.remove(message)
                return message
        while True:
            message = self._receive()
            if message["kind"] in kinds:
                return message
            self._early.append(message)
            if len(self._early) > _MOST_EARLY:
                raise Internal(f"handshake: {message['kind']!r} where {kinds} was expected")

    def _receive(self) -> dict[str, object]:
        data, _ = fdpass.receive(self.sock)
        if not data:
            raise PeerGone("the other side of the handshake is gone")
        message: dict[str, object] = json.loads(data)
        if message["kind"] == "error":
            detail = message["error"]
            assert isinstance(detail, dict)
            raise errors.from_message(detail)
        return message

    def expect_end(self) -> None:
        """Wait until the other side has closed. Raises what it sent as an error."""
        try:
            self.expect()
        except PeerGone:
            return

    def close(self) -> None:
        """Close this end."""
        self.sock.close()


class PeerGone(Internal):
    """The other side has ended without a word."""


def pair() -> tuple[Channel, Channel]:
    """The caller's end and the child's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(ours), Channel(theirs)
