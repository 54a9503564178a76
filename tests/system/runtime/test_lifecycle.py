"""create, start, state, kill, delete, and what is left when they fail."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import IS_ROOT, PROGRAM, Rig, in_sealed_python


def test_a_life(rig: Rig) -> None:
    bundle = rig.bundle("sleep", "300")
    bundle.config["annotations"] = {"a": "b"}
    pid = rig.start(bundle, "box", "--pid-file", f"{rig.folder}/pid")
    state = json.loads(rig.ok("state", "box"))
    assert state["status"] == "running"
    assert state["pid"] == pid == int(Path(rig.folder, "pid").read_text())
    assert state["bundle"] == str(bundle.path)
    assert state["annotations"] == {"a": "b"}
    assert "running" in rig.fails("delete", "box")
    rig.ok("kill", "box", "KILL")
    rig.wait("stopped")
    assert json.loads(rig.ok("state", "box"))["pid"] == 0
    assert "not running" in rig.fails("kill", "box")
    rig.ok("delete", "box")
    assert "container does not exist: box" in rig.fails("state", "box")
    assert "does not exist" in rig.fails("delete", "box")
    rig.ok("delete", "--force", "box")


def create(rig: Rig, path: str, *words: str) -> None:
    with open("/dev/null", "r+b") as null:
        command = [*PROGRAM, "--root", rig.state, "create", *words, "-b", path, "box"]
        subprocess.run(command, stdin=null, stdout=null, stderr=null, check=True, timeout=60)


def test_a_created_container_waits(rig: Rig) -> None:
    marker = rig.folder / "ran"
    marker.touch()
    bundle = rig.bundle("sh", "-c", "echo yes > /mnt/ran; sleep 300")
    bundle.mount("/mnt/ran", "none", str(marker), "bind")
    create(rig, bundle.save())
    assert rig.status() == "created"
    time.sleep(0.1)
    assert marker.read_text() == ""
    rig.ok("start", "box")
    deadline = time.monotonic() + 5
    while marker.read_text() != "yes\n":
        assert time.monotonic() < deadline
    assert "running" in rig.fails("start", "box")


def test_an_id_is_used_once(rig: Rig) -> None:
    rig.start(rig.bundle())
    assert "already exists: box" in rig.fails("create", "-b", rig.bundle().save(), "box")
    assert rig.status() == "running"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".."])
def test_an_id_is_no_path(rig: Rig, name: str) -> None:
    assert "container id" in rig.fails("create", "-b", rig.bundle().save(), name)


def test_the_exit_code_is_the_programs(rig: Rig) -> None:
    assert rig("run", "-b", rig.bundle("sh", "-c", "exit 42").save(), "box").returncode == 42
    killed = rig("run", "-b", rig.bundle("sh", "-c", "kill -9 $$").save(), "box2")
    assert killed.returncode in (0, 137)  # PID 1 cannot kill itself
    bundle = rig.bundle("sh", "-c", "sh -c 'kill -9 $$'; exit $?")
    assert rig("run", "-b", bundle.save(), "box3").returncode == 137


def test_signals_reach_a_foreground_container(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "trap 'exit 9' TERM; echo up; while :; do usleep 10000; done")
    child = subprocess.Popen(
        [*PROGRAM, "--root", rig.state, "run", "-b", bundle.save(), "box"],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 9
    child.stdout.close()


def test_a_foreground_run_that_is_killed_takes_its_container_along(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "echo up; sleep 300")
    child = subprocess.Popen(
        [*PROGRAM, "--root", rig.state, "run", "-b", bundle.save(), "box"],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.kill()
    child.wait()
    child.stdout.close()
    rig.wait("stopped")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["nope"], 'exec: "nope": executable file not found in $PATH'),
        (["/no/such"], 'exec: "/no/such": stat /no/such: no such file or directory'),
        (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
        (["/etc"], 'exec: "/etc": permission denied'),
    ],
)
def test_a_program_that_cannot_run(rig: Rig, args: list[str], text: str) -> None:
    bundle = rig.bundle(*args)
    log = rig.folder / "log"
    error = rig.fails(
        "--log", str(log), "--log-format", "json", "create", "-b", bundle.save(), "box"
    )
    assert error == f"unable to start container process: {text}"
    assert json.loads(log.read_text().splitlines()[-1])["msg"] == error
    assert rig.ok("list", "-q") == ""


def test_a_program_that_fails_only_at_execve(rig: Rig) -> None:
    bundle = rig.bundle("/bin/bad", own_rootfs=True)
    bad = bundle.rootfs / "bin/bad"
    bad.write_bytes(b"\0\0\0\0")
    bad.chmod(0o755)
    create(rig, bundle.save())
    assert "exec /bin/bad: exec format error" in rig.fails("start", "box")
    rig.wait("stopped")


def cgroups() -> set[str]:
    return {path for path, _, _ in os.walk("/sys/fs/cgroup") if path.endswith("wherry-left")}


@pytest.mark.parametrize("what", ["mount", "hook", "program", "seccomp", "cwd", "namespace"])
def test_a_failed_create_leaves_nothing(rig: Rig, what: str) -> None:
    bundle = rig.bundle("sleep", "1")
    if IS_ROOT:
        bundle.linux["cgroupsPath"] = f"/{rig.folder.name}-wherry-left"
    if what == "mount":
        bundle.mount("/x", "tmpfs", "tmpfs", "nonsense=1")
    if what == "hook":
        bundle.config["hooks"] = {"createContainer": [{"path": "/bin/false"}]}
    if what == "program":
        bundle.process["args"] = ["nope"]
    if what == "seccomp":
        bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_FUN"}
    if what == "cwd":
        bundle.process["cwd"] = "/etc/passwd"
    if what == "namespace":
        bundle.namespace("ipc", "/dev/null")
    processes = set(os.listdir("/proc"))
    assert rig.fails("create", "-b", bundle.save(), "wherry-left")
    assert rig.ok("list", "-q") == ""
    assert not cgroups()
    new = {name for name in set(os.listdir("/proc")) - processes if name.isdigit()}
    assert not [name for name in new if _is_ours(name, rig.state)]


def _is_ours(pid: str, state: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return state.encode() in file.read()
    except OSError:
        return False


def test_the_created_process_is_told_by_start_time(rig: Rig, sleeper: int) -> None:
    """A state file whose pid was given to another process does that process no harm."""
    rig.start(rig.bundle())
    rig.ok("kill", "box", "KILL")
    rig.wait("stopped")
    path = Path(rig.state, "box", "state.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"pid": sleeper}))
    assert rig.status() == "stopped"
    assert "not running" in rig.fails("kill", "box", "KILL")
    assert "stopped" in rig.fails("exec", "box", "true")
    rig.ok("delete", "--force", "box")
    os.kill(sleeper, 0)
    assert f"{sleeper} (sleep)" in Path(f"/proc/{sleeper}/stat").read_text()


def test_list_and_features_and_version(rig: Rig) -> None:
    rig.start(rig.bundle(), "one")
    rig.start(rig.bundle(), "two")
    assert rig.ok("list", "-q") == "one\ntwo\n"
    listed = json.loads(rig.ok("list", "--format", "json"))
    assert [container["id"] for container in listed] == ["one", "two"]
    assert rig.ok("list").splitlines()[0].split()[:3] == ["ID", "PID", "STATUS"]
    assert json.loads(rig.ok("features"))["ociVersionMax"] == "1.3.0"
    assert "spec: 1.3.0" in rig.ok("--version")


IN_PROCESS = """
import json, os, sys
from wherry.linux import process
from wherry.runtime.lifecycle import *
state_root, bundle = sys.argv[2:4]
process.become_subreaper()
def own():
    names = "cgroup ipc mnt net pid user uts pid_for_children".split()
    return [os.readlink(f"/proc/self/ns/{name}") for name in names]
before = (sorted(os.listdir("/proc/self/fd")), own(), os.getcwd(), os.umask(0o22))
out_read, out_write = os.pipe()
null = os.open("/dev/null", os.O_RDONLY)
made = create(CreateRequest("in", bundle, state_root, stdio=(null, out_write, out_write),
                            die_with_parent=True))
start(state_root, "in")
os.close(out_write)
os.close(null)
text = os.read(out_read, 100)
pid, status = os.waitpid(made.pid, 0)
os.close(out_read)
delete(state_root, "in")
try:
    create(CreateRequest("in", bundle + "/missing", state_root))
except Exception as error:
    text += type(error).__name__.encode()
after = (sorted(os.listdir("/proc/self/fd")), own(), os.getcwd(), os.umask(0o22))
print(text, os.waitstatus_to_exitcode(status), before == after, os.listdir(state_root))
"""


def test_in_process_nothing_of_the_caller_changes(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "echo hello; exit 3")
    result = in_sealed_python(IN_PROCESS, rig.state, bundle.save())
    assert result.stdout == "b'hello\\nNotFound' 3 True []\n", result.stderr


def test_an_unsealed_interpreter_makes_no_container(rig: Rig) -> None:
    from wherry.kit.errors import PreconditionFailed
    from wherry.runtime.lifecycle import CreateRequest
    from wherry.runtime.lifecycle import create as create_in_process

    with pytest.raises(PreconditionFailed, match="sealed"):
        create_in_process(CreateRequest("x", rig.bundle().save(), rig.state))


@pytest.mark.root
def test_pause_update_ps_and_events(rig: Rig) -> None:
    rig.start(rig.bundle())
    rig.ok("pause", "box")
    assert rig.status() == "paused"
    assert "paused" in rig.fails("exec", "box", "true")
    assert "paused" in rig.fails("pause", "box")
    rig.ok("resume", "box")
    assert rig.status() == "running"
    assert "not paused" in rig.fails("resume", "box")
    rig.ok("update", "--memory", "64m", "--pids-limit", "77", "box")
    event = json.loads(rig.ok("events", "--stats", "box"))
    assert event["data"]["memory"]["usage"]["limit"] == 64 << 20
    assert event["data"]["pids"]["limit"] == 77
    pids = json.loads(rig.ok("ps", "--format", "json", "box"))
    assert pids == [json.loads(rig.ok("state", "box"))["pid"]]
    assert "sleep 300" in rig.ok("ps", "box")
    rig.ok("pause", "box")
    rig.ok("kill", "box", "KILL")
    rig.wait("stopped")


def test_kill_all_reaches_everybody(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "trap '' TERM; sleep 300 & sleep 301")
    rig.start(bundle)
    rig.ok("kill", "--all", "box", "KILL")
    rig.wait("stopped")


def test_a_shared_pid_namespace_is_emptied_by_delete(rig: Rig) -> None:
    if not IS_ROOT:
        pytest.skip("without a cgroup the processes cannot be told from others")
    bundle = rig.bundle("sh", "-c", "setsid sleep 312 & sleep 313")
    bundle.namespace("pid", "-")
    rig.start(bundle)
    assert len(json.loads(rig.ok("ps", "-f", "json", "box"))) >= 2
    rig.ok("delete", "--force", "box")
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert "sleep 312" not in running.stdout
