"""A plain user's namespaces, and the process that keeps them.

A plain user owns a user namespace, in which it is root over one id, and in it a mount and a
network namespace. They must outlive the daemon, as the containers do: the *keeper*, a sleeping
process, holds them. A new daemon joins them by setns(2), and makes new ones only where no keeper
lives (a pid alone does not say so: start time and boot id must agree).
"""

import json
import os
import shutil
import signal
import subprocess
import time
from typing import NamedTuple

from wherry.engine.spec.facts import IdMode
from wherry.kit.errors import Unavailable, Unsupported
from wherry.kit.files import read_optional, write_atomic
from wherry.linux import mount, namespace, process
from wherry.linux.namespace import IdMap

STATE = "keeper.json"


class Place(NamedTuple):
    """Where the engine runs. `netns` is a descriptor on the bridges' namespace, -1 for our own."""

    ids: IdMode
    netns: int


class Keeper(NamedTuple):
    """A living keeper."""

    pid: int
    start_time: int
    boot_id: str
    ids: IdMode


def enter(exec_root: str) -> Place:
    """Go where containers can be made. Only for a process with one thread.

    Root stays where it is. A plain user's process becomes root of its own user namespace.
    Raises Unsupported where the kernel gives plain users no user namespace.
    """
    if os.geteuid() == 0:
        ids: IdMode = "single" if _one_id() else "mapped" if _mapped() else "real"
        return Place(ids, -1)
    os.makedirs(exec_root, mode=0o700, exist_ok=True)
    keeper = find(exec_root) or _start(exec_root)
    pidfd = process.pidfd_open(keeper.pid)
    try:
        netns = namespace.open_of(keeper.pid, "net")
        cwd = os.getcwd()
        namespace.join_process(pidfd, keeper.pid, namespace.FLAGS["user"] | namespace.FLAGS["mnt"])
        os.chdir(cwd)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    finally:
        os.close(pidfd)
    return Place(keeper.ids, netns)


def _one_id() -> bool:
    return namespace.in_user_namespace() and sum(each.size for each in namespace.read_map()) == 1


def _mapped() -> bool:
    return namespace.in_user_namespace()


def find(exec_root: str) -> Keeper | None:
    """The keeper of an engine, if it lives."""
    data = read_optional(f"{exec_root}/{STATE}")
    if data is None:
        return None
    keeper = Keeper(**json.loads(data))
    try:
        alive = process.start_time(keeper.pid) == keeper.start_time
    except OSError:
        return None
    return keeper if alive and keeper.boot_id == process.boot_id() else None


def stop(exec_root: str) -> None:
    """End the keeper: its namespaces go with the last process in them."""
    keeper = find(exec_root)
    if keeper is not None:
        os.kill(keeper.pid, signal.SIGKILL)
    if os.path.exists(f"{exec_root}/{STATE}"):
        os.unlink(f"{exec_root}/{STATE}")


def _start(exec_root: str) -> Keeper:
    """Fork the keeper, map its ids, wait until its namespaces are there."""
    ready, tell = os.pipe()
    go, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ready)
        os.close(release)
        _be_keeper(go, tell)
    os.close(tell)
    os.close(go)
    try:
        _expect(ready, pid, "cannot make a user namespace")
        ids = _map_ids(pid)
        os.write(release, b"!")
        _expect(ready, pid, "cannot make mount and network namespaces")
    except BaseException:
        _end(pid)
        raise
    finally:
        os.close(ready)
        os.close(release)
    keeper = Keeper(pid, process.start_time(pid), process.boot_id(), ids)
    write_atomic(f"{exec_root}/{STATE}", json.dumps(keeper._asdict()).encode(), durable=False)
    return keeper


def _be_keeper(go: int, tell: int) -> None:
    """In the child: namespaces, then sleep for ever. Errors go through the pipe as text."""
    try:
        os.setsid()
        namespace.unshare(namespace.FLAGS["user"])
        os.write(tell, b"!")
        os.read(go, 1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        namespace.unshare(namespace.FLAGS["mnt"] | namespace.FLAGS["net"])
        mount.mount(None, "/", None, mount.MS_REC | mount.MS_SLAVE)
        os.write(tell, b"!")
        _sleep(tell)
    except OSError as error:
        os.write(tell, str(error).encode())
    finally:
        os._exit(1)


def _sleep(tell: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.chdir("/")
    os.close(tell)
    os.closerange(3, 1 << 16)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    program = shutil.which("sleep", path="/bin:/usr/bin")
    if program:  # an interpreter that sleeps costs 10 MB more
        os.execv(program, ["wherry-keeper", "infinity"])
    while True:
        signal.pause()


def _expect(ready: int, pid: int, what: str) -> None:
    answer = os.read(ready, 1000)
    if answer != b"!":
        reason = answer.decode(errors="replace") or f"process {pid} died"
        raise Unsupported(f"{what}: {reason}; `wherry doctor` says what this machine allows")


def _map_ids(pid: int) -> IdMode:
    """Ranges by newuidmap where the user has some, else the one id that needs no helper."""
    uid, gid = os.getuid(), os.getgid()
    ranges = [_subordinate("/etc/subuid", uid), _subordinate("/etc/subgid", gid)]
    helpers = [shutil.which("newuidmap"), shutil.which("newgidmap")]
    if all(ranges) and all(helpers):
        commands = zip(helpers, (uid, gid), ranges, strict=True)
        if all(_run_helper(str(helper), pid, own, extra) for helper, own, extra in commands):
            return "mapped"
    namespace.deny_setgroups(pid)
    namespace.write_map(pid, "uid", [IdMap(0, uid, 1)])
    namespace.write_map(pid, "gid", [IdMap(0, gid, 1)])
    return "single"


def _run_helper(helper: str, pid: int, own: int, extra: tuple[int, int] | None) -> bool:
    first, count = extra or (0, 0)
    words = [helper, str(pid), "0", str(own), "1", "1", str(first), str(count)]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def _subordinate(path: str, id: int) -> tuple[int, int] | None:
    """The first range of a user in /etc/subuid or /etc/subgid: `name-or-id:first:count`."""
    data = read_optional(path) or b""
    names = {str(id), os.environ.get("USER", "")}
    for line in data.decode(errors="replace").splitlines():
        fields = line.split(":")
        if len(fields) == 3 and fields[0] in names and fields[1].isdigit():
            return int(fields[1]), int(fields[2])
    return None


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        raise Unavailable(f"the keeper {pid} vanished at its start") from None
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.01)
