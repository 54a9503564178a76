"""Attempts to break out. Each runs inside a real container, and has to fail.

What the host must not lose is a file with known content outside of every root; what the
container must not get is named in each test.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import wherry

from .conftest import IS_ROOT, PROGRAM, Bundle, Rig

SECRET = "host secret\n"


@pytest.fixture
def secret(rig: Rig) -> Path:
    path = rig.folder / "host"
    path.mkdir()
    (path / "secret").write_text(SECRET)
    return path


def interpreter() -> Path:
    return Path(os.path.realpath(PROGRAM[0])).parent / "python"


# --- CVE-2019-5736: the runtime's own program by /proc/PID/exe


WATCH = """
mkdir -p /tmp/w; echo up
while :; do
  for p in /proc/[0-9]*; do
    case $p in /proc/1|/proc/self) continue;; esac
    t=$(readlink $p/exe 2>/dev/null)
    case "$t" in ''|/bin/*) continue;; esac
    echo "SAW $t"
    (echo hacked > $p/exe) 2>/dev/null && echo "WROTE $t"
    ls -l $p/fd 2>/dev/null | grep -v -E 'pipe|null|socket|total|anon|/proc' | grep " -> "
    cat $p/environ 2>/dev/null | grep -a CANARY
    readlink $p/cwd $p/root 2>/dev/null | grep -v '^/$' | sed 's/^/CWD /'
  done
done
"""


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("capability", ["CAP_KILL", "CAP_SYS_PTRACE"])
@pytest.mark.parametrize("evil", ["/proc/self/exe", "/bin/evil", "true"])
def test_the_runtimes_program_cannot_be_overwritten(rig: Rig, evil: str, capability: str) -> None:
    """Also where the container may trace: what it then gets at is the sealed copy."""
    bundle = rig.bundle("sh", "-c", WATCH, own_rootfs=True)
    bundle.capabilities(capability, "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    script = bundle.rootfs / "bin/evil"
    script.write_text("#!/proc/self/exe\n")
    script.chmod(0o755)
    real = Path(os.path.realpath(interpreter()))
    before = digest(real)
    seen = _watched(rig, bundle, evil)
    assert "WROTE" not in seen
    assert "CANARY" not in seen or capability == "CAP_SYS_PTRACE"
    assert str(real) not in seen
    assert "CWD" not in seen
    for own in (" -> /\n", " -> /etc/passwd\n"):  # its root; what the program opens after execve
        seen = seen.replace(own, "\n")
    assert " -> /" not in seen
    may_see = {"SAW /memfd:wherry-runtime (deleted)"} if capability == "CAP_SYS_PTRACE" else set()
    assert {line for line in seen.splitlines() if line.startswith("SAW")} <= may_see
    assert digest(real) == before


def _watched(rig: Rig, bundle: Bundle, evil: str) -> str:
    """Run execs under the eyes of the container; what it has seen."""
    output = rig.folder / "output"
    with open(output, "w") as out:
        child = subprocess.Popen(
            [*PROGRAM, "--root", rig.state, "run", "-b", bundle.save(), "box"],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    _wait_for(output, "up")
    for _ in range(12):
        rig("exec", "box", evil, env=os.environ | {"CANARY": "CANARY=caller"})
    rig.ok("kill", "box", "KILL")
    child.wait(20)
    return output.read_text()


def _wait_for(path: Path, text: str) -> None:
    deadline = time.monotonic() + 10
    while text not in path.read_text():
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.02)


def test_an_entry_point_that_is_the_runtime_itself(rig: Rig) -> None:
    """The container becomes the sealed copy, or nothing; the copy cannot be written to."""
    bundle = rig.bundle("/proc/self/exe", own_rootfs=True)
    result = rig("run", "-b", bundle.save(), "box")
    assert result.returncode != 0
    assert rig.ok("list", "-q") == ""


# --- CVE-2024-21626: descriptors and working directories of the host


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7, 8, 9, 10, 12])
def test_a_working_directory_behind_a_descriptor(rig: Rig, number: int) -> None:
    bundle = rig.bundle("sh", "-c", "ls ../../../..", cwd=f"/proc/self/fd/{number}")
    error = rig.fails("run", "-b", bundle.save(), "box")
    assert "chdir to cwd" in error or "mkdir" in error


def test_a_working_directory_behind_a_link_in_the_image(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "pwd; ls", own_rootfs=True)
    for number in range(3, 12):
        (bundle.rootfs / f"d{number}").symlink_to(f"/proc/self/fd/{number}")
    bundle.config["root"]["readonly"] = False
    rig.start(_sleeping(bundle))
    for number in range(3, 12):
        assert "chdir to cwd" in rig.fails("exec", "--cwd", f"/d{number}", "box", "pwd")
        bundle.process["cwd"] = f"/d{number}"
        assert rig.fails("run", "-b", bundle.save(), f"box{number}")


def _sleeping(bundle: Bundle) -> Bundle:
    copy = Bundle(bundle.path, json.loads(json.dumps(bundle.config)))
    copy.process["args"] = ["sleep", "300"]
    return copy


def test_a_directory_that_is_moved_away_under_an_exec(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "mkdir /tmp/gone; sleep 300")
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    rig.start(bundle)
    rig.sh("rm -r /tmp/gone; ln -s /proc/1/root/proc/self/cwd /tmp/gone")
    assert "chdir to cwd" in rig.fails("exec", "--cwd", "/tmp/gone", "box", "ls")


def test_no_descriptor_of_the_host_in_any_process(rig: Rig) -> None:
    bundle = rig.bundle("sleep", "300")
    rig.start(bundle)
    text = rig.sh("for f in /proc/[0-9]*/fd/*; do readlink $f; done 2>/dev/null; true")
    assert not [line for line in text.split() if str(rig.folder) in line or line == "/"]


# --- mount targets: CVE-2019-16884, -19921, CVE-2021-30465, CVE-2023-28642


@pytest.mark.parametrize("link", ["/../../../../../../..", "/", "../../../../../../../.."])
def test_links_in_the_image_do_not_lead_out(rig: Rig, secret: Path, link: str) -> None:
    bundle = rig.bundle("sh", "-c", "ls /evil", own_rootfs=True)
    (bundle.rootfs / "evil").symlink_to(link + str(secret))
    bundle.mount("/evil/made", "tmpfs", "tmpfs")
    bundle.mount("/evil/file", "none", str(secret / "secret"), "bind")
    rig.output(bundle)
    assert sorted(os.listdir(secret)) == ["secret"]
    assert (bundle.rootfs / str(secret).lstrip("/") / "made").is_dir()


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_a_link_in_the_place_of_proc_or_sys(rig: Rig, name: str) -> None:
    bundle = rig.bundle("true", own_rootfs=True)
    (bundle.rootfs / name).rmdir()
    (bundle.rootfs / "other").mkdir()
    (bundle.rootfs / name).symlink_to("other")
    kind = {"proc": "proc", "sys": "sysfs"}[name]
    config = [one for one in bundle.config["mounts"] if one["destination"] != "/sys"]
    if name == "sys":
        bundle.namespace("network")
        config.append({"destination": "/sys", "type": kind, "source": kind, "options": []})
    bundle.config["mounts"] = config
    error = rig.fails("run", "-b", bundle.save(), "box")
    assert "ordinary directory" in error


@pytest.mark.parametrize(
    "place", ["/proc/sys", "/proc/self/attr/exec", "/proc/1", "/proc/sys/kernel/core_pattern",
              "/link/sys/kernel"]
)  # fmt: skip
def test_nothing_is_mounted_inside_proc(rig: Rig, secret: Path, place: str) -> None:
    bundle = rig.bundle("true", own_rootfs=True)
    (bundle.rootfs / "link").symlink_to("proc")
    source = secret if place != "/proc/sys/kernel/core_pattern" else secret / "secret"
    bundle.mount(place, "none", str(source), "bind")
    error = rig.fails("run", "-b", bundle.save(), "box")
    assert "inside /proc is not allowed" in error or "directory" in error.lower()


def test_harmless_files_in_proc_may_be_covered(rig: Rig, secret: Path) -> None:
    bundle = rig.bundle("cat", "/proc/uptime")
    bundle.mount("/proc/uptime", "none", str(secret / "secret"), "bind")
    assert rig.output(bundle) == SECRET


@pytest.fixture
def swapper(rig: Rig) -> Iterator[Path]:
    """A shared volume in which a directory and a link to the host's root change places."""
    volume = rig.folder / "volume"
    (volume / "dir").mkdir(parents=True)
    (volume / "evil").symlink_to("/")
    (volume / "target").symlink_to("dir")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name in ("evil", "dir"):
                fresh = volume / f"fresh.{name}"
                fresh.symlink_to("/" if name == "evil" else "dir")
                fresh.replace(volume / "target")

    thread = threading.Thread(target=swap)
    thread.start()
    yield volume
    stop.set()
    thread.join()


def test_a_race_for_the_mount_target(rig: Rig, swapper: Path) -> None:
    """CVE-2021-30465: wherever the mount lands, it is inside the container."""
    for number in range(8):
        bundle = rig.bundle("sh", "-c", "cat /proc/self/mountinfo", own_rootfs=True)
        bundle.mount("/vol", "none", str(swapper), "bind")
        bundle.mount("/vol/target/race", "tmpfs", "marker", "size=44k")
        result = rig("run", "-b", bundle.save(), f"box{number}")
        lines = [line for line in result.stdout.splitlines() if "size=44k" in line]
        for line in lines:
            assert line.split()[4] in ("/vol/dir/race", "/race"), line
    assert "size=44k" not in Path("/proc/self/mountinfo").read_text()
    assert not os.path.exists("/race")


# --- CVE-2025-31133, -52565, -52881: devices and procfs that are not what they claim to be


def test_a_forged_null_device_is_not_used_as_a_mask(rig: Rig, secret: Path) -> None:
    bundle = rig.bundle("sh", "-c", "cat /proc/keys /dev/null; echo x > /proc/keys",
                        own_rootfs=True)  # fmt: skip
    fake = rig.folder / "dev"
    fake.mkdir()
    (fake / "null").symlink_to("/proc/sys/kernel/core_pattern")
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if not one["destination"].startswith("/dev")
    ]
    bundle.mount("/dev", "none", str(fake), "bind")
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    result = rig("run", "-b", bundle.save(), "box")
    assert result.stdout in ("", before)  # /dev/null itself is the image's own business
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    text = rig("run", "-b", _catting(bundle).save(), "box2").stdout
    assert text == ""


def _catting(bundle: Bundle) -> Bundle:
    copy = Bundle(bundle.path, json.loads(json.dumps(bundle.config)))
    copy.process["args"] = ["cat", "/proc/keys"]
    return copy


@pytest.mark.parametrize("forgery", ["file", "link", "fifo"])
def test_a_forged_ptmx_gives_no_terminal(rig: Rig, secret: Path, forgery: str) -> None:
    fake = rig.folder / "pts"
    fake.mkdir()
    if forgery == "file":
        (fake / "ptmx").write_text("")
    elif forgery == "link":
        (fake / "ptmx").symlink_to("/mnt/secret")
    else:
        os.mkfifo(fake / "ptmx")
    bundle = rig.bundle("sleep", "300")
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if one["destination"] != "/dev/pts"
    ]
    bundle.mount("/dev/pts", "none", str(fake), "bind")
    bundle.mount("/mnt", "none", str(secret), "bind")
    rig.start(bundle)
    assert "not the device it should be" in rig.fails("exec", "-t", "box", "true")
    assert (secret / "secret").read_text() == SECRET


def test_a_console_that_is_a_link(rig: Rig, secret: Path) -> None:
    bundle = rig.bundle("sh", "-c", "echo hacked > /dev/console")
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if one["destination"] != "/dev"
    ]
    own = rig.folder / "ownroot"
    subprocess.run(["cp", "-a", rig.rootfs, own], check=True)
    (own / "dev/console").symlink_to("/mnt/secret")
    (own / "dev/pts").mkdir()
    (own / "dev/shm").mkdir()
    (own / "dev/mqueue").mkdir()
    bundle.config["root"] = {"path": str(own), "readonly": False}
    bundle.mount("/mnt", "none", str(secret), "bind")
    bundle.process["terminal"] = True
    rig("run", "-b", bundle.save(), "box")
    assert (secret / "secret").read_text() == SECRET


def test_sysctls_and_labels_go_to_the_real_procfs(rig: Rig, secret: Path) -> None:
    """A /proc that the caller binds from a shared place is never written to by the runtime."""
    fake = rig.folder / "fakeproc"
    (fake / "sys/kernel").mkdir(parents=True)
    (fake / "sys/kernel/shm_rmid_forced").symlink_to(secret / "secret")
    (fake / "self").mkdir()
    for name in ("uid_map", "setgroups", "oom_score_adj"):
        (fake / "self" / name).symlink_to(secret / "secret")
    bundle = rig.bundle("sh", "-c", "echo ran")
    bundle.config["mounts"] = [
        one for one in bundle.config["mounts"] if one["destination"] != "/proc"
    ]
    bundle.mount("/proc", "none", str(fake), "bind")
    bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []
    if IS_ROOT:
        bundle.linux["sysctl"] = {"kernel.shm_rmid_forced": "1"}
    bundle.process["oomScoreAdj"] = 700
    assert rig.output(bundle) == "ran\n"
    assert (secret / "secret").read_text() == SECRET


# --- a hostile container and exec


def test_an_exec_does_not_wait_for_a_hostile_passwd(rig: Rig) -> None:
    bundle = rig.bundle("sleep", "300", own_rootfs=True)
    (bundle.rootfs / "etc/passwd").unlink()
    os.mkfifo(bundle.rootfs / "etc/passwd")
    rig.start(bundle)
    assert rig.ok("exec", "box", "sh", "-c", "echo $HOME", timeout=20) == "/\n"


def test_python_files_of_the_container_are_not_ours(rig: Rig, secret: Path) -> None:
    """A module that the runtime imports late would be the container's: there is no such import."""
    bundle = rig.bundle("sleep", "300", own_rootfs=True)
    trap = "open('/mnt/secret', 'w').write('hacked')\n"
    for folder in {*filter(None, sys.path), os.path.dirname(os.path.dirname(wherry.__file__))}:
        inside = bundle.rootfs / folder.lstrip("/")
        for name in ("encodings", "json", "wherry/runtime", "wherry/linux", "importlib", "ctypes"):
            (inside / name).mkdir(parents=True, exist_ok=True)
            (inside / name / "__init__.py").write_text(trap)
        for name in ("encodings/ascii", "encodings/latin_1", "encodings/idna", "traceback",
                     "linecache", "tokenize", "warnings", "contextlib", "signal", "re",
                     "wherry/runtime/errors", "wherry/runtime/seccomp"):  # fmt: skip
            (inside / f"{name}.py").write_text(trap)
    bundle.mount("/mnt", "none", str(secret), "bind")
    rig.start(bundle)
    for words in (["true"], ["nope"], ["/etc"], ["sh", "-c", "exit 3"]):
        rig("exec", "box", *words)
    rig("exec", "--cwd", "/nope", "box", "true")
    rig("exec", "-u", "4000000", "box", "true")
    bundle.process["args"] = ["nope"]
    rig("run", "-b", bundle.save(), "box2")
    assert (secret / "secret").read_text() == SECRET


def test_an_exec_into_a_forged_root(rig: Rig, secret: Path) -> None:
    """A container that may mount covers everything; what it covers stays its own problem."""
    bundle = rig.bundle("sleep", "300")
    bundle.capabilities("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_DAC_OVERRIDE")
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    bundle.mount("/mnt", "none", str(secret), "bind", "ro")
    rig.start(bundle)
    forge = (
        "mkdir -p /tmp/proc/self; ln -s /mnt/secret /tmp/proc/self/uid_map;"
        "ln -s /mnt/secret /tmp/proc/self/setgroups; mount -o bind /tmp/proc /proc"
    )
    rig.sh(forge)
    assert rig.sh("echo still here") == "still here\n"
    assert (secret / "secret").read_text() == SECRET


def test_the_host_cannot_be_traced_or_seen(rig: Rig) -> None:
    rig.start(rig.bundle())
    text = rig.sh("ls -d /proc/[0-9]*; ps | grep -c wherry")
    assert len([line for line in text.split() if line.startswith("/proc/")]) <= 4


@pytest.mark.root
def test_no_device_that_was_not_given(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "mknod /tmp/sda b 254 0 && head -c 1 /tmp/sda | wc -c")
    bundle.capabilities("CAP_MKNOD", "CAP_DAC_OVERRIDE")
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    result = rig("run", "-b", bundle.save(), "box")
    assert "Operation not permitted" in result.stderr
    assert result.stdout in ("0\n", "")


def test_masked_paths_cannot_be_uncovered(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "umount /proc/keys || umount -l /proc/keys; wc -c < /proc/keys")
    assert rig("run", "-b", bundle.save(), "box").stdout == "0\n"


def test_the_old_root_is_gone(rig: Rig, secret: Path) -> None:
    look = (
        "cat /proc/self/mountinfo | wc -l; cd /; for i in 1 2 3 4 5 6 7 8 9; do cd ..; done; ls;"
        f"cat {secret}/secret /proc/1/root{secret}/secret /proc/self/cwd{secret}/secret"
    )
    bundle = rig.bundle("sh", "-c", look)
    bundle.capabilities("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_DAC_OVERRIDE")
    result = rig("run", "-b", bundle.save(), "box")
    assert SECRET not in result.stdout
    assert result.stderr.count("No such file") == 3
    assert int(result.stdout.split()[0]) < 40


def test_a_state_file_is_not_taken_from_the_bundle(rig: Rig, sleeper: int) -> None:
    """Names in the bundle choose nothing on the host: an id with a slash is refused before."""
    evil = rig.folder / "evil"
    evil.mkdir()
    (evil / "state.json").write_text(json.dumps({"id": "x", "pid": sleeper}))
    for name in ("../evil", "..", "x/../../evil"):
        assert "invalid container id" in rig.fails("kill", name, "KILL")
        assert "invalid container id" in rig.fails("delete", "-f", name)
    os.kill(sleeper, 0)
    assert (evil / "state.json").exists()
