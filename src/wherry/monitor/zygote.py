"""The process that forks monitors: single-threaded, warm, with nothing in its hands.

It is started once from a sealed copy of the interpreter, so a container that gets at
/proc/PID/exe of a process made here finds a file that cannot be changed (CVE-2019-5736). It holds
no descriptor but the daemon's socket, is not dumpable, and ends when the daemon does. What it
forks lives on, but for the few monitors that still wait for a container (parking.py).
"""

import contextlib
import errno
import gc
import json
import os
import select
import signal
import socket
import traceback
from typing import NoReturn

from wherry.linux import fdpass
from wherry.linux.process import close_all_except, set_dumpable, set_name
from wherry.monitor import cleanup, main
from wherry.monitor.parking import QUIET, Parking
from wherry.monitor.protocol import VERSION, Fields, LaunchRequest

SOCKET = 3
"""The descriptor on which the daemon's socket is inherited."""
MESSAGE = 1 << 20


def serve() -> None:
    """Fork on request until the daemon's end is closed."""
    _become_quiet()
    sock = socket.socket(fileno=SOCKET)
    os.set_inheritable(SOCKET, False)
    gc.collect()
    gc.freeze()
    _say(sock, {"ready": VERSION})
    parking = Parking()
    while True:
        if not parking.full and _is_quiet(sock):
            _park(sock, parking)
            continue
        request = _receive(sock)
        if request is None:
            return
        _serve_one(sock, parking, *request)


def _become_quiet() -> None:
    """No terminal, no dump, no other descriptors, no zombies."""
    os.setsid()
    set_name("wherry-zygote")
    set_dumpable(False)
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number, inheritable=True)
    close_all_except([0, 1, 2, SOCKET])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps what we do not wait for
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _is_quiet(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(QUIET)


def _receive(sock: socket.socket) -> tuple[bytes, list[int]] | None:
    try:
        data, fds = fdpass.receive(sock, MESSAGE)
    except OSError as error:
        if error.errno in (errno.ECONNRESET, errno.EPIPE):
            return None
        raise
    return (data, fds) if data else None


def _park(sock: socket.socket, parking: Parking) -> None:
    """Fork a monitor that waits; where that fails, a launch forks its own, or says why not."""

    def wait(launches: socket.socket) -> NoReturn:
        sock.close()
        parking.close()
        _wait_for_launch(launches)

    with contextlib.suppress(OSError):
        parking.add(wait)


def _wait_for_launch(launches: socket.socket) -> NoReturn:
    """A parked monitor's life. Never returns."""
    status = 1
    try:
        _restore_signals()
        ready = main.get_ready()
        set_name("wherry-parked")
        request = _receive(launches)
        launches.close()
        if request is None:  # the zygote has ended
            os._exit(0)
        _child(json.loads(request[0]), request[1], ready)
    finally:
        os._exit(status)


def _serve_one(sock: socket.socket, parking: Parking, data: bytes, fds: list[int]) -> None:
    fields: Fields = json.loads(data)
    if fields["do"] == "clean" or not parking.hand_over(data, fds):
        _forked(sock, parking, fields, fds)
    for fd in fds:
        os.close(fd)


def _forked(sock: socket.socket, parking: Parking, fields: Fields, fds: list[int]) -> None:
    try:
        pid = os.fork()
    except OSError as error:
        _say(sock, {"id": fields.get("id"), "error": f"fork: {error.strerror}"})
        return
    if pid == 0:
        sock.close()
        parking.close()
        _restore_signals()
        _child(fields, fds, None)


def _restore_signals() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _child(fields: Fields, fds: list[int], ready: main.Ready | None) -> NoReturn:
    """Never returns: what is above us on the stack is the zygote's."""
    status = 1
    exec_dir = str(fields.get("launch", {}).get("exec_dir", ""))
    try:
        _work(fields, socket.socket(fileno=fds[0]), ready)
        status = 0
    except BaseException as error:  # noqa: BLE001 - the process ends here, whatever it was
        _keep(exec_dir, error)
    finally:
        os._exit(status)


def _work(fields: Fields, sock: socket.socket, ready: main.Ready | None) -> None:
    request = LaunchRequest.from_fields(fields["launch"])
    if fields["do"] == "clean":
        cleanup.run(request, sock)
    else:
        main.run(request, sock, ready or main.get_ready())


def _keep(exec_dir: str, error: BaseException) -> None:
    """A fault of ours: keep what is known of it where the daemon finds it."""
    with contextlib.suppress(OSError), open(f"{exec_dir}/fault.txt", "w") as file:
        traceback.print_exception(error, file=file)


def _say(sock: socket.socket, fields: Fields) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        fdpass.send(sock, json.dumps(fields).encode())
