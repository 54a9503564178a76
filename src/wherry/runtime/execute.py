"""`exec`: a further process in a running container, safe against what runs there already.

A stage joins the container's namespaces but not its pid namespace: only the process that it
forks, as a child of the caller, is seen from inside. That one is not dumpable until execve, and at
once lets go of all descriptors but the socket to its caller (and procfs where a label has to be
set). A caller that leaves anyway (`ExecRequest.for_parent`) is the stage itself, which spares a
fork; not on cgroup v2, where a process is best cloned into its group.
"""

import contextlib
import os
from typing import NamedTuple, NoReturn

from wherry.kit.errors import Conflict, Internal
from wherry.linux import namespace, process
from wherry.linux.namespace import CLONE_PARENT
from wherry.runtime import console, exec_state, handshake, settings, state, streams
from wherry.runtime.become import become, death_tie, prepare, settle_child
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.command import check_directory, enter_directory
from wherry.runtime.create import fork_into, kill_child, write_pid_file
from wherry.runtime.errors import from_os_error
from wherry.runtime.exec_state import ExecState
from wherry.runtime.filters import Filters, connected
from wherry.runtime.handshake import Channel, PeerGone
from wherry.runtime.identity import Identity
from wherry.runtime.identity import prepare as prepare_identity
from wherry.runtime.init import exit_status
from wherry.runtime.labels import check_labels, set_exec_labels
from wherry.runtime.namespaces import become_root, join_container, rename_id
from wherry.runtime.protect import require_sealed
from wherry.runtime.request import ExecRequest
from wherry.runtime.state import RUNNING, Record
from wherry.runtime.trusted import open_proc

_DEFAULT_UMASK = 0o022


class Executed(NamedTuple):
    """A process whose execve has succeeded: its pid as the caller sees it, its start in ticks."""

    pid: int
    start_time: int


class Target(NamedTuple):
    """A running container: what is kept of it, and a pidfd on its first process."""

    record: Record
    kept: ExecState
    placed: Placement
    pidfd: int


class _Entry(NamedTuple):
    """What the caller has prepared for the children."""

    request: ExecRequest
    target: Target
    filters: Filters
    channel: Channel


class _Joined(NamedTuple):
    """A stage that is inside: who to become, and a descriptor on the host's procfs."""

    identity: Identity
    proc_fd: int


def look_up(state_root: str, container_id: str, filter_cache: str = "") -> Target:
    """The part of an exec that is the same for each. Raises NotFound, Conflict (it has ended)."""
    record = state.load(state_root, container_id)
    kept = exec_state.load(state_root, container_id, filter_cache)
    return Target(record, kept, state.placed(record), _open_init(record))


def execute(request: ExecRequest, target: Target | None = None) -> Executed:
    """Run a process in the container, as a child of the caller (or of its parent, `for_parent`).

    A target that was looked up before spares doing it now; it is used up by this. Raises NotFound,
    Conflict (the container has stopped or is paused), CommandNotFound, CommandNotExecutable,
    SetupNotPermitted, …
    """
    require_sealed()
    _check(request)
    if target is None:
        target = look_up(request.state_root, request.container_id, request.filter_cache)
    ours, theirs = handshake.pair()
    filters = Filters()
    try:
        if not request.ignore_paused and target.placed.frozen():
            raise Conflict(f"cannot exec in a paused container: {target.record.id}")
        filters = connected(target.kept.filters)
        entry = _Entry(request, target, filters, theirs)
        direct = request.for_parent and target.placed.version != 2
        made = (_enter_and_fork if direct else _fork_stage)(entry, ours)
    finally:
        os.close(target.pidfd)
        ours.close()
        theirs.close()
        if filters.listener is not None:
            os.close(filters.listener)
    if request.pid_file:
        write_pid_file(request.pid_file, made.pid)
    return made


def _check(request: ExecRequest) -> None:
    streams.check_console(request.process, request.console_socket)
    streams.check_preserved(request.preserve_fds)
    check_labels(request.process)


def _open_init(record: Record) -> int:
    """A pidfd on the container's first process. Raises Conflict where it has ended."""
    try:
        if record.boot_id != process.boot_id():
            raise ProcessLookupError
        return process.open_checked(record.pid, record.start_time)
    except ProcessLookupError as error:
        raise _stopped(record) from error


def _stopped(record: Record) -> Conflict:
    return Conflict(f"cannot exec in a stopped container: {record.id}")


def _fork_stage(entry: _Entry, ours: Channel) -> Executed:
    request = entry.request
    parent = CLONE_PARENT if request.for_parent else 0
    below = (request.cgroup or "").strip("/")
    child = fork_into(entry.target.placed, parent, below, entry.target.record.pid)
    if child == 0:
        _run_stage(entry)
    entry.channel.close()
    try:
        pid = ours.expect("born")["pid"]
        assert isinstance(pid, int)
    except BaseException as error:
        kill_child(child)
        if isinstance(error, PeerGone):
            raise Internal(f"exec in container {entry.target.record.id}: the stage died") from error
        raise
    if not parent:
        os.waitpid(child, 0)
    return _finished(entry, ours, pid, None)


def _run_stage(entry: _Entry) -> NoReturn:
    """The stage's whole life. Never returns."""
    try:
        settle_child()
        joined = _join(entry)
        pid = _fork_process(entry, joined)
        entry.channel.send("born", pid=pid)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        entry.channel.fail(error, "namespaces")
    finally:
        os._exit(1)


def _enter_and_fork(entry: _Entry, ours: Channel) -> Executed:
    """The caller is inside after this, and good for nothing else."""
    settle_child()
    try:
        joined = _join(entry)
    except ProcessLookupError as error:
        raise _stopped(entry.target.record) from error
    except OSError as error:
        raise from_os_error("namespaces", error) from error
    try:
        pid = _fork_process(entry, joined)
        entry.channel.close()
        return _finished(entry, ours, pid, joined.proc_fd)
    finally:
        os.close(joined.proc_fd)


def _finished(entry: _Entry, ours: Channel, pid: int, proc_fd: int | None) -> Executed:
    """Wait for the execve. Raises what the process met on its way."""
    pidfd: int | None = None
    started = 0
    try:
        with contextlib.suppress(ProcessLookupError):  # gone already: it has told us why
            pidfd = process.pidfd_open(pid)
            started = process.start_time(pid, proc_fd)
        ours.expect("executing")
        ours.expect_end()
        return Executed(pid, started)
    except BaseException as error:
        _end(pidfd)
        if isinstance(error, PeerGone):
            container = entry.target.record.id
            raise Internal(f"the process in container {container} died early") from error
        raise
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _end(pidfd: int | None) -> None:
    """See the process gone, and reap it where it is ours."""
    if pidfd is None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.pidfd_send_signal(pidfd, 9)
    process.wait_exited(pidfd, 10)
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)


def _join(entry: _Entry) -> _Joined:
    """Cgroup, limits, namespaces."""
    wanted = entry.request.process
    proc_fd = open_proc()
    if wanted.oom_score_adj is not None:
        settings.set_oom_score(proc_fd, wanted.oom_score_adj)
    settings.raise_hard_limits(wanted.rlimits)
    affinity = wanted.cpu_affinity
    if affinity is not None:
        settings.set_affinity(affinity.initial, "process.execCPUAffinity.initial")
    target = entry.target
    if target.placed.version == 1:  # on v2 we were cloned into it
        target.placed.join(None, (entry.request.cgroup or "").strip("/"))
    if affinity is not None:
        settings.set_affinity(affinity.final, "process.execCPUAffinity.final")
    settings.leave_keyring(target.record.id, entry.request.warn)
    if join_container(target.kept.namespaces, target.pidfd, target.record.pid):
        become_root(proc_fd)
    if entry.request.one_id:
        rename_id(proc_fd, wanted.user.uid, wanted.user.gid)
    process.set_dumpable(False)
    return _Joined(prepare_identity(wanted, proc_fd, entry.request.warn), proc_fd)


def _fork_process(entry: _Entry, joined: _Joined) -> int:
    """The process, in the pid namespace, a child of our parent: it may be tied to that one."""
    pid = namespace.fork(CLONE_PARENT)
    if pid == 0:
        _run_process(entry, joined)
    return pid


def _run_process(entry: _Entry, joined: _Joined) -> NoReturn:
    """The process itself, inside. Never returns."""
    channel = entry.channel
    status = 1
    try:
        _take_streams(entry, joined.proc_fd)
        _become_program(entry, joined)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        channel.fail(error, "exec")
        status = exit_status(error)
    finally:
        os._exit(status)


def _take_streams(entry: _Entry, proc_fd: int) -> None:
    """First of all: the container may look at us, and nothing of the host's is to be seen."""
    request = entry.request
    keep = [entry.channel.sock.fileno()]
    if request.console_socket is not None:
        keep.append(request.console_socket)
    if entry.filters.listener is not None:
        keep.append(entry.filters.listener)
    if _has_labels(request):
        keep.append(proc_fd)
    streams.take(request.stdio, request.preserve_fds, keep)


def _has_labels(request: ExecRequest) -> bool:
    return bool(request.process.apparmor_profile or request.process.selinux_label)


def _become_program(entry: _Entry, joined: _Joined) -> None:
    request, channel, wanted = entry.request, entry.channel, entry.request.process
    filters = entry.filters
    tie = death_tie(request.die_with_parent)
    tie()
    os.setsid()  # a terminal becomes a session's leader's
    root_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if wanted.terminal and request.console_socket is not None:
        console.set_up_terminal(root_fd, wanted, request.console_socket, bind=False)
    else:
        console.give_streams_to_user(root_fd, wanted.user.uid)
    umask = wanted.user.umask
    os.umask(_DEFAULT_UMASK if umask is None else umask)
    settings.set_personality(entry.target.kept.personality)
    settings.set_priorities(wanted)
    if _has_labels(request):
        set_exec_labels(joined.proc_fd, wanted)
    enter_directory(root_fd, wanted.cwd)
    check_directory()
    told = state.describe(entry.target.record, RUNNING).to_json() if filters.listener else {}
    prepared = prepare(wanted, joined.identity, told, filters, tie)
    become(
        prepared,
        channel.sock.fileno(),
        request.preserve_fds,
        lambda: channel.send("executing"),
    )
