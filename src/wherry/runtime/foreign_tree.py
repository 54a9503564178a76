"""A mount of another container, as a detached copy.

open_tree(OPEN_TREE_CLONE) copies only mounts of the caller's own mount namespace, so a child goes
into the other one, copies there, and hands the descriptor back.
"""

import os
import re
import socket

from wherry.kit.errors import NotFound, WherryError
from wherry.linux import fdpass, mount, namespace
from wherry.linux.path import O_PATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2

_INSIDE = re.compile(r"/proc/(\d+)/root(/.+)")


def is_foreign(path: str) -> bool:
    """Whether the path is `/proc/PID/root/…`: a place in the mount namespace of a process."""
    return _INSIDE.fullmatch(path) is not None


def clone(path: str, *, recursive: bool) -> int:
    """The detached copy. Only for single-threaded callers. Raises OSError, NotFound.

    No symbolic link is followed: the other container may have put one there, and with the host's
    processes in its /proc that could lead to the host.
    """
    match = _INSIDE.fullmatch(path)
    if match is None:
        raise NotFound(f"{path}: no place in another mount namespace")
    namespace_fd = namespace.open_of(int(match[1]), "mnt")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        pid = namespace.fork()
        if pid == 0:
            _child(theirs, namespace_fd, match[2], recursive)
        os.close(namespace_fd)
        theirs.close()
        data, descriptors = fdpass.receive(ours)
        os.waitpid(pid, 0)
    if not descriptors:
        raise WherryError(f"mounting {path}: {data.decode(errors='replace') or 'no answer'}")
    return descriptors[0]


def _child(sock: socket.socket, namespace_fd: int, path: str, recursive: bool) -> None:
    try:
        namespace.setns(namespace_fd, namespace.CLONE_NEWNS)
        resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
        place = openat2(mount.AT_FDCWD, path, O_PATH, resolve=resolve)
        flags = mount.OPEN_TREE_CLONE | mount.AT_EMPTY_PATH
        tree = mount.open_tree(place, "", flags | (mount.AT_RECURSIVE if recursive else 0))
        fdpass.send(sock, b"tree", [tree])
    except OSError as error:
        fdpass.send(sock, str(error).encode())
    finally:
        os._exit(0)
