"""A root belongs to one engine: an flock on a file that names the owner."""

import fcntl
import json
import os

from wherry.kit.errors import Conflict, Unavailable


class LockedRoot:
    """Holds the lock until closed; the kernel releases it when the process dies."""

    def __init__(self, path: str) -> None:
        """Take the lock. Raises Conflict naming the owner's sockets."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(self._descriptor)
            os.close(self._descriptor)
            raise Conflict(f"{os.path.dirname(path)} belongs to another engine: {owner}") from None
        except OSError as error:
            os.close(self._descriptor)
            raise Unavailable(f"cannot lock {path}: {error}") from error
        self.tell([])

    def tell(self, hosts: list[str]) -> None:
        """Write down where this engine listens."""
        text = json.dumps({"pid": os.getpid(), "hosts": hosts}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def close(self) -> None:
        """Release the root."""
        os.close(self._descriptor)


def _owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        where = ", ".join(owner["hosts"]) or "no socket"
        return f"process {owner['pid']} ({where})"
    except (ValueError, KeyError, TypeError):
        return "its owner is just starting"
