"""User namespaces in which our one id has another name, made once for each name."""

import os

from wherry.linux import namespace
from wherry.linux.namespace import CLONE_NEWUSER, IdMap
from wherry.linux.process import read_small
from wherry.monitor.id_calls import Ids

_MOST = 64
"""Held at a time; beyond that the oldest is let go, and made again when it is asked for."""

_Key = tuple[int, Ids]


def ids_of(thread: int) -> Ids | None:
    """Who a thread is; None where its namespace has more than one id."""
    maps = [namespace.read_map(thread, kind) for kind in ("uid", "gid")]
    if any(len(lines) != 1 or lines[0].size != 1 for lines in maps):
        return None
    return Ids(maps[0][0].inside, maps[1][0].inside)


def capabilities_of(thread: int) -> int:
    """The effective set (CapEff of /proc/PID/status) as a mask."""
    status = read_small(f"/proc/{thread}/status")
    return int(status.split("CapEff:", 1)[1].split(None, 1)[0], 16)


class Spaces:
    """Holds them open; a namespace lives as long as somebody holds or uses it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[_Key, int] = {}

    def descriptor(self, thread: int, now: Ids, wanted: Ids) -> int:
        """The namespace below a thread's in which it is called `wanted`. Raises OSError."""
        key = (namespace.inode_of(thread, "user"), wanted)
        if key not in self._known:
            if len(self._known) == _MOST:
                os.close(self._known.pop(next(iter(self._known))))
            self._known[key] = _make(thread, now, wanted)
        return self._known[key]


def _make(thread: int, now: Ids, wanted: Ids) -> int:
    """A child goes there and waits until we have opened its namespace."""
    parent = namespace.open_of(thread, "user")
    ready, tell = os.pipe2(os.O_CLOEXEC)
    go, release = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(release)
        _be_there(parent, tell, go, now, wanted)
    for descriptor in (parent, tell, go):
        os.close(descriptor)
    try:
        if os.read(ready, 1) != b"+":
            raise OSError(f"cannot make a user namespace for user {wanted.uid}:{wanted.gid}")
        return namespace.open_of(pid, "user")
    finally:
        os.close(ready)
        os.close(release)
        os.waitpid(pid, 0)


def _be_there(parent: int, tell: int, go: int, now: Ids, wanted: Ids) -> None:
    """A map of the own id alone may be written by the process itself (user_namespaces(7))."""
    try:
        if os.stat(parent).st_ino != namespace.inode_of("self", "user"):
            namespace.setns(parent, CLONE_NEWUSER)
        namespace.unshare(CLONE_NEWUSER)
        namespace.deny_setgroups("self")
        namespace.write_map("self", "uid", [IdMap(wanted.uid, now.uid, 1)])
        namespace.write_map("self", "gid", [IdMap(wanted.gid, now.gid, 1)])
        os.write(tell, b"+")
        os.read(go, 1)
    finally:
        os._exit(1)
