"""`exec`: a further process in a running container, safe against what runs there already.

The stage joins the container's namespaces but not its pid namespace: only the process that it
forks is seen from inside. That one is not dumpable until execve, and holds no descriptor of the
host but the socket to its caller (and procfs where a label has to be set).
"""

import contextlib
import os
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

from wherry.kit.errors import Conflict, Internal
from wherry.linux import process
from wherry.runtime import console, handshake, settings, state, streams
from wherry.runtime.become import become, death_tie, prepare, settle_child
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.command import check_directory, enter_directory
from wherry.runtime.create import fork_into, kill_child, write_pid_file
from wherry.runtime.filters import Filters, prepare_filters, receive_filters, send_filters
from wherry.runtime.handshake import Channel, PeerGone
from wherry.runtime.identity import Identity
from wherry.runtime.identity import prepare as prepare_identity
from wherry.runtime.init import exit_status
from wherry.runtime.labels import check_labels, set_exec_labels
from wherry.runtime.namespaces import become_root, join_container, rename_id
from wherry.runtime.protect import require_sealed
from wherry.runtime.request import ExecRequest
from wherry.runtime.spec_types import Spec
from wherry.runtime.state import PAUSED, RUNNING, STOPPED, Record
from wherry.runtime.trusted import open_proc

_DEFAULT_UMASK = 0o022


class _Entry(NamedTuple):
    """What the caller has prepared for the children."""

    request: ExecRequest
    spec: Spec
    record: Record
    placed: Placement
    pidfd: int
    channel: Channel


def execute(request: ExecRequest) -> int:
    """Run a process in the container; its pid as the caller sees it, once execve has succeeded.

    It is a child of the caller if that is a subreaper. Raises NotFound, Conflict (the container
    has stopped or is paused), CommandNotFound, CommandNotExecutable, SetupNotPermitted, …
    """
    require_sealed()
    record = state.load(request.state_root, request.container_id)
    spec = state.load_spec(request.state_root, request.container_id)
    _check(request, record)
    try:
        pidfd = process.open_checked(record.pid, record.start_time)
    except ProcessLookupError as error:
        raise Conflict(f"container {record.id} is not running") from error
    ours, theirs = handshake.pair()
    try:
        entry = _Entry(request, spec, record, state.placed(record), pidfd, theirs)
        pid = _fork(entry, ours)
    finally:
        os.close(pidfd)
        ours.close()
        theirs.close()
    if request.pid_file:
        write_pid_file(request.pid_file, pid)
    return pid


def _check(request: ExecRequest, record: Record) -> None:
    status = state.status_of(request.state_root, record)
    if status == STOPPED:
        raise Conflict(f"cannot exec in a stopped container: {record.id}")
    if status == PAUSED and not request.ignore_paused:
        raise Conflict(f"cannot exec in a paused container: {record.id}")
    streams.check_console(request.process, request.console_socket)
    streams.check_preserved(request.preserve_fds)
    check_labels(request.process)


def _fork(entry: _Entry, ours: Channel) -> int:
    child = fork_into(entry.placed)
    if child == 0:
        _run_stage(entry)
    entry.channel.close()
    pidfd: int | None = None
    try:
        pid = ours.expect("born")["pid"]
        assert isinstance(pid, int)
        with contextlib.suppress(ProcessLookupError):  # gone already: it has told us why
            pidfd = process.pidfd_open(pid)
        os.waitpid(child, 0)
        ours.send("proceed", state=state.describe(entry.record, RUNNING).to_json())
        send_filters(ours, _filters(entry))
        ours.expect("executing")
        ours.expect_end()
        return pid
    except BaseException as error:
        _end(child, pidfd)
        if isinstance(error, PeerGone | BrokenPipeError):
            raise Internal(f"the process in container {entry.record.id} died early") from error
        raise
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _filters(entry: _Entry) -> Filters:
    spec = entry.spec
    return prepare_filters(spec.linux.seccomp, spec.annotations, entry.request.filter_cache)


def _end(child: int, pidfd: int | None) -> None:
    kill_child(child)
    if pidfd is not None:
        with contextlib.suppress(ProcessLookupError):
            process.pidfd_send_signal(pidfd, 9)
        process.wait_exited(pidfd, 10)
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)


def _run_stage(entry: _Entry) -> NoReturn:
    """The stage's whole life. Never returns."""
    step = "prepare"
    try:
        settle_child()
        keep = [entry.channel.sock.fileno(), entry.pidfd]
        if entry.request.console_socket is not None:
            keep.append(entry.request.console_socket)
        streams.take(entry.request.stdio, entry.request.preserve_fds, keep)
        step = "namespaces"
        identity, labels_fd = _enter(entry)
        pid = os.fork()
        if pid == 0:
            _run_process(entry, identity, labels_fd)
        entry.channel.send("born", pid=pid)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        entry.channel.fail(error, step)
    finally:
        os._exit(1)


def _enter(entry: _Entry) -> tuple[Identity, int | None]:
    """Cgroup, limits, namespaces; (who to become, a descriptor on procfs if labels need one)."""
    wanted = entry.request.process
    proc_fd = open_proc()
    if wanted.oom_score_adj is not None:
        settings.set_oom_score(proc_fd, wanted.oom_score_adj)
    settings.raise_hard_limits(wanted.rlimits)
    affinity = wanted.cpu_affinity
    if affinity is not None:
        settings.set_affinity(affinity.initial, "process.execCPUAffinity.initial")
    if entry.placed.version == 1 or entry.request.cgroup:
        entry.placed.join(None, (entry.request.cgroup or "").strip("/"))
    if affinity is not None:
        settings.set_affinity(affinity.final, "process.execCPUAffinity.final")
    settings.leave_keyring(entry.record.id, entry.request.warn)
    if join_container(entry.spec.linux, entry.pidfd, entry.record.pid):
        become_root(proc_fd)
    if entry.request.one_id:
        rename_id(proc_fd, wanted.user.uid, wanted.user.gid)
    os.close(entry.pidfd)
    process.set_dumpable(False)
    identity = prepare_identity(wanted, proc_fd, entry.request.warn)
    if wanted.apparmor_profile or wanted.selinux_label:
        return identity, proc_fd
    os.close(proc_fd)
    return identity, None


def _run_process(entry: _Entry, identity: Identity, labels_fd: int | None) -> NoReturn:
    """The process itself, inside. Never returns."""
    channel = entry.channel
    status = 1
    try:
        _become_program(entry, identity, labels_fd)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        channel.fail(error, "exec")
        status = exit_status(error)
    finally:
        os._exit(status)


def _become_program(entry: _Entry, identity: Identity, labels_fd: int | None) -> None:
    request, channel, wanted = entry.request, entry.channel, entry.request.process
    told: Mapping[str, object] = channel.expect("proceed")
    filters = receive_filters(channel)
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
    settings.set_personality(entry.spec.linux.personality)
    settings.set_priorities(wanted)
    if labels_fd is not None:
        set_exec_labels(labels_fd, wanted)
    enter_directory(root_fd, wanted.cwd)
    check_directory()
    state_document = told["state"]
    assert isinstance(state_document, dict)
    prepared = prepare(wanted, identity, state_document, filters, tie)
    become(
        prepared,
        channel.sock.fileno(),
        request.preserve_fds,
        lambda: channel.send("executing"),
    )
