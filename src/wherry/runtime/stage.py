"""The first child: it leaves the caller's namespaces, forks init and goes.

It is a process of its own because a pid namespace is entered by the next child only, and because
a user namespace has to be mapped from outside before the others can be made. Where a process can
be cloned into its pid namespace and nothing is mapped, it is init itself, which spares a fork.
"""

import os
import socket
from typing import NamedTuple, NoReturn

from wherry.linux import capability, process
from wherry.linux.namespace import CLONE_NEWPID, CLONE_NEWUSER
from wherry.runtime import init, settings, streams
from wherry.runtime.become import settle_child
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.handshake import Channel
from wherry.runtime.namespaces import (
    become_root,
    join_by_path,
    make_others,
    make_user_namespace,
    new_flags,
)
from wherry.runtime.request import CreateRequest
from wherry.runtime.sources import Sources, open_sources
from wherry.runtime.spec_types import Spec
from wherry.runtime.trusted import open_proc


class Launch(NamedTuple):
    """What the caller has prepared; it reaches the children by fork."""

    request: CreateRequest
    spec: Spec
    bundle: str
    """Absolute path."""
    channel: Channel
    listener: socket.socket
    rootless: bool
    """Whether the caller is in a user namespace: no mknod."""
    placed: Placement
    early: bool
    """Whether the caller still makes the cgroups, and says `placed` when they are there."""


def run(launch: Launch) -> NoReturn:
    """The stage's whole life, in the child of a fork. Never returns."""
    step = "prepare"
    try:
        _prepare(launch)
        step = "namespaces"
        sources = _leave(launch, 0)
        pid = os.fork()
        if pid == 0:
            init.run(launch, sources)
        launch.channel.send("born", pid=pid)
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        launch.channel.fail(error, step)
    finally:
        os._exit(1)


def run_as_init(launch: Launch) -> NoReturn:
    """The same in a process that was cloned to be init itself. Never returns."""
    step = "prepare"
    try:
        _prepare(launch)
        step = "namespaces"
        sources = _leave(launch, CLONE_NEWPID)
    except BaseException as error:  # noqa: BLE001 (said to the parent)
        launch.channel.fail(error, step)
        os._exit(1)
    init.run(launch, sources)


def _prepare(launch: Launch) -> None:
    """Be a clean process: own session, default signals, only our descriptors, not traceable."""
    request = launch.request
    settle_child()
    keep = [launch.channel.sock.fileno(), launch.listener.fileno()]
    if request.console_socket is not None:
        keep.append(request.console_socket)
    streams.take(request.stdio, request.preserve_fds, keep)
    if request.new_keyring:
        settings.leave_keyring(request.container_id, request.warn)


def _leave(launch: Launch, made: int) -> Sources:
    """Take what is the host's, then the namespaces, but for those that are `made`."""
    spec, linux = launch.spec, launch.spec.linux
    assert spec.process is not None
    proc_fd = open_proc()
    if spec.process.oom_score_adj is not None:
        settings.set_oom_score(proc_fd, spec.process.oom_score_adj)
    settings.raise_hard_limits(spec.process.rlimits)
    sources = _open_sources(launch) if _may_mount() else None
    if launch.early:
        launch.channel.expect("placed")
    if launch.placed.version == 1:  # on v2 we were cloned into it
        launch.placed.join(None)
    join_by_path(linux)
    if new_flags(linux) & CLONE_NEWUSER:
        make_user_namespace(launch.channel, proc_fd)
    elif linux.namespace("user") is not None:
        become_root(proc_fd)
    make_others(linux, made)
    process.set_dumpable(False)
    os.close(proc_fd)
    return sources or _open_sources(launch)


def _may_mount() -> bool:
    """Whether sources can be taken now; a plain user has to be in its user namespace first."""
    return bool(capability.get()[0] & capability.mask(["CAP_SYS_ADMIN"]))


def _open_sources(launch: Launch) -> Sources:
    no_nodes = launch.rootless or launch.spec.linux.namespace("user") is not None
    return open_sources(launch.spec, launch.bundle, bind_devices=no_nodes)
