"""Socket activation: listening sockets that systemd opened for us (sd_listen_fds(3))."""

import os
import socket

FIRST = 3


def inherited_sockets() -> list[socket.socket]:
    """The sockets, ours from now on; none where the variables speak of another process."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    os.environ.pop("LISTEN_PID", None)
    sockets = []
    for number in range(FIRST, FIRST + count):
        os.set_inheritable(number, False)
        sockets.append(socket.socket(fileno=number))
    return sockets
