"""The process as it sees itself: identity, limits, signals, descriptors, directory."""

import os
import subprocess

import pytest

from wherry.linux import capability

from .conftest import IS_ROOT, PROGRAM, Bundle, Rig

NAMES = ["CAP_CHOWN", "CAP_NET_RAW"]


def status_of(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in lines}


def test_capabilities_and_no_new_privileges(rig: Rig) -> None:
    bundle = rig.bundle("cat", "/proc/self/status", noNewPrivileges=True)
    bundle.process["capabilities"] = {
        "bounding": [*NAMES, "CAP_KILL", "CAP_FLY"],
        "effective": NAMES[:1],
        "permitted": NAMES,
        "inheritable": NAMES,
        "ambient": NAMES[:1],
    }
    seen = status_of(rig.output(bundle))
    assert seen["NoNewPrivs"] == "1"
    assert int(seen["CapBnd"], 16) == capability.mask([*NAMES, "CAP_KILL"])
    assert int(seen["CapInh"], 16) == capability.mask(NAMES)
    assert int(seen["CapAmb"], 16) == capability.mask(NAMES[:1])
    # uid 0 gains all of inheritable and bounding at execve (capabilities(7))
    assert int(seen["CapPrm"], 16) & ~capability.mask([*NAMES, "CAP_KILL"]) == 0


def test_signals_are_default(rig: Rig) -> None:
    seen = status_of(rig.output(rig.bundle("cat", "/proc/self/status")))
    for key in ("SigBlk", "SigIgn", "SigCgt", "SigPnd"):
        assert int(seen[key], 16) == 0, key


@pytest.mark.root
def test_another_user_has_no_capability_but_the_ambient_ones(rig: Rig) -> None:
    bundle = rig.bundle(
        "sh", "-c", "cat /proc/self/status; id; touch /tmp/x; stat -c %a /tmp/x; echo >/dev/stdout"
    )
    bundle.config["root"]["readonly"] = False
    bundle.mount("/tmp", "tmpfs", "tmpfs", "mode=1777")
    bundle.process["user"] = {"uid": 7, "gid": 8, "umask": 0o77, "additionalGids": [9, 10]}
    sets = ("bounding", "effective", "permitted", "inheritable")
    bundle.process["capabilities"] = dict.fromkeys(sets, NAMES) | {"ambient": NAMES[:1]}
    text = rig.output(bundle)
    seen = status_of(text)
    assert int(seen["CapEff"], 16) == int(seen["CapPrm"], 16) == capability.mask(NAMES[:1])
    assert int(seen["CapBnd"], 16) == capability.mask(NAMES)
    assert seen["Groups"] == "9 10"
    assert "uid=7" in text
    assert "gid=8" in text
    assert "\n600\n" in text


@pytest.mark.plain
def test_an_id_that_is_not_mapped_is_refused(rig: Rig) -> None:
    bundle = rig.bundle("id")
    bundle.process["user"] = {"uid": 7, "gid": 7}
    assert "cannot become user 7" in _fail(rig, bundle)
    bundle.process["user"] = {"uid": 0, "gid": 0, "additionalGids": [5]}
    assert "setgroups is denied" in rig.fails("run", "-b", bundle.save(), "box2")


def _fail(rig: Rig, bundle: Bundle) -> str:
    return rig.fails("run", "-b", bundle.save(), "box")


def test_limits_and_scores(rig: Rig) -> None:
    bundle = rig.bundle(
        "sh", "-c", "ulimit -n; ulimit -Hn; ulimit -f; cat /proc/self/oom_score_adj"
    )
    bundle.process["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 30, "hard": 50},
        {"type": "RLIMIT_FSIZE", "soft": 512, "hard": 512},
    ]
    bundle.process["oomScoreAdj"] = 600
    assert rig.output(bundle).split() == ["30", "50", "1", "600"]


def test_a_limit_that_cannot_be_raised_is_named(rig: Rig) -> None:
    bundle = rig.bundle("true")
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 << 40}]
    assert "prlimit(RLIMIT_NOFILE" in _fail(rig, bundle)


def test_environment_directory_and_home(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "pwd; env", env=["PATH=/bin", "A=b c", "E="], cwd="/tmp/new")
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    lines = rig.output(bundle).splitlines()
    assert lines[0] == "/tmp/new"
    assert {"A=b c", "E=", "HOME=/root"} <= set(lines)


def test_priorities(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "awk '{print $19, $41}' /proc/self/stat; nproc")
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_IDLE", "priority": 0}
    assert rig.output(bundle).splitlines()[0] == "5 3"


def test_personality(rig: Rig) -> None:
    bundle = rig.bundle("cat", "/proc/self/personality")
    bundle.linux["personality"] = {"domain": "LINUX32"}
    assert rig.output(bundle).strip() == "00000008"


def test_only_what_is_preserved_reaches_the_container(rig: Rig) -> None:
    folder = os.open("/", os.O_RDONLY)
    os.set_inheritable(folder, True)
    look = "ls /proc/self/fd; ls -l /proc/1/fd"
    try:
        text = rig.output(rig.bundle("sh", "-c", look), pass_fds=(folder,))
    finally:
        os.close(folder)
    assert text.split("total")[0].split() == ["0", "1", "2", "3"]  # 3 is ls's own
    targets = [line.partition(" -> ")[2] for line in text.splitlines() if " -> " in line]
    assert len(targets) == 3
    assert not [target for target in targets if target == "/" or "wherry" in target]


def test_preserved_descriptors(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "echo through >&3; readlink /proc/self/fd/4")
    out = rig.folder / "out"
    with open(out, "w") as three, open("/dev/zero") as four:
        script = (
            f"exec 3>&{three.fileno()} 4<&{four.fileno()}; exec {PROGRAM[0]} --root {rig.state}"
            f" run --preserve-fds 2 -b {bundle.save()} box"
        )
        result = subprocess.run(
            ["bash", "-c", script], pass_fds=(three.fileno(), four.fileno()),
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=30,
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == "/dev/zero\n"
    assert out.read_text() == "through\n"
    assert "is not open" in rig.fails("run", "--preserve-fds", "50", "-b", bundle.save(), "b2")


def test_seccomp_with_and_without_new_privileges(rig: Rig) -> None:
    for nnp in (True, False):
        bundle = rig.bundle("sh", "-c", "grep Seccomp: /proc/self/status; mkdir /tmp/x")
        bundle.mount("/tmp", "tmpfs", "tmpfs")
        bundle.process["noNewPrivileges"] = nnp
        bundle.linux["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [
                {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
            ],
        }
        result = rig("run", "-b", bundle.save(), f"box{nnp}")
        assert result.stdout == "Seccomp:\t2\n", result.stderr
        assert "Function not implemented" in result.stderr


def test_the_filter_of_one_id_containers(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "touch /tmp/x; chown 5:6 /tmp/x && stat -c %u:%g /tmp/x")
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    bundle.config["annotations"] = {"wherry.one-id-filter": "true"}
    assert rig.output(bundle) == "0:0\n"


@pytest.mark.parametrize(
    ("key", "value", "module"),
    [("apparmorProfile", "x", "AppArmor"), ("selinuxLabel", "a:b:c", "SELinux")],
)
def test_labels_that_the_machine_does_not_have(rig: Rig, key: str, value: str, module: str) -> None:
    from wherry.runtime.labels import has_apparmor, has_selinux

    if has_apparmor() or has_selinux():
        pytest.skip("this machine has a security module")
    assert f"{module} is not enabled" in _fail(rig, rig.bundle("true", **{key: value}))


def test_sysctls_of_the_containers_namespaces(rig: Rig) -> None:
    bundle = rig.bundle("cat", "/proc/sys/kernel/shm_rmid_forced", "/proc/sys/kernel/domainname")
    bundle.linux["sysctl"] = {"kernel.shm_rmid_forced": "1"}
    bundle.config["domainname"] = "example"
    if not IS_ROOT:
        bundle.linux["sysctl"] = {}
    assert rig.output(bundle).split() == ["1" if IS_ROOT else "0", "example"]
    bundle.linux["sysctl"] = {"kernel.core_pattern": "|/evil"}
    assert "not in a namespace" in rig.fails("run", "-b", bundle.save(), "box2")
