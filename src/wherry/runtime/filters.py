"""Seccomp filters on their way from the caller, which compiles them, to the process they bind."""

import json
import os
import socket
from collections.abc import Mapping
from typing import NamedTuple

from wherry.kit.errors import Internal, InvalidInput
from wherry.linux import fdpass
from wherry.runtime import seccomp
from wherry.runtime.filter_cache import compiled
from wherry.runtime.handshake import Channel
from wherry.runtime.seccomp_profile import parse_profile

_SUN_PATH = 108
ONE_ID = "wherry.one-id-filter"
"""Annotation: `true` adds the filter that answers id changes with success (one-id containers)."""


class Filters(NamedTuple):
    """Programs with their load flags, in the order of loading.

    `listener` is a connected socket that gets the notification descriptor of the first program.
    """

    programs: tuple[tuple[bytes, int], ...] = ()
    listener: int | None = None
    metadata: str = ""


class Compiled(NamedTuple):
    """The same before the listener is connected; `listener_path` is empty where there is none."""

    programs: tuple[tuple[bytes, int], ...] = ()
    listener_path: str = ""
    metadata: str = ""


def compile_filters(
    profile: dict[str, object] | None, annotations: tuple[tuple[str, str], ...], cache: str = ""
) -> Compiled:
    """Compile what a configuration asks for, or find it in the cache's folder.

    Raises InvalidInput, Unsupported.
    """
    programs: list[tuple[bytes, int]] = []
    path = metadata = ""
    if profile is not None:
        programs.append(compiled(cache, profile, lambda: _compile(profile)))
        path = str(profile.get("listenerPath") or "")
        metadata = str(profile.get("listenerMetadata") or "")
    if dict(annotations).get(ONE_ID) == "true":
        programs.append((_one_id_program(profile), 0))
    return Compiled(tuple(programs), path, metadata)


def connected(filters: Compiled) -> Filters:
    """With the listener, where one is wanted. Raises InvalidInput where nobody listens."""
    path = filters.listener_path
    return Filters(filters.programs, _connect(path) if path else None, filters.metadata)


def _compile(profile: dict[str, object]) -> tuple[bytes, int]:
    parsed = parse_profile(profile)
    return seccomp.compile_profile(parsed), parsed.flags


def _one_id_program(profile: dict[str, object] | None) -> bytes:
    from wherry.runtime.seccomp_one_id import one_id_filter  # few containers pay for it

    wanted = (profile or {}).get("architectures")
    return one_id_filter(list(wanted) if isinstance(wanted, list) else [])


def _connect(path: str) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            _connect_to(sock, path)
        except OSError as error:
            raise InvalidInput(f"linux.seccomp.listenerPath {path}: {error.strerror}") from error
        return sock.detach()


def _connect_to(sock: socket.socket, path: str) -> None:
    """Also where the path is longer than sun_path (unix(7): 108 bytes)."""
    if len(os.fsencode(path)) < _SUN_PATH:
        sock.connect(path)
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def send_filters(channel: Channel, filters: Filters) -> None:
    """One packet with the flags (and the listener), then one a program."""
    flags = [flag for _, flag in filters.programs]
    head = {"kind": "filters", "flags": flags, "metadata": filters.metadata}
    fds = [] if filters.listener is None else [filters.listener]
    fdpass.send(channel.sock, json.dumps(head).encode(), fds)
    for program, _ in filters.programs:
        fdpass.send(channel.sock, program)
    if filters.listener is not None:
        os.close(filters.listener)


def receive_filters(channel: Channel) -> Filters:
    """The inverse of send_filters."""
    data, fds = fdpass.receive(channel.sock)
    if not data:
        raise Internal("the other side of the handshake is gone")
    head = json.loads(data)
    programs = [(fdpass.receive(channel.sock)[0], flag) for flag in head["flags"]]
    return Filters(tuple(programs), fds[0] if fds else None, head["metadata"])


def load_filters(filters: Filters, state: Mapping[str, object]) -> None:
    """Bind ourselves for good. Raises OSError, Unsupported."""
    for index, (program, flags) in enumerate(filters.programs):
        notification = seccomp.load(program, flags)
        if notification is not None and index == 0 and filters.listener is not None:
            _hand_over(filters, notification, state)


def _hand_over(filters: Filters, notification: int, state: Mapping[str, object]) -> None:
    """Send the descriptor with the container process state (config-linux.md)."""
    document = {
        "ociVersion": state.get("ociVersion"),
        "fds": ["seccompFd"],
        "pid": state.get("pid"),
        "metadata": filters.metadata,
        "state": state,
    }
    assert filters.listener is not None
    with socket.socket(fileno=filters.listener) as sock:
        fdpass.send(sock, json.dumps(document).encode(), [notification])
    os.close(notification)
