"""start, state, kill, delete: what is done to a container that exists."""

import contextlib
import os
import signal
import socket

from wherry.kit.errors import Conflict, Internal, InvalidInput, NotFound, Unsupported
from wherry.linux import process
from wherry.runtime import state
from wherry.runtime.cgroups.kill import kill_all, signal_all
from wherry.runtime.cgroups.stats import Stats
from wherry.runtime.errors import HookFailed, from_os_error
from wherry.runtime.handshake import Channel, PeerGone
from wherry.runtime.hooks import run_hooks
from wherry.runtime.resources import Resources
from wherry.runtime.state import CREATED, PAUSED, RUNNING, STOPPED, Record, State

_LONGEST_KILL = 10.0


def read_state(state_root: str, container_id: str) -> State:
    """The container's present state. Raises NotFound, Corrupt."""
    record = state.load(state_root, container_id)
    return state.describe(record, state.status_of(state_root, record))


def start(state_root: str, container_id: str) -> None:
    """Let init run its program; returns when execve has succeeded.

    Raises NotFound, Conflict (not created, or started already), CommandNotFound,
    CommandNotExecutable, SetupNotPermitted, HookFailed.
    """
    record = state.load(state_root, container_id)
    status = state.status_of(state_root, record)
    if status != CREATED:
        raise Conflict(f"cannot start a container that has stopped or runs already: {status}")
    folder = state.folder_of(state_root, container_id)
    with _connect(folder) as sock:
        channel = Channel(sock)
        try:
            channel.expect("starting")
        except PeerGone as error:
            raise Conflict(f"container {container_id} was started or has ended") from error
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/start.sock")
        try:
            channel.expect("executing")
        except PeerGone as error:
            raise Internal(f"init of container {container_id} died before its program") from error
        channel.expect_end()
    _run_poststart(state_root, record)


def _connect(folder: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{directory}/start.sock")
    except (FileNotFoundError, ConnectionRefusedError) as error:
        sock.close()
        raise Conflict("the container was started by somebody else, or has ended") from error
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(directory)
    return sock


def _run_poststart(state_root: str, record: Record) -> None:
    hooks = state.load_hooks(state_root, record.id)
    if not hooks.poststart:
        return
    document = state.describe(record, RUNNING).to_json()
    try:
        run_hooks("poststart", hooks.poststart, document)
    except HookFailed:
        kill(state_root, record.id, signal.SIGKILL)
        raise


def kill(state_root: str, container_id: str, sig: int, all: bool = False) -> None:
    """Signal init, or with `all` every process of the container.

    Raises NotFound, Conflict where the container has stopped.
    """
    record = state.load(state_root, container_id)
    if all:
        signal_all(state.placed(record), sig)
        return
    try:
        pidfd = _open_init(record)
    except ProcessLookupError as error:
        raise Conflict(f"container {container_id} is not running") from error
    try:
        process.pidfd_send_signal(pidfd, sig)
        if sig == signal.SIGKILL:
            _let_die(record)
    except ProcessLookupError as error:
        raise Conflict(f"container {container_id} is not running") from error
    except OSError as error:
        raise from_os_error(f"kill container {container_id}", error) from error
    finally:
        os.close(pidfd)


def _let_die(record: Record) -> None:
    """Thaw what was paused: on v1 the frozen do not even die of SIGKILL."""
    with contextlib.suppress(Unsupported, FileNotFoundError):  # it is gone already
        if state.placed(record).frozen():
            state.placed(record).thaw()


def _open_init(record: Record) -> int:
    """A pidfd on init, never on another process that got its pid."""
    if record.boot_id != process.boot_id():
        raise ProcessLookupError
    return process.open_checked(record.pid, record.start_time)


def delete(state_root: str, container_id: str, force: bool = False) -> None:
    """Remove what is left of a stopped container; with `force` stop it first.

    With `force` a container that does not exist is fine. Raises NotFound, Conflict where it has
    not stopped, HookFailed after all is removed.
    """
    try:
        record = state.load(state_root, container_id)
    except NotFound:
        if not force:
            raise
        state.remove_folder(state_root, container_id)  # a create that was killed
        return
    status = state.status_of(state_root, record)
    if status not in (STOPPED, CREATED) and not force:
        raise Conflict(f"cannot delete container {container_id} that is not stopped: {status}")
    hooks = state.load_hooks(state_root, container_id).poststop
    placed = state.placed(record)
    if status != STOPPED:
        end_init(record)
    if placed.version:
        kill_all(placed)  # where the pid namespace is shared, more than init may be left
    placed.remove()
    state.remove_folder(state_root, container_id)
    run_hooks("poststop", hooks, state.describe(record, STOPPED).to_json())


def end_init(record: Record) -> None:
    """Kill init and wait for its end. Raises Internal where it does not come."""
    try:
        pidfd = _open_init(record)
    except ProcessLookupError:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            process.pidfd_send_signal(pidfd, signal.SIGKILL)
        _let_die(record)
        if not process.wait_exited(pidfd, _LONGEST_KILL):
            raise Internal(f"container {record.id}: init {record.pid} does not die")
    finally:
        os.close(pidfd)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)


def pause(state_root: str, container_id: str) -> None:
    """Freeze every process. Raises Conflict where it does not run, Unsupported, Unavailable."""
    record = state.load(state_root, container_id)
    _require(state_root, record, (RUNNING, CREATED), "pause")
    state.placed(record).freeze()


def resume(state_root: str, container_id: str) -> None:
    """The opposite of pause. Raises Conflict where it is not paused."""
    record = state.load(state_root, container_id)
    if not state.is_alive(record) or not state.placed(record).frozen():
        raise Conflict(f"container {container_id} is not paused")
    state.placed(record).thaw()


def update(state_root: str, container_id: str, resources: Resources) -> list[str]:
    """Change limits; what is None stays. Warnings are returned. Raises Conflict, InvalidInput."""
    record = state.load(state_root, container_id)
    _require(state_root, record, (RUNNING, CREATED, PAUSED), "update")
    return state.placed(record).apply(resources)


def processes(state_root: str, container_id: str) -> list[int]:
    """The pids of all processes, as we see them. Raises NotFound."""
    return state.placed(state.load(state_root, container_id)).pids()


def stats(state_root: str, container_id: str) -> Stats:
    """What the container has used so far. Raises NotFound, Conflict where it has stopped."""
    record = state.load(state_root, container_id)
    _require(state_root, record, (RUNNING, CREATED, PAUSED), "tell the usage of")
    return state.placed(record).stats()


def listed(state_root: str) -> list[State]:
    """All containers of a root, by id; one that vanishes meanwhile is left out."""
    try:
        names = sorted(os.listdir(state_root))
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        with contextlib.suppress(NotFound, InvalidInput):
            found.append(read_state(state_root, name))
    return found


def _require(state_root: str, record: Record, allowed: tuple[str, ...], what: str) -> None:
    status = state.status_of(state_root, record)
    if status not in allowed:
        raise Conflict(f"cannot {what} container {record.id}: it is {status}")
