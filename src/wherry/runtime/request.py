"""What the callers of the runtime ask for."""

import re
from collections.abc import Callable
from typing import NamedTuple

from wherry.kit.errors import InvalidInput
from wherry.linux.cgroup.layout import Layout
from wherry.runtime.cgroups.placement import Placement
from wherry.runtime.spec_types import Process

_ID = re.compile(r"[A-Za-z0-9_+.-]{1,1024}")


def ignore_warning(text: str) -> None:
    """Where warnings go when nobody wants them."""
    del text


def ignore_birth(pid: int, placed: Placement) -> None:
    """For callers that have nothing to do meanwhile."""
    del pid, placed


class CreateRequest(NamedTuple):
    """A container to make from a bundle.

    `stdio` are descriptors for the container's 0, 1, 2 (None: the caller's own);
    `console_socket` is a connected unix socket to which the pty's master is sent;
    `preserve_fds` counts descriptors from 3 on that stay open; `die_with_parent` ties init's life
    to the caller's, who then has to be a subreaper; `for_parent` says that the caller is a child
    that leaves, and init may at once become a child of its parent; `layout` spares reading the
    cgroup layout anew, `filter_cache` (a folder of ours alone) compiling a seccomp profile that was
    seen before. `meanwhile` is called with init's pid once its namespaces are there: the caller's
    own work, done while init does its.
    """

    container_id: str
    bundle: str
    state_root: str
    stdio: tuple[int, int, int] | None = None
    console_socket: int | None = None
    pid_file: str = ""
    preserve_fds: int = 0
    no_pivot: bool = False
    die_with_parent: bool = False
    for_parent: bool = False
    new_keyring: bool = True
    layout: Layout | None = None
    filter_cache: str = ""
    meanwhile: Callable[[int, Placement], None] = ignore_birth
    warn: Callable[[str], None] = ignore_warning


class ExecRequest(NamedTuple):
    """A further process in a running container; the fields mean what they do above.

    `cgroup` is a path below the container's own cgroup, None for that itself. `one_id`: the
    container has a single id; another user is that same id by another name.
    """

    container_id: str
    state_root: str
    process: Process
    stdio: tuple[int, int, int] | None = None
    console_socket: int | None = None
    pid_file: str = ""
    preserve_fds: int = 0
    cgroup: str | None = None
    die_with_parent: bool = False
    for_parent: bool = False
    ignore_paused: bool = False
    one_id: bool = False
    filter_cache: str = ""
    warn: Callable[[str], None] = ignore_warning


def check_id(container_id: str) -> str:
    """The id, if it can be a folder's name. Raises InvalidInput."""
    if not _ID.fullmatch(container_id) or container_id in (".", ".."):
        raise InvalidInput(
            f"invalid container id {container_id!r}: want 1-1024 of A-Z a-z 0-9 _ + - ."
        )
    return container_id
