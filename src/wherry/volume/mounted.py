"""Volumes that stand for a mount: mounted at their directory while somebody uses them.

Who uses what is in memory only, for it follows from which containers run. What a killed engine
left mounted is found by `settle`, which takes away what nobody holds.
"""

import os
import socket
import stat
import threading

from wherry.kit.errors import InvalidInput, NotPermitted, Unavailable, WherryError
from wherry.linux import mountinfo
from wherry.linux.mount import MNT_DETACH, UMOUNT_NOFOLLOW, Mount, attach, umount2


class MountedVolumes:
    """The mounts of one engine. All methods may be called from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, set[str]] = {}

    def hold(self, path: str, what: Mount, user: str) -> None:
        """Have it mounted at the path until `user` lets go.

        Raises InvalidInput (no such device, bad options), NotPermitted, Unavailable (address).
        """
        with self._lock:
            if not self._users.get(path) and not is_mounted(path):
                _mount(path, what)
            self._users.setdefault(path, set()).add(user)

    def hold_bound(self, opened: int, target: str, user: str) -> None:
        """Have a file or directory that is open bound at a new path, until `user` lets go."""
        with self._lock:
            if not self._users.get(target) and not is_mounted(target):
                _bind(opened, target)
            self._users.setdefault(target, set()).add(user)

    def adopt(self, path: str, user: str) -> None:
        """`user` has it since before this engine was opened."""
        with self._lock:
            self._users.setdefault(path, set()).add(user)

    def release(self, user: str) -> None:
        """Unmount what this user alone had."""
        with self._lock:
            for path, users in list(self._users.items()):
                users.discard(user)
                if not users:
                    del self._users[path]
                    unmount(path)

    def settle(self, paths: list[str]) -> list[str]:
        """Unmount those that nobody holds; which these were."""
        with self._lock:
            targets = {point.target for point in mountinfo.read()} if paths else set()
            stale = [path for path in paths if path in targets and path not in self._users]
            for path in stale:
                unmount(path)
        return stale


def is_mounted(path: str) -> bool:
    """Whether something is mounted there, a bind mount of the same device too."""
    return any(point.target == path for point in mountinfo.read())


def unmount(path: str) -> None:
    """Take it away from the path; who has files open keeps them. Raises OSError but EINVAL."""
    try:
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)
    except OSError as error:
        if not isinstance(error, FileNotFoundError) and is_mounted(path):
            raise


def _mount(path: str, what: Mount) -> None:
    source = f"error while mounting volume '{path}'"
    try:
        attach(resolved(what), path)
    except WherryError as error:
        raise type(error)(f"{source}: {error}") from error
    except PermissionError as error:
        raise NotPermitted(f"{source}: failed to mount local volume: {error.strerror}") from error
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise InvalidInput(
            f"{source}: failed to mount local volume: mount {what.source}:{path}: {reason}"
        ) from error


def resolved(what: Mount) -> Mount:
    """With an address in the place of a host's name: the kernel knows no names.

    Raises Unavailable.
    """
    if not what.fstype.startswith(("nfs", "cifs")):
        return what
    return what._replace(options=tuple(map(_resolved, what.options)))


def _resolved(option: str) -> str:
    name, _, host = option.partition("=")
    if name != "addr" or not host:
        return option
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(
            f"error resolving passed in network volume address: lookup {host}: {error.strerror}"
        ) from error
    return f"addr={found[0][4][0]}"


def _bind(opened: int, target: str) -> None:
    os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
    if stat.S_ISDIR(os.fstat(opened).st_mode):
        os.makedirs(target, 0o700, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    attach(Mount("bind", f"/proc/self/fd/{opened}", ("rbind",)), target)
