"""Booting the guest once with a job, and bringing back its output and exit code."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from parts import HERE, Parts, library_path

MEMORY_MIB = 2048
_APPEND = (
    "console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr cryptomgr.notests=1 "
    "random.trust_cpu=1 8250.nr_uarts=1 rdinit=/init"
)


def run(script: str, *, seconds: float) -> int:
    """Run a shell script in a fresh guest; its output is shown as it comes, its exit code returned.

    124 when the guest did not end in time, 125 when it ended without an exit code (its console is
    then shown).
    """
    parts = Parts()
    parts.make()
    with tempfile.TemporaryDirectory(prefix="wherry-guest-") as name:
        folder = Path(name)
        # the guest sees the host's root, but no mounts below it: the job lies in the checkout
        job = parts.cache / f"job-{os.getpid()}.sh"
        job.write_text(script)
        try:
            with _file_server(parts, folder), _machine(parts, folder, job) as machine:
                in_time = _follow(machine, folder / "out", seconds)
        finally:
            job.unlink()
        if not in_time:
            print(f"the guest did not end within {seconds:.0f} seconds", file=sys.stderr)
            return 124
        code = (folder / "rc").read_text().strip()
        if code:
            return int(code)
        print((folder / "console").read_text(errors="replace")[-4000:], file=sys.stderr)
        return 125


@contextlib.contextmanager
def _file_server(parts: Parts, folder: Path) -> Iterator[None]:
    """virtiofsd on a read-only bind mount of the root, in a mount namespace of its own."""
    read_only, socket = folder / "ro", folder / "fs"
    read_only.mkdir()
    daemon = [str(parts.qemu / "usr/lib/qemu/virtiofsd"), "-f", f"--socket-path={socket}"]
    daemon += ["-o", f"source={read_only}", "-o", "cache=always", "-o", "sandbox=chroot"]
    daemon += ["--thread-pool-size=0", "-o", "xattr"]
    place = shlex.quote(str(read_only))
    script = (
        f"mount --bind / {place} && mount -o remount,bind,ro {place} && exec {shlex.join(daemon)}"
    )
    with _process(parts, ["unshare", "-m", "sh", "-c", script], folder / "fs.log") as process:
        deadline = time.monotonic() + 20
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"virtiofsd did not start: {(folder / 'fs.log').read_text()}")
            time.sleep(0.02)
        yield


def _machine(
    parts: Parts, folder: Path, job: Path
) -> contextlib.AbstractContextManager["subprocess.Popen[bytes]"]:
    append = f"{_APPEND} guest.stage2={HERE / 'stage2.sh'} guest.job={job}"
    memory = f"{MEMORY_MIB}M"
    program = str(parts.qemu / "usr/bin/qemu-system-x86_64")
    command = ["nice", "-n", "5", program, "-M", "q35", *_accelerator()]
    command += [
        "-L",
        str(parts.qemu / "usr/share/qemu"),
        "-L",
        str(parts.qemu / "usr/share/seabios"),
    ]
    command += ["-smp", "2", "-m", memory, "-numa", "node,memdev=mem"]
    command += ["-object", f"memory-backend-memfd,id=mem,size={memory},share=on"]
    command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    command += ["-serial", f"file:{folder / 'console'}"]
    command += ["-kernel", str(parts.vmlinux), "-initrd", str(parts.initramfs), "-append", append]
    command += ["-chardev", f"socket,id=fs,path={folder / 'fs'}"]
    command += ["-device", "vhost-user-fs-pci,chardev=fs,tag=hostroot,queue-size=1024"]
    command += ["-device", "virtio-serial-pci"]
    disk = folder / "disk"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    command += ["-drive", f"file={disk},if=none,id=d0,format=raw,cache=unsafe"]
    command += ["-device", "virtio-blk-pci,drive=d0"]
    for name in ("out", "rc"):
        (folder / name).touch()
        command += ["-chardev", f"file,id={name},path={folder / name}"]
        command += ["-device", f"virtserialport,chardev={name},name={name}"]
    return _process(parts, command, folder / "qemu.log")


def _accelerator() -> list[str]:
    """KVM only where the processor says so: elsewhere /dev/kvm may open and then crawl."""
    flags = Path("/proc/cpuinfo").read_text()
    modules = ("/sys/module/kvm_amd", "/sys/module/kvm_intel")
    if any(word in flags for word in (" svm", " vmx")) and any(map(os.path.exists, modules)):
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


@contextlib.contextmanager
def _process(
    parts: Parts, command: Sequence[str], log: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    environment = os.environ | {"LD_LIBRARY_PATH": library_path(parts.qemu)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def _follow(machine: "subprocess.Popen[bytes]", output: Path, seconds: float) -> bool:
    """Show the output as it grows; whether the guest ended in time."""
    deadline = time.monotonic() + seconds
    with output.open("rb") as file:
        while True:
            ended = machine.poll() is not None
            sys.stdout.buffer.write(file.read())
            sys.stdout.flush()
            if ended or time.monotonic() > deadline:
                return ended
            time.sleep(0.1)


if __name__ == "__main__":
    if shutil.which("unshare") is None or os.geteuid() != 0:
        sys.exit("the guest needs root (a mount namespace for its root)")
    sys.exit(
        run(
            " ".join(sys.argv[1:]) or "uname -a; cat /sys/fs/cgroup/cgroup.controllers", seconds=120
        )
    )
