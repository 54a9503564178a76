"""Mounts of every kind, devices, masks, propagation."""

import os
import subprocess
from pathlib import Path

import pytest

from .conftest import IS_ROOT, Bundle, Rig


def options_of(text: str, target: str) -> tuple[set[str], str]:
    """Mount options and the rest of a line of mountinfo."""
    lines = [line.split() for line in text.splitlines()]
    line = [one for one in lines if len(one) > 5 and one[4] == target][-1]
    return set(line[5].split(",")), " ".join(line[6:])


@pytest.fixture
def volume(rig: Rig) -> Path:
    path = rig.folder / "volume"
    (path / "inner").mkdir(parents=True)
    (path / "file").write_text("content")
    return path


def test_binds_of_files_and_directories(rig: Rig, volume: Path) -> None:
    bundle = rig.bundle("sh", "-c", "cat /data/file /etc/name /deep/er/file; echo x > /data/new",
                        own_rootfs=True)  # fmt: skip
    bundle.mount("/data", "none", str(volume), "rbind")
    bundle.mount("/etc/name", "none", str(volume / "file"), "bind")
    bundle.mount("/deep/er", "none", str(volume), "bind", "ro")
    assert rig.output(bundle) == "content" * 3
    assert (volume / "new").read_text() == "x\n"


def test_a_read_only_bind_keeps_its_other_flags(rig: Rig, volume: Path) -> None:
    bundle = rig.bundle("sh", "-c", "cat /proc/self/mountinfo; touch /mnt/x")
    bundle.mount("/mnt", "none", str(volume), "bind", "ro", "nosuid", "nodev", "noexec")
    result = rig("run", "-b", bundle.save(), "box")
    assert {"ro", "nosuid", "nodev", "noexec"} <= options_of(result.stdout, "/mnt")[0]
    assert "Read-only file system" in result.stderr


def test_sources_are_relative_to_the_bundle(rig: Rig) -> None:
    bundle = rig.bundle("cat", "/mnt/here")
    (bundle.path / "data").mkdir()
    (bundle.path / "data/here").write_text("yes")
    bundle.mount("/mnt", "none", "data", "bind")
    assert rig.output(bundle) == "yes"


def test_a_missing_source_is_named(rig: Rig) -> None:
    bundle = rig.bundle("true")
    bundle.mount("/mnt", "none", "/no/such/source", "bind")
    error = rig.fails("run", "-b", bundle.save(), "box")
    assert error == "mount /mnt: bind source /no/such/source does not exist"


def test_an_option_that_the_file_system_does_not_know(rig: Rig) -> None:
    bundle = rig.bundle("true")
    bundle.mount("/mnt", "tmpfs", "tmpfs", "colour=red")
    error = rig.fails("run", "-b", bundle.save(), "box")
    assert "/mnt" in error
    assert "Unknown parameter 'colour'" in error


def test_recursive_read_only(rig: Rig, volume: Path) -> None:
    bundle = rig.bundle("sh", "-c", "cat /proc/self/mountinfo")
    bundle.mount("/mnt", "none", "/sys", "rbind", "rro", "rnosuid")
    text = rig.output(bundle)
    below = [line.split() for line in text.splitlines() if line.split()[4].startswith("/mnt/")]
    assert below
    assert all({"ro", "nosuid"} <= set(line[5].split(",")) for line in below)


def test_tmpfs_takes_its_size_and_the_mode_below(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "stat -c %a /mnt /tmp; cat /proc/self/mountinfo",
                        own_rootfs=True)  # fmt: skip
    (bundle.rootfs / "mnt").chmod(0o750)
    bundle.mount("/mnt", "tmpfs", "tmpfs", "size=64k")
    bundle.mount("/tmp", "tmpfs", "tmpfs", "mode=1777", "nodev")
    text = rig.output(bundle)
    assert text.split()[:2] == ["750", "1777"]
    assert "size=64k" in options_of(text, "/mnt")[1]


def test_tmpcopyup(rig: Rig) -> None:
    look = "cat /mnt/a/file; readlink /mnt/link; stat -c %a /mnt/a; touch /mnt/a/new; ls /mnt/a"
    bundle = rig.bundle("sh", "-c", look, own_rootfs=True)
    source = bundle.rootfs / "mnt/a"
    source.mkdir(mode=0o710)
    (source / "file").write_text("copied\n")
    (bundle.rootfs / "mnt/link").symlink_to("/elsewhere")
    bundle.mount("/mnt", "tmpfs", "tmpfs", "tmpcopyup")
    assert rig.output(bundle).split() == ["copied", "/elsewhere", "710", "file", "new"]
    assert not (source / "new").exists()


def test_read_only_tmpfs_with_copy_up(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "cat /etc/passwd; touch /etc/x")
    bundle.mount("/etc", "tmpfs", "tmpfs", "tmpcopyup", "ro")
    result = rig("run", "-b", bundle.save(), "box")
    assert "root:x:0:0" in result.stdout
    assert "Read-only" in result.stderr


def test_the_root_is_read_only_or_not(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "touch /x && echo made", own_rootfs=True)
    assert "Read-only" in rig("run", "-b", bundle.save(), "box").stderr
    bundle.config["root"]["readonly"] = False
    assert rig.output(bundle) == "made\n"


def test_read_only_dev_is_filled_first(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "echo x > /dev/null && echo good; touch /dev/x")
    for entry in bundle.config["mounts"]:
        if entry["destination"] == "/dev":
            entry["options"].append("ro")
    result = rig("run", "-b", bundle.save(), "box")
    assert result.stdout == "good\n"
    assert "Read-only" in result.stderr


def test_devices_and_links(rig: Rig) -> None:
    look = (
        "for d in null zero full random urandom tty; do stat -c '%n %t:%T %F' /dev/$d; done;"
        "for l in fd stdin ptmx; do readlink /dev/$l; done; head -c 3 /dev/zero | wc -c;"
        "echo x >/dev/full"
    )
    result = rig("run", "-b", rig.bundle("sh", "-c", look).save(), "box")
    lines = result.stdout.splitlines()
    numbers = [line.split()[1] for line in lines[:6]]
    assert numbers == ["1:3", "1:5", "1:7", "1:8", "1:9", "5:0"]
    assert all("character special file" in line for line in lines[:6])
    assert lines[6:9] == ["/proc/self/fd", "/proc/self/fd/0", "pts/ptmx"]
    assert lines[9] == "3"
    assert "No space left" in result.stderr


@pytest.mark.root
def test_devices_that_are_asked_for(rig: Rig) -> None:
    bundle = rig.bundle("stat", "-c", "%t:%T %a %u:%g %F", "/dev/mine", "/run/pipe",
                        own_rootfs=True)  # fmt: skip
    bundle.linux["devices"] = [
        {"path": "/dev/mine", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640,
         "uid": 3, "gid": 4},
        {"path": "/run/pipe", "type": "p"},
    ]  # fmt: skip
    assert rig.output(bundle).splitlines() == [
        "a:e5 640 3:4 character special file",
        "0:0 666 0:0 fifo",
    ]


def test_something_else_in_the_devices_place(rig: Rig) -> None:
    if not IS_ROOT:
        pytest.skip("nodes are bound, not made")
    bundle = rig.bundle("true", own_rootfs=True)
    bundle.linux["devices"] = [{"path": "/etc/passwd", "type": "c", "major": 1, "minor": 3}]
    assert "something else lies there" in rig.fails("run", "-b", bundle.save(), "box")


def test_masks_and_read_only_paths(rig: Rig, volume: Path) -> None:
    look = (
        "wc -c < /mnt/file; ls /mnt/inner | wc -l; echo x > /mnt/file && echo swallowed;"
        "touch /mnt/inner/x; touch /etc/x; cat /proc/keys | wc -c"
    )
    bundle = rig.bundle("sh", "-c", look, own_rootfs=True)
    (volume / "inner/secret").write_text("x")
    bundle.config["root"]["readonly"] = False
    bundle.mount("/mnt", "none", str(volume), "bind")
    bundle.linux["maskedPaths"] = ["/mnt/file", "/mnt/inner", "/mnt/none", "/proc/keys"]
    bundle.linux["readonlyPaths"] = ["/etc", "/no/such"]
    result = rig("run", "-b", bundle.save(), "box")
    assert result.stdout.split() == ["0", "0", "swallowed", "0"]
    assert result.stderr.count("Read-only file system") == 2
    assert (volume / "file").read_text() == "content"


def test_two_masked_directories(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "ls -A /etc /bin/busybox /root /tmp", own_rootfs=True)
    for name in ("etc", "root", "tmp"):
        (bundle.rootfs / name / "file").write_text("x")
    bundle.linux["maskedPaths"] = ["/etc", "/root", "/tmp"]
    assert "file" not in rig.output(bundle)


@pytest.mark.root
def test_propagation_into_and_out_of_the_container(rig: Rig, volume: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", volume], check=True)
    subprocess.run(["mount", "--make-shared", volume], check=True)
    (volume / "inner").mkdir()
    try:
        for number, (word, sees) in enumerate((("rprivate", False), ("rslave", True))):
            bundle = rig.bundle("sleep", "300")
            bundle.mount("/mnt", "none", str(volume), "rbind", word)
            rig.start(bundle, f"box{number}")
            subprocess.run(["mount", "-t", "tmpfs", "late", volume / "inner"], check=True)
            try:
                text = rig.sh("cat /proc/self/mountinfo", container=f"box{number}")
                assert (" /mnt/inner " in text) is sees
            finally:
                subprocess.run(["umount", volume / "inner"], check=True)
        _check_shared(rig, volume)
    finally:
        rig.clean()
        subprocess.run(["umount", "-R", volume], check=True)


def _check_shared(rig: Rig, volume: Path) -> None:
    bundle = rig.bundle("sleep", "300")
    bundle.capabilities("CAP_SYS_ADMIN")
    bundle.linux["rootfsPropagation"] = "shared"
    bundle.mount("/mnt", "none", str(volume), "rbind", "rshared")
    rig.start(bundle, "shared")
    rig.sh("mount -t tmpfs inside /mnt/inner", container="shared")
    assert f" {volume}/inner " in Path("/proc/self/mountinfo").read_text()
    subprocess.run(["umount", volume / "inner"], check=True)


@pytest.mark.root
def test_idmapped_binds(rig: Rig, volume: Path) -> None:
    os.chown(volume / "file", 1000, 1000)
    bundle = rig.bundle("stat", "-c", "%u:%g", "/mnt/file")
    bundle.mount("/mnt", "none", str(volume), "bind", "idmap")
    maps = [{"containerID": 1000, "hostID": 2000, "size": 10}]
    bundle.config["mounts"][-1] |= {"uidMappings": maps, "gidMappings": maps}
    assert rig.output(bundle) == "2000:2000\n"
    del bundle.config["mounts"][-1]["uidMappings"], bundle.config["mounts"][-1]["gidMappings"]
    assert "idmap without uidMappings" in rig.fails("run", "-b", bundle.save(), "box2")


@pytest.mark.root
def test_without_pivot(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "ls /; cat /proc/self/mountinfo")
    text = rig.output(bundle, "--no-pivot")
    assert "bin\n" in text
    assert str(rig.folder) not in text.splitlines()[0]


def test_a_container_with_its_own_dev(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "ls /dev; echo x > /dev/null")
    own = rig.folder / "dev"
    own.mkdir()
    (own / "null").touch()
    replaced = {"destination": "/dev", "type": "none", "source": str(own), "options": ["bind"]}
    bundle.config["mounts"] = [bundle.config["mounts"][0], replaced]
    assert rig.output(bundle) == "null\n"
    assert (own / "null").read_text() == "x\n"


def test_a_remount_changes_attributes(rig: Rig, volume: Path) -> None:
    bundle = rig.bundle("touch", "/mnt/x")
    bundle.mount("/mnt", "none", str(volume), "bind")
    bundle.mount("/mnt", "none", "", "remount", "bind", "ro")
    assert "Read-only" in rig("run", "-b", bundle.save(), "box").stderr


def test_sysfs_and_cgroup_as_docker_mounts_them(rig: Rig) -> None:
    bundle = rig.bundle("sh", "-c", "cat /proc/self/mountinfo; ls /sys/fs/cgroup")
    text = rig.output(bundle)
    assert "ro" in options_of(text, "/sys")[0]
    if IS_ROOT:
        assert "ro" in options_of(text, "/sys/fs/cgroup")[0]


def bundle_with_link(rig: Rig, link: str, target: str) -> Bundle:
    bundle = rig.bundle("cat", "/proc/self/mountinfo", own_rootfs=True)
    (bundle.rootfs / link).symlink_to(target)
    return bundle


def test_mount_points_are_made_behind_links_inside(rig: Rig, volume: Path) -> None:
    bundle = bundle_with_link(rig, "run", "/var/run")
    bundle.mount("/run/data", "none", str(volume), "bind")
    assert options_of(rig.output(bundle), "/var/run/data")
    assert (bundle.rootfs / "var/run/data").is_dir()
