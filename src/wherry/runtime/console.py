"""The pseudoterminal: opened in the container's own devpts, its master sent to the caller.

The slave is opened from the master (TIOCGPTPEER, kernel 4.13), so no path that the container
controls is in between, and what is bound on /dev/console is that very slave (CVE-2025-52565).
"""

import errno
import fcntl
import os
import socket
import struct
import termios

from wherry.kit.errors import Unsupported
from wherry.linux import fdpass, mount
from wherry.runtime.errors import UnsafeContainer
from wherry.runtime.placing import open_device, place
from wherry.runtime.spec_types import Process

_TIOCGPTPEER = 0x5441
_TIOCSPTLCK = 0x40045431
_PTMX_DEVICE = os.makedev(5, 2)


def open_terminal(root_fd: int) -> tuple[int, int]:
    """(master, slave) of a new pseudoterminal in the container's devpts.

    Raises Unsupported without one, UnsafeContainer where /dev/pts is something else.
    """
    try:
        master = open_device(root_fd, "/dev/pts/ptmx", os.O_RDWR, _PTMX_DEVICE)
    except FileNotFoundError as error:
        raise Unsupported("a terminal needs a devpts mount at /dev/pts in config.json") from error
    try:
        if mount.filesystem_type(master) != mount.DEVPTS_SUPER_MAGIC:
            raise UnsafeContainer("/dev/pts in the container is not a devpts")
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except BaseException:
        os.close(master)
        raise
    return master, slave


def set_size(descriptor: int, columns: int, rows: int) -> None:
    """The size in characters (TIOCSWINSZ)."""
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def bind_console(root_fd: int, slave: int) -> None:
    """Bind the slave on /dev/console."""
    tree = mount.clone_tree(slave, "", recursive=False)
    try:
        place(root_fd, tree, "/dev/console", is_directory=False)
    finally:
        os.close(tree)


def take_terminal(slave: int) -> None:
    """Make the slave our controlling terminal and our 0, 1, 2. We have to lead a session."""
    for descriptor in (0, 1, 2):
        os.dup2(slave, descriptor)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def send_master(console_socket: int, master: int) -> None:
    """Send the master to whoever asked for a terminal, with its name as runc does."""
    duplicate = os.dup(console_socket)
    with socket.socket(fileno=duplicate) as sock:
        fdpass.send(sock, b"/dev/ptmx", [master])


def set_up_terminal(root_fd: int, process: Process, console_socket: int, *, bind: bool) -> None:
    """Everything above, in order. Raises OSError, Unsupported, UnsafeContainer."""
    master, slave = open_terminal(root_fd)
    try:
        if process.console_size is not None:
            set_size(slave, *process.console_size)
        _give_to_user(slave, process.user.uid)
        if bind:
            bind_console(root_fd, slave)
        send_master(console_socket, master)
        take_terminal(slave)
    finally:
        os.close(master)
        os.close(slave)


def _give_to_user(descriptor: int, uid: int) -> None:
    """The owner's uid alone: the group is devpts's own (`tty`)."""
    try:
        os.fchown(descriptor, uid, -1)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EINVAL, errno.EROFS):
            raise  # those: an id without a map, or somebody else's file


def give_streams_to_user(root_fd: int, uid: int) -> None:
    """Let the user reopen its 0, 1, 2 by /dev/stdout; a host's null device becomes our own."""
    for descriptor in (0, 1, 2):
        try:
            status = os.fstat(descriptor)
        except OSError as error:
            if error.errno == errno.EBADF:
                continue
            raise
        if status.st_rdev == os.makedev(1, 3):
            _reopen_null(root_fd, descriptor)
        elif status.st_uid != uid:
            _give_to_user(descriptor, uid)


def _reopen_null(root_fd: int, descriptor: int) -> None:
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    try:
        own = open_device(root_fd, "/dev/null", flags, os.makedev(1, 3))
    except (OSError, UnsafeContainer):
        return  # a container without a null device keeps the host's
    os.dup2(own, descriptor)
    os.close(own)
