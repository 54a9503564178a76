"""Id maps of user namespaces: written directly where the kernel lets us, else by newuidmap.

A process that holds CAP_SETUID (CAP_SETGID) in its own user namespace writes any map of ids that
it has itself. Without, one line of length one, of its own effective id, is allowed, once
setgroups is denied (user_namespaces(7)). Anything else needs the set-id programs of `uidmap`.
"""

import os

from wherry.kit.errors import Unsupported
from wherry.linux import capability, namespace
from wherry.linux.namespace import IdMap
from wherry.runtime.errors import SetupNotPermitted
from wherry.runtime.hooks import run_program

_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"

Maps = tuple[IdMap, ...]


def write_maps(pid: int, uid_maps: Maps, gid_maps: Maps) -> None:
    """Map the ids of a process in its new user namespace. Raises SetupNotPermitted."""
    effective = capability.get()[0]
    _write_one(pid, "uid", uid_maps, bool(effective & capability.mask(["CAP_SETUID"])))
    _write_one(pid, "gid", gid_maps, bool(effective & capability.mask(["CAP_SETGID"])))


def _write_one(pid: int, kind: str, maps: Maps, privileged: bool) -> None:
    own = os.geteuid() if kind == "uid" else os.getegid()
    if not privileged:
        if len(maps) != 1 or maps[0].size != 1 or maps[0].outside != own:
            _by_program(pid, kind, maps)
            return
        if kind == "gid":
            namespace.deny_setgroups(pid)
    try:
        namespace.write_map(pid, kind, maps)
    except OSError as error:
        lines = ", ".join(str(line) for line in maps)
        raise SetupNotPermitted(
            f"cannot map {kind}s ({lines}): {error.strerror}; are these ids ours to give?"
        ) from error


def _by_program(pid: int, kind: str, maps: Maps) -> None:
    program = f"new{kind}map"
    for folder in _PATH.split(":"):
        if os.access(f"{folder}/{program}", os.X_OK):
            break
    else:
        raise Unsupported(
            f"mapping more than the own {kind} needs {program} (Debian package uidmap)"
        )
    words = [str(number) for line in maps for number in line]
    status, output = run_program(f"{folder}/{program}", (program, str(pid), *words))
    if status:
        raise SetupNotPermitted(f"{program} failed ({status}): {output.strip()}")


def user_namespace_with(uid_maps: Maps, gid_maps: Maps) -> int:
    """A descriptor on a user namespace that has just these maps, for idmapped mounts."""
    told, tell = os.pipe2(os.O_CLOEXEC)
    go, ready = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _hold_namespace(tell, go, (told, ready))
    os.close(tell)
    os.close(go)
    try:
        if os.read(told, 1) != b"+":
            raise SetupNotPermitted("cannot make a user namespace for an idmapped mount")
        write_maps(pid, uid_maps, gid_maps)
        return namespace.open_of(pid, "user")
    finally:
        os.close(told)
        os.close(ready)  # lets the child go
        os.waitpid(pid, 0)


def _hold_namespace(tell: int, go: int, others: tuple[int, int]) -> None:
    """The child: be in the namespace until the parent has opened it."""
    status = 1
    try:
        for descriptor in others:
            os.close(descriptor)
        namespace.unshare(namespace.CLONE_NEWUSER)
        os.write(tell, b"+")
        os.read(go, 1)
        status = 0
    finally:
        os._exit(status)
