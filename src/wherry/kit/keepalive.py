"""Connections whose peer vanished without a word (a pulled cable, a machine that lost power)."""

import socket

_SECONDS_AND_COUNTS = (
    ("TCP_KEEPIDLE", 30),
    ("TCP_KEEPINTVL", 10),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 60_000),  # milliseconds in which what was sent must be acknowledged
)


def watch_for_dead_peers(sock: socket.socket) -> None:
    """End a TCP connection about a minute after its peer has gone silent (tcp(7)).

    On a listening socket it holds for every accepted connection. Where the system lacks one of
    the options (only Linux has all), its own default stays.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SECONDS_AND_COUNTS:
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
