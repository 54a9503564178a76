"""exec: options, terminal, exit codes."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pytest

from .conftest import PROGRAM, Rig


def test_exit_codes_and_streams(rig: Rig) -> None:
    rig.start(rig.bundle())
    result = rig("exec", "box", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.stdout, result.stderr, result.returncode) == ("out\n", "err\n", 7)
    result = rig("exec", "box", "cat", stdin=None, input="through")
    assert result.stdout == "through"
    assert rig("exec", "box", "sh", "-c", "kill -9 $$").returncode == 137


def test_options_change_the_containers_process(rig: Rig) -> None:
    bundle = rig.bundle(cwd="/etc")
    bundle.process["env"].append("A=1")
    rig.start(bundle)
    assert rig.sh("pwd; echo $A$B").split() == ["/etc", "1"]
    text = rig.sh("pwd; echo $A$B", "--cwd", "/tmp", "-e", "B=2", "--env", "A=3")
    assert text.split() == ["/tmp", "32"]
    status = rig.sh("grep -E 'NoNew|CapEff' /proc/self/status", "--cap", "CAP_SETUID")
    assert "NoNewPrivs:\t1" in status
    assert int(status.split()[1 if "CapEff" in status.split()[0] else 3], 16) & 1 << 7


@pytest.mark.root
def test_another_user(rig: Rig) -> None:
    rig.start(rig.bundle())
    assert rig.sh("id -u; id -g; id -G", "-u", "7:8", "-g", "9").split("\n")[:3] == [
        "7", "8", "8 9"]  # fmt: skip
    assert "is not a user or group id" in rig.fails("exec", "-u", "root", "box", "true")


def test_a_process_file(rig: Rig) -> None:
    rig.start(rig.bundle())
    path = rig.folder / "process.json"
    process = {"args": ["sh", "-c", "echo $X; pwd"], "cwd": "/tmp", "env": ["X=y", "PATH=/bin"]}
    path.write_text(json.dumps(process))
    assert rig.ok("exec", "--process", str(path), "box").split() == ["y", "/tmp"]
    path.write_text(json.dumps(process | {"cwd": 5}))
    assert "process.cwd" in rig.fails("exec", "-p", str(path), "box")


def test_detached_with_a_pid_file(rig: Rig) -> None:
    rig.start(rig.bundle())
    path = rig.folder / "pid"
    with open("/dev/null", "r+b") as null:
        command = [*PROGRAM, "--root", rig.state, "exec", "-d", "--pid-file", str(path), "box"]
        subprocess.run(
            [*command, "sleep", "55"], stdin=null, stdout=null, stderr=null, check=True, timeout=30
        )
    pid = int(path.read_text())
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        assert file.read() == b"sleep\x0055\x00"
    assert "sleep 55" in rig.sh("ps")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nope"], 'exec: "nope": executable file not found in $PATH'),
        (["/etc"], 'exec: "/etc": permission denied'),
        (["--cwd", "/nope/x", "true"], "chdir to cwd"),
        ([], "the command to run is missing"),
        (["--user", "-1", "true"], "is not a user"),
    ],
)
def test_what_cannot_be_run(rig: Rig, words: list[str], text: str) -> None:
    rig.start(rig.bundle())
    options = words[:2] if words[:1] and words[0].startswith("--") else []
    assert text in rig.fails("exec", *options, "box", *words[len(options) :])
    assert "does not exist" in rig.fails("exec", "other", "true")


def test_a_container_that_ends_takes_its_execs_along(rig: Rig) -> None:
    rig.start(rig.bundle())
    child = subprocess.Popen(
        [*PROGRAM, "--root", rig.state, "exec", "box", "sh", "-c", "echo up; sleep 300"],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    rig.ok("kill", "box", "KILL")
    assert child.wait(10) == 137
    child.stdout.close()


@pytest.mark.root
def test_an_exec_is_in_the_cgroup(rig: Rig) -> None:
    rig.start(rig.bundle())
    mine = {line.split(":")[1]: line.split(":")[2] for line in rig.sh("cat /proc/1/cgroup").split()}
    other = rig.sh("cat /proc/self/cgroup").split()
    assert {line.split(":")[1]: line.split(":")[2] for line in other} == mine


def in_terminal(rig: Rig, *words: str, typed: bytes = b"", size: tuple[int, int] = (0, 0)) -> str:
    """Run a command of the program on a pseudoterminal; what it shows."""
    pid, master = pty.fork()
    if pid == 0:
        os.execv(PROGRAM[0], [PROGRAM[0], "--root", rig.state, *words])
    if size != (0, 0):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", size[1], size[0], 0, 0))
    if typed:
        time.sleep(0.5)
        os.write(master, typed)
    shown = b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and select.select([master], [], [], 20)[0]:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        shown += data
    os.close(master)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return f"{shown.decode()}[{code}]".replace("\r", "")


def test_a_terminal_for_an_exec(rig: Rig) -> None:
    rig.start(rig.bundle())
    look = "tty; test -t 0 && echo is; read line; echo got $line; exit 5"
    shown = in_terminal(rig, "exec", "-t", "box", "sh", "-c", look, typed=b"word\n")
    assert "/dev/pts/0\nis\n" in shown
    assert "got word" in shown
    assert shown.endswith("[5]")


def test_a_terminal_for_a_container(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "tty; stty size; echo c > /dev/console; ps | head -3; exit 6")
    bundle.process["terminal"] = True
    shown = in_terminal(rig, "run", "-b", bundle.save(), "box", size=(97, 31))
    assert shown.startswith("/dev/pts/0\n31 97\n")
    assert "\nc\n" in shown
    assert shown.endswith("[6]")


def test_control_c_reaches_the_container(rig: Rig) -> None:
    rig.start(rig.bundle())
    look = "trap 'echo caught; exit 9' INT; echo up; while :; do usleep 10000; done"
    shown = in_terminal(rig, "exec", "-t", "box", "sh", "-c", look, typed=b"\x03")
    assert "caught" in shown
    assert shown.endswith("[9]")


def test_a_terminal_needs_a_socket_or_the_foreground(rig: Rig) -> None:
    bundle = rig.bundle()
    bundle.process["terminal"] = True
    assert "console socket" in rig.fails("create", "-b", bundle.save(), "box")
    assert "console-socket" in rig.fails(
        "create", "--console-socket", "/no/such", "-b", bundle.save(), "box"
    )


def test_without_a_devpts_there_is_no_terminal(rig: Rig) -> None:
    bundle = rig.bundle("true")
    bundle.config["mounts"] = [one for one in bundle.config["mounts"]
                               if one["destination"] != "/dev/pts"]  # fmt: skip
    bundle.process["terminal"] = True
    assert "devpts" in in_terminal(rig, "run", "-b", bundle.save(), "box")
