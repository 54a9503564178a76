"""`create`: the caller's side of the handshake (drawn in handshake.py)."""

import contextlib
import os
import signal
import socket
from typing import NamedTuple

from wherry.kit import clock
from wherry.kit.errors import Internal, InvalidInput
from wherry.kit.files import write_atomic
from wherry.linux import namespace, process
from wherry.runtime import exec_state, handshake, stage, state
from wherry.runtime.cgroups.placement import (
    Placement,
    clone_descriptor,
    placement,
)
from wherry.runtime.cgroups.state import to_state
from wherry.runtime.errors import from_os_error
from wherry.runtime.filters import compile_filters, connected, send_filters
from wherry.runtime.handshake import Channel, PeerGone
from wherry.runtime.hooks import run_hooks
from wherry.runtime.idmaps import write_maps
from wherry.runtime.labels import check_labels
from wherry.runtime.namespaces import can_be_first, new_flags
from wherry.runtime.protect import require_sealed
from wherry.runtime.request import CreateRequest
from wherry.runtime.resources import Resources
from wherry.runtime.settings import check_sysctls
from wherry.runtime.spec import load
from wherry.runtime.spec_types import Spec
from wherry.runtime.state import CREATED, CREATING, Record, State
from wherry.runtime.streams import check_console, check_preserved


def create(request: CreateRequest) -> State:
    """Make a container whose init waits for `start`.

    Init is a child of the caller if that is a subreaper. On any error nothing is left behind.
    Raises InvalidInput, NotFound, Conflict, Unsupported, CommandNotFound, CommandNotExecutable,
    SetupNotPermitted, ContainerSetup, HookFailed, PreconditionFailed (not a sealed interpreter).
    """
    require_sealed()
    bundle = os.path.abspath(request.bundle)
    spec = load(bundle)
    check(request, spec)
    folder = state.make_folder(request.state_root, request.container_id)
    try:
        return _create_in(request, spec, bundle, folder)
    except BaseException:
        state.remove_folder(request.state_root, request.container_id)
        raise


def check(request: CreateRequest, spec: Spec) -> None:
    """Everything that can be known before the first process. Raises InvalidInput, Unsupported."""
    if spec.process is None:
        raise InvalidInput("process: required to create a container")
    check_console(spec.process, request.console_socket)
    check_labels(spec.process, spec.linux)
    check_sysctls(spec.linux)
    check_preserved(request.preserve_fds)


class _Birth(NamedTuple):
    """A first process that was forked and what belongs to it."""

    request: CreateRequest
    spec: Spec
    bundle: str
    folder: str
    placed: Placement
    rootless: bool
    channel: Channel
    first_pid: int
    is_init: bool
    """Whether it is no stage but init, and a child of our parent."""
    early: bool
    """Whether it was forked before its cgroups were made."""


def _create_in(request: CreateRequest, spec: Spec, bundle: str, folder: str) -> State:
    _keep_configuration(bundle, folder)
    rootless = namespace.in_user_namespace()
    placed = placement(
        spec.linux.cgroups_path or None,
        request.container_id,
        rootless=rootless or os.geteuid() != 0,
        layout=request.layout,
    )
    try:
        return _fork(request, spec, bundle, folder, placed, rootless)
    except BaseException:
        placed.remove()
        raise


def _make_groups(request: CreateRequest, spec: Spec, placed: Placement) -> None:
    for warning in placed.create(for_setup(spec.linux.resources)):
        request.warn(warning)


def for_setup(resources: Resources) -> Resources:
    """The limits while two processes of ours are inside: a single task would not let us fork."""
    return resources._replace(pids=2) if resources.pids == 1 else resources


def _fork(
    request: CreateRequest, spec: Spec, bundle: str, folder: str, placed: Placement, rootless: bool
) -> State:
    direct = request.for_parent and can_be_first(spec.linux)
    early = direct and placed.version != 2  # there it is cloned into its group
    if not early:
        _make_groups(request, spec, placed)
    listener = _listen(folder)
    ours, theirs = handshake.pair()
    try:
        launch = stage.Launch(request, spec, bundle, theirs, listener, rootless, placed, early)
        pid = fork_into(placed, _flags_of_init(spec) if direct else 0)
        if pid == 0:
            (stage.run_as_init if direct else stage.run)(launch)
        theirs.close()
        listener.close()
        birth = _Birth(request, spec, bundle, folder, placed, rootless, ours, pid, direct, early)
        return _raise_up(birth)
    finally:
        ours.close()
        theirs.close()
        listener.close()


def _flags_of_init(spec: Spec) -> int:
    return namespace.CLONE_PARENT | (new_flags(spec.linux) & namespace.CLONE_NEWPID)


def fork_into(placed: Placement, flags: int = 0, below: str = "", beside: int | None = None) -> int:
    """fork(2), on cgroup v2 right into the group; elsewhere the child has to join by itself."""
    group = clone_descriptor(placed, below, beside)
    if group is None:
        return namespace.fork(flags)
    try:
        return namespace.fork(flags, cgroup_fd=group)
    finally:
        os.close(group)


def _keep_configuration(bundle: str, folder: str) -> None:
    with open(f"{bundle}/config.json", "rb") as file:
        write_atomic(f"{folder}/config.json", file.read(), durable=False)


def _listen(folder: str) -> socket.socket:
    """start.sock, bound through a descriptor: paths of sockets end at 107 bytes."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{directory}/start.sock")
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def _raise_up(birth: _Birth) -> State:
    """From the fork to `ready`; on an error every child is gone before it is raised."""
    pid = birth.first_pid if birth.is_init else 0
    pidfd = process.pidfd_open(pid) if pid else None
    try:
        pid = _await_birth(birth)
        pidfd = pidfd or process.pidfd_open(pid)
        return _bring_up(birth, pid)
    except BaseException:
        _end(birth, pidfd, pid)
        raise
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _await_birth(birth: _Birth) -> int:
    """Serve the stage until it has forked init; init's pid as we see it."""
    if birth.early:
        _make_groups(birth.request, birth.spec, birth.placed)
        birth.channel.send("placed")
    if birth.is_init:
        return birth.first_pid
    linux = birth.spec.linux
    message = _expect(birth, "map", "born")
    if message["kind"] == "map":
        write_maps(birth.first_pid, linux.uid_maps, linux.gid_maps)
        birth.channel.send("mapped")
        message = _expect(birth, "born")
    pid = message["pid"]
    assert isinstance(pid, int)
    return pid


def _expect(birth: _Birth, *kinds: str) -> dict[str, object]:
    """The next message; a silent end is explained by the stage's own."""
    try:
        return dict(birth.channel.expect(*kinds))
    except PeerGone as error:
        raise Internal("the container's first process died while it was set up") from error


def _bring_up(birth: _Birth, pid: int) -> State:
    request, spec = birth.request, birth.spec
    if not birth.is_init:
        os.waitpid(birth.first_pid, 0)
    if birth.placed.version == 0:
        birth.placed.join(pid)
    if spec.linux.resources.pids == 1:
        birth.placed.apply(Resources(pids=1))
    record = _record(birth, pid)
    filters = compile_filters(spec.linux.seccomp, spec.annotations, request.filter_cache)
    _expect(birth, "mounted")
    document = state.describe(record, CREATING).to_json()
    run_hooks("prestart", spec.hooks.prestart, document)
    run_hooks("createRuntime", spec.hooks.create_runtime, document)
    with contextlib.suppress(BrokenPipeError):  # init has died: `ready` brings its reason
        birth.channel.send("proceed", state=document)
        send_filters(birth.channel, connected(filters))
    exec_state.save(birth.folder, exec_state.of(spec, filters))
    failed = _meanwhile(birth, pid)
    _expect(birth, "ready")
    if failed is not None:
        raise failed
    state.save(birth.folder, record)
    if request.pid_file:
        write_pid_file(request.pid_file, pid)
    return state.describe(record, CREATED)


def _meanwhile(birth: _Birth, pid: int) -> OSError | None:
    """The caller's own work. Where init has died, its reason is the one to tell."""
    try:
        birth.request.meanwhile(pid, birth.placed)
    except OSError as error:
        return error
    return None


def _record(birth: _Birth, pid: int) -> Record:
    spec = birth.spec
    return Record(
        id=birth.request.container_id,
        version=spec.version,
        bundle=birth.bundle,
        rootfs=os.path.join(birth.bundle, spec.root.path),
        pid=pid,
        start_time=process.start_time(pid),
        boot_id=process.boot_id(),
        created=clock.now(),
        owner=str(os.geteuid()),
        cgroup=to_state(birth.placed),
        rootless=birth.rootless,
        annotations=dict(spec.annotations),
    )


def write_pid_file(path: str, pid: int) -> None:
    """The pid in decimal, by rename: whoever waits for the file never sees half of it."""
    try:
        write_atomic(path, str(pid).encode(), mode=0o644, durable=False)
    except OSError as error:
        raise from_os_error(f"pid file {path}", error) from error


def _end(birth: _Birth, pidfd: int | None, pid: int) -> None:
    """Kill what was made and see it gone, so that cgroups and mounts are free."""
    if not birth.is_init:
        kill_child(birth.first_pid)
    if pidfd is None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.pidfd_send_signal(pidfd, signal.SIGKILL)
    process.wait_exited(pidfd, 10)
    with contextlib.suppress(ChildProcessError):  # where it went to another subreaper than us
        os.waitpid(pid, os.WNOHANG)


def kill_child(pid: int) -> None:
    """Kill and reap a child; one that was reaped already may be somebody else's pid by now."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
