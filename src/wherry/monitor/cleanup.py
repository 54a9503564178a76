"""Takes away what a monitor left that was killed: the container, its cgroups, its mounts."""

import contextlib
import os
import socket
import time

from wherry.kit.errors import WherryError
from wherry.linux.process import open_checked, pidfd_send_signal, wait_exited
from wherry.monitor import failure, files
from wherry.monitor.choice import choose
from wherry.monitor.framing import send_blocking
from wherry.monitor.namespaces import detach_rootfs
from wherry.monitor.protocol import KILLED, Exit, Identity, LaunchRequest

_KILL = 9
_PATIENCE = 10.0


def run(request: LaunchRequest, sock: socket.socket) -> None:
    """Kill init where it still lives, delete through the runtime, answer, leave."""
    reply: dict[str, object] = {"hello": {}, "event": "cleaned"}
    try:
        _clean(request)
    except (WherryError, OSError) as error:
        reply = {"event": "failed", "error": failure.to_fields(error)}
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        send_blocking(sock, reply)


def _clean(request: LaunchRequest) -> None:
    record = files.read_record(request.exec_dir)
    if record is not None and record.init is not None:
        _end(record.init)
    choose(request).delete()
    detach_rootfs(request)
    if record is not None and files.read_exit(request.exec_dir) is None:
        lost = Exit(128 + _KILL, _KILL, finished=time.time_ns(), error=KILLED)
        files.write_exit(request.exec_dir, lost)


def _end(init: Identity) -> None:
    try:
        pidfd = open_checked(init.pid, init.start_time)
    except (ProcessLookupError, WherryError):
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            pidfd_send_signal(pidfd, _KILL)
        wait_exited(pidfd, _PATIENCE)
    finally:
        os.close(pidfd)
