"""The process that becomes the container's first program: file system, identity, execve."""

import os
from typing import TYPE_CHECKING, NoReturn

from wherry.linux import loopback, namespace
from wherry.runtime import console, rootfs, settings
from wherry.runtime.become import Prepared, become, death_tie, prepare
from wherry.runtime.command import check_directory, enter_directory
from wherry.runtime.devices import brings_own_dev
from wherry.runtime.errors import CommandNotExecutable, CommandNotFound
from wherry.runtime.filters import receive_filters
from wherry.runtime.handshake import Channel
from wherry.runtime.hooks import run_hooks
from wherry.runtime.identity import prepare as prepare_identity
from wherry.runtime.labels import set_exec_labels
from wherry.runtime.namespaces import new_flags
from wherry.runtime.sources import Sources
from wherry.runtime.spec_types import Process, Spec
from wherry.runtime.trusted import HostFiles, open_host_files

if TYPE_CHECKING:
    from wherry.runtime.stage import Launch

_DEFAULT_UMASK = 0o022


class Progress:
    """The step that an error is reported with."""

    __slots__ = ("step",)

    def __init__(self) -> None:
        self.step = "prepare"


def run(launch: "Launch", sources: Sources) -> NoReturn:
    """Init's whole life before it is the container's program. Never returns."""
    progress = Progress()
    status = 1
    try:
        prepared = _set_up(launch, sources, progress)
        launch.channel.send("ready")
        launch.channel.close()
        status = _await_start(launch, prepared)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        launch.channel.fail(error, progress.step)
    finally:
        os._exit(status)


def _set_up(launch: "Launch", sources: Sources, progress: Progress) -> Prepared:
    """Everything before the wait for `start`."""
    spec, channel = launch.spec, launch.channel
    assert spec.process is not None
    os.setsid()  # a terminal becomes a session's leader's
    _set_names(spec)
    host = open_host_files()
    progress.step = "root"
    root_fd = rootfs.attach_root(spec, launch.bundle, sources)
    root = rootfs.RootFs(spec, launch.bundle, root_fd, sources, host)
    progress.step = "mount"
    rootfs.mount_all(root)
    channel.send("mounted")
    state = channel.expect("proceed")["state"]
    assert isinstance(state, dict)
    filters = receive_filters(channel)
    tie = death_tie(launch.request.die_with_parent)
    tie()
    progress.step = "hook"
    run_hooks("createContainer", spec.hooks.create_container, state)
    progress.step = "file system"
    _finish_tree(launch, root)
    progress.step = "settings"
    _settle(spec, host, spec.process)
    identity = prepare_identity(spec.process, host.proc, launch.request.warn)
    host.close()
    progress.step = "process"
    return prepare(spec.process, identity, state, filters, tie)


def _set_names(spec: Spec) -> None:
    if spec.hostname:
        namespace.set_hostname(spec.hostname)
    if spec.domainname:
        namespace.set_domainname(spec.domainname)
    if new_flags(spec.linux) & namespace.CLONE_NEWNET:
        loopback.bring_up()


def _finish_tree(launch: "Launch", root: rootfs.RootFs) -> None:
    """Console, streams, masks, and the step into the root, which is left as the only one."""
    process = launch.spec.process
    assert process is not None
    if process.terminal:
        assert launch.request.console_socket is not None
        bind = not brings_own_dev(launch.spec)
        console.set_up_terminal(root.root_fd, process, launch.request.console_socket, bind=bind)
        os.close(launch.request.console_socket)
    else:
        console.give_streams_to_user(root.root_fd, process.user.uid)
    rootfs.make_working_directory(root.root_fd, process.cwd)
    rootfs.protect(root)
    rootfs.enter(root, no_pivot=launch.request.no_pivot)
    enter_directory(root.root_fd, process.cwd)
    check_directory()
    for descriptor in root.sources.descriptors():
        os.close(descriptor)


def _settle(spec: Spec, host: HostFiles, process: Process) -> None:
    """What has to be done with the host's procfs or before the rights go."""
    settings.set_sysctls(host.proc, spec.linux.sysctl)
    settings.set_personality(spec.linux.personality)
    settings.set_priorities(process)
    set_exec_labels(host.proc, process)
    umask = process.user.umask
    os.umask(_DEFAULT_UMASK if umask is None else umask)


def _await_start(launch: "Launch", prepared: Prepared) -> int:
    """Wait for `start`, become the program; an exit status where that fails."""
    connection, _ = launch.listener.accept()
    launch.listener.close()
    channel = Channel(connection)
    try:
        channel.send("starting")
        _run_program(launch, prepared, channel)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        channel.fail(error, "exec")
        return exit_status(error)
    return 1


def _run_program(launch: "Launch", prepared: Prepared, channel: Channel) -> None:
    def before_last() -> None:
        run_hooks("startContainer", launch.spec.hooks.start_container, dict(prepared.state))
        channel.send("executing")

    become(prepared, channel.sock.fileno(), launch.request.preserve_fds, before_last)


def exit_status(error: BaseException) -> int:
    """What a shell would say of a program that cannot be run."""
    if isinstance(error, CommandNotFound):
        return 127
    return 126 if isinstance(error, CommandNotExecutable) else 1
