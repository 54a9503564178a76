"""What the guest is made of: QEMU and a kernel from Debian, unpacked and not installed.

Everything lies in `.cache/v2guest` of the checkout and is made once: packages (48 MB), the kernel
taken out of its compressed image (saves a second a boot), its modules, and an initramfs.
"""

import lzma
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache/v2guest"
MODULES = ("virtiofs", "overlay", "virtio_console", "virtio_pci", "veth", "bridge", "virtio_blk")
"""Loaded before or after the switch of roots; the cloud kernel has 9p and much else not at all."""

HERE = Path(__file__).parent


class Parts:
    """Paths of the unpacked pieces."""

    def __init__(self, cache: Path = CACHE) -> None:
        self.cache = cache
        self.qemu = cache / "qemu"
        self.kernel = cache / "kernel"
        self.vmlinux = cache / "vmlinux"
        self.initramfs = cache / "initramfs"
        self.modules = cache / "modules"

    def make(self) -> None:
        """Make what is missing. Raises CalledProcessError, OSError."""
        self.cache.mkdir(parents=True, exist_ok=True)
        if not (self.qemu / "done").exists():
            _unpack(_packages_of("qemu-system-x86"), self.qemu)
        if not (self.kernel / "done").exists():
            _unpack([_newest_kernel()], self.kernel)
        if not self.vmlinux.exists():
            image = next(self.kernel.glob("boot/vmlinuz-*"))
            self.vmlinux.write_bytes(_payload(image.read_bytes()))
        if not (self.modules / "done").exists():
            self._make_modules()
        init = HERE / "init.sh"
        if not self.initramfs.exists() or self.initramfs.stat().st_mtime < init.stat().st_mtime:
            self._make_initramfs(init)

    @property
    def version(self) -> str:
        """The kernel's release (`uname -r`)."""
        return next(self.kernel.glob("lib/modules/*")).name

    def _make_modules(self) -> None:
        """A copy that depmod of busybox understands: modules uncompressed."""
        target = self.modules / "lib/modules" / self.version
        shutil.copytree(next(self.kernel.glob("lib/modules/*")), target, dirs_exist_ok=True)
        for packed in target.rglob("*.ko.xz"):
            packed.with_suffix("").write_bytes(lzma.decompress(packed.read_bytes()))
            packed.unlink()
        busybox = shutil.which("busybox") or "busybox"
        subprocess.run([busybox, "depmod", "-b", str(self.modules), self.version], check=True)
        (self.modules / "done").touch()

    def _make_initramfs(self, init: Path) -> None:
        folder = self.modules / "lib/modules" / self.version
        files = {"init": init.read_bytes(), "bin/busybox": _busybox()}
        order = _load_order(folder / "modules.dep", ("virtio_pci", "virtiofs", "overlay"))
        for number, name in enumerate(order):
            files[f"mod/{number:02}-{Path(name).name}"] = (folder / name).read_bytes()
        self.initramfs.write_bytes(_cpio(files))


def _busybox() -> bytes:
    path = shutil.which("busybox")
    if path is None:
        raise FileNotFoundError("busybox is needed (apt-get install busybox-static)")
    return Path(path).read_bytes()


def _packages_of(name: str) -> list[str]:
    """The package and what it needs that is not installed here."""
    command = ["apt-get", "-s", "install", "--no-install-recommends", name]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.findall(r"^Inst (\S+)", text, re.MULTILINE) or [name]


def _newest_kernel() -> str:
    command = ["apt-cache", "search", "--names-only", r"^linux-image-[0-9.]+.*-cloud-amd64$"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = [line.split()[0] for line in text.splitlines()]

    def version(name: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", name)]

    return max(names, key=version)


def _unpack(packages: list[str], target: Path) -> None:
    folder = target.with_suffix(".debs")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "-qq", "download", *packages], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(target)], check=True)
    shutil.rmtree(folder)
    (target / "done").touch()


def _payload(image: bytes) -> bytes:
    """The ELF file inside a bzImage (Documentation/arch/x86/boot.rst, payload_offset)."""
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (image[0x1F1] + 1) * 512 + offset
    data = image[start : start + length]
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(data)
    if data.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor().decompress(data)
    if data.startswith(b"\x02\x21\x4c\x18"):
        return subprocess.run(
            ["lz4", "-dc"], input=data, stdout=subprocess.PIPE, check=False
        ).stdout
    raise ValueError(f"kernel payload of unknown compression {data[:4].hex()}")


def _zstd(data: bytes) -> bytes:
    from backports.zstd import ZstdDecompressor

    return ZstdDecompressor().decompress(data)


def _load_order(dependencies: Path, wanted: Iterable[str]) -> list[str]:
    """Module files, each behind those it needs."""
    needs: dict[str, list[str]] = {}
    for line in dependencies.read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = others.split()
    by_name = {Path(path).name.removesuffix(".ko").replace("-", "_"): path for path in needs}
    order: list[str] = []

    def add(path: str) -> None:
        for other in needs[path]:
            add(other)
        if path not in order:
            order.append(path)

    for name in wanted:
        if name in by_name:  # otherwise built in
            add(by_name[name])
    return order


def _cpio(files: dict[str, bytes]) -> bytes:
    """An initramfs in the `newc` format, with the folders that its files need."""
    folders = sorted({str(parent) for name in files for parent in Path(name).parents} - {"."})
    folders += ["dev", "proc", "sys", "lower", "rw", "new"]
    entries = [(name, 0o040755, b"") for name in folders]
    entries += [(name, 0o100755, data) for name, data in files.items()]
    entries.append(("TRAILER!!!", 0, b""))
    archive = bytearray()
    for inode, (name, mode, data) in enumerate(entries, 1):
        words = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        archive += b"070701" + b"".join(b"%08X" % word for word in words)
        archive += name.encode() + b"\0"
        archive += b"\0" * (-len(archive) % 4)
        archive += data
        archive += b"\0" * (-len(archive) % 4)
    return bytes(archive)


def library_path(root: Path) -> str:
    """LD_LIBRARY_PATH for programs of an unpacked tree."""
    folders = {str(path.parent) for path in root.rglob("*.so*")}
    return os.pathsep.join(sorted(folders))
