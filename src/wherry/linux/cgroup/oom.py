"""Being told of out-of-memory kills in a cgroup: a descriptor to poll, and a counter to believe.

v1: an eventfd registered for memory.oom_control through cgroup.event_control. v2: an inotify watch
on memory.events. Both also wake up for other reasons (the group's removal, other events), so the
kernel's own counter of kills (`oom_kill`, v1 since 4.13, v2 since 4.19) decides.
"""

import ctypes
import errno
import os

from wherry.linux.cgroup.directory import Directory
from wherry.linux.libc import check, libc

_IN_MODIFY = 0x2
_GONE = (errno.ENODEV, errno.ENOENT)


class OomEvents:
    """`fd` becomes readable when `take` may have news. Close it when done."""

    __slots__ = ("_counter", "_directory", "_seen", "fd")

    def __init__(self, fd: int, directory: Directory, counter: str) -> None:
        self.fd = fd
        self._directory = directory
        self._counter = counter
        self._seen = 0

    def take(self) -> int:
        """Forget the wake-ups; how many processes were killed since the last call."""
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            pass  # drained
        total = self.kills()
        fresh = max(total - self._seen, 0)
        self._seen = max(total, self._seen)
        return fresh

    def kills(self) -> int:
        """All kills up to now; what was last seen once the group is gone."""
        try:
            lines = self._directory.read(self._counter).splitlines()
        except OSError as error:
            if error.errno in _GONE:
                return self._seen
            raise
        return next((int(line[9:]) for line in lines if line.startswith("oom_kill ")), 0)

    def parts(self) -> tuple[int, int, str]:
        """The two descriptors and the counter's name, to be handed to another process."""
        return self.fd, self._directory.fd, self._counter

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.fd)
        self._directory.close()


def watch_v1(directory: Directory) -> OomEvents:
    """Watch a memory cgroup of v1; takes the directory over. Raises OSError."""
    event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        control = os.open("memory.oom_control", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory.fd)
        try:
            directory.write("cgroup.event_control", f"{event} {control}")
        finally:
            os.close(control)
    except BaseException:
        os.close(event)
        raise
    return OomEvents(event, directory, "memory.oom_control")


def watch_v2(directory: Directory) -> OomEvents:
    """Watch a cgroup of v2 that has the memory controller; takes the directory over."""
    descriptor = check(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK), "inotify_init1")
    path = f"/proc/self/fd/{directory.fd}/memory.events"
    try:
        check(
            libc.inotify_add_watch(descriptor, path.encode(), ctypes.c_uint32(_IN_MODIFY)),
            "inotify_add_watch",
            f"{directory.path}/memory.events",
        )
    except BaseException:
        os.close(descriptor)
        raise
    return OomEvents(descriptor, directory, "memory.events")
