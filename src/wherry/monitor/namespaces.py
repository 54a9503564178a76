"""The container's namespaces as the monitor holds them."""

import contextlib
import errno
import os
import socket
from typing import NoReturn

from wherry.linux import fdpass
from wherry.linux.mount import (
    MNT_DETACH,
    MS_REC,
    MS_SLAVE,
    attach,
    mount,
    umount2,
)
from wherry.linux.namespace import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    in_user_namespace,
    setns,
    unshare,
)
from wherry.linux.path import is_same_file
from wherry.monitor.protocol import LaunchRequest

_HELD = ("mnt", "net", "ipc", "uts", "pid", "cgroup", "user")


def attach_rootfs(request: LaunchRequest) -> None:
    """Enter a mount namespace of our own and put the container's root file system there.

    "rslave" sees what the host mounts later and shows it nothing. "rshared" stays a peer of the
    host, which shared binds need; the root then shows up on the host until `detach_rootfs`.
    """
    unshare(CLONE_NEWNS)
    if request.propagation != "rshared":
        mount(None, "/", None, MS_REC | MS_SLAVE)
    for layer in request.rootfs_mounts:
        attach(layer, f"{request.bundle}/rootfs")


def detach_rootfs(request: LaunchRequest) -> None:
    """Needed where the host sees our mounts; elsewhere they end with us."""
    if request.propagation == "rshared":
        for _ in request.rootfs_mounts:
            with contextlib.suppress(OSError):
                umount2(f"{request.bundle}/rootfs", MNT_DETACH)


def open_held(pid: int) -> dict[str, int]:
    """Descriptors on the namespaces of init, by name.

    While they are open, the kernel does not take the namespaces down before the parent hears of
    the exit, which makes that 2-5 times sooner; to be closed when the exit was told. Raises
    ProcessLookupError where init has ended.
    """
    held: dict[str, int] = {}
    for name in _HELD:
        with contextlib.suppress(FileNotFoundError):
            held[name] = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    if "net" not in held:  # every process has one: this has none any more
        raise ProcessLookupError(errno.ESRCH, f"process {pid} has ended")
    return held


def netlink_inside(net: int) -> socket.socket:
    """An rtnetlink socket that belongs to another network namespace, for a process that stays here.

    A socket keeps the namespace in which it was made (network_namespaces(7)). A plain user could
    not come home from there, since the host's namespace is not his: a child goes instead.
    """
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if is_same_file(home, net):
            return _netlink()
        if in_user_namespace():
            return _netlink_of_a_child(net)
        setns(net, CLONE_NEWNET)
        try:
            return _netlink()
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def _netlink_of_a_child(net: int) -> socket.socket:
    """Not of a thread: `threading` costs every later fork 0.5 MB of memory of its own."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if pid == 0:
            _send_from_inside(net, theirs)
        os.waitpid(pid, 0)
        data, fds = fdpass.receive(ours)
    if not fds:
        raise OSError(
            int(data), f"a netlink socket in a network namespace: {os.strerror(int(data))}"
        )
    return socket.socket(fileno=fds[0])


def _send_from_inside(net: int, sock: socket.socket) -> NoReturn:
    try:
        setns(net, CLONE_NEWNET)
        with _netlink() as netlink:
            fdpass.send(sock, b"0", [netlink.fileno()])
    except OSError as error:
        fdpass.send(sock, str(error.errno).encode())
    finally:
        os._exit(0)


def _netlink() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
