"""Bringing up `lo` in a new network namespace without netlink (netdevice(7))."""

import fcntl
import socket
import struct

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def bring_up() -> None:
    """Set IFF_UP on `lo` in our network namespace; the kernel adds 127.0.0.1/8 and ::1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
