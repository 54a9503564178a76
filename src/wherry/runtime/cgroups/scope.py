"""Getting a delegated group of cgroup v2 as a plain user, from the user's own systemd.

Only the service manager may hand out groups (systemd's CGROUP_DELEGATION, "single writer"), so a
program that wants one starts itself again inside a scope that is delegated to it, and moves into a
group of its own there, so that containers can get groups beside it: a group that has processes
gives its children no controllers.
"""

import os
from collections.abc import Mapping, Sequence

from wherry.kit.errors import Unsupported
from wherry.linux.cgroup import directory as directories
from wherry.linux.cgroup.layout import Layout
from wherry.runtime.cgroups.group import Group

_ENGINE = "engine"


def is_delegated(layout: Layout) -> bool:
    """Whether this process may make groups beside its own and move its processes there.

    The user must own the directory and be able to write cgroup.procs and cgroup.subtree_control
    (cgroup-v2.rst, "Model of Delegation").
    """
    unified = layout.unified
    if layout.v1 or unified is None or not unified.own:
        return False
    try:
        with Group(unified, unified.own.rpartition("/")[0]).open() as above:
            return all(
                os.access(name, os.W_OK, dir_fd=above.fd)
                for name in (".", "cgroup.procs", "cgroup.subtree_control")
            )
    except OSError:
        return False


def delegation_command(
    arguments: Sequence[str], layout: Layout, environment: Mapping[str, str]
) -> list[str]:
    """The command line that runs `arguments` in a delegated scope, to be executed in our place.

    Raises Unsupported saying what is missing.
    """
    if layout.v1 or layout.unified is None:
        raise Unsupported("cgroup v1 cannot be delegated to plain users; boot with cgroup v2")
    manager = f"{environment.get('XDG_RUNTIME_DIR', '')}/systemd/private"
    if not os.path.exists(manager):
        raise Unsupported(
            "no service manager of this user is running (no $XDG_RUNTIME_DIR/systemd/private); "
            "log in, or have `loginctl enable-linger` done for this user"
        )
    program = _program("systemd-run", environment.get("PATH", os.defpath))
    return [
        *(program, "--user", "--scope", "--quiet", "--collect"),
        *("--property=Delegate=yes", "--", *arguments),
    ]


def _program(name: str, path: str) -> str:
    for folder in path.split(":"):
        if folder and os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    raise Unsupported(f"{name} is not in $PATH, so no delegated cgroup can be had")


def settle(layout: Layout, name: str = _ENGINE) -> Layout:
    """Move the processes of our scope into a group below it; containers then go beside that.

    To be called once, in the scope that `delegation_command` made. Returns the layout as it then
    is. Raises OSError.
    """
    unified = layout.unified
    if unified is None:
        raise Unsupported("there is no unified cgroup hierarchy to settle in")
    top = Group(unified, unified.own)
    with Group(unified, f"{unified.own}/{name}").create() as below, top.open() as scope:
        for pid in directories.processes(scope, below=False):
            try:
                below.write("cgroup.procs", str(pid))
            except ProcessLookupError:
                continue  # it ended meanwhile
    return layout._replace(unified=unified._replace(own=f"{unified.own}/{name}".strip("/")))
