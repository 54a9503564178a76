"""What an engine left on the machine: processes, mounts, cgroups, links, firewall tables."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

PATIENCE = 5.0
"""Seconds in which the kernel and what was killed may still be at it."""


def find(folder: Path, bridge: str, ids: Iterable[str]) -> list[str]:
    """One line for each; empty is what should be."""
    wanted = list(ids)
    until = time.monotonic() + PATIENCE
    while True:
        left = [*_processes(folder), *_mounts(folder), *_cgroups(wanted), *_network(bridge)]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def _processes(folder: Path) -> Iterator[str]:
    """By command line, or by a mount namespace in which a mount comes from the folder."""
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        if int(pid) == os.getpid():
            continue
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            mounts = Path(f"/proc/{pid}/mountinfo").read_bytes()
        except OSError:
            continue  # gone, or somebody else's
        if str(folder).encode() in words or str(folder).encode() in mounts:
            yield f"process {pid}: {words.decode(errors='replace')}"


def _mounts(folder: Path) -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if str(folder) in line:
            yield f"mount: {line}"


def _cgroups(ids: list[str]) -> Iterator[str]:
    known = set(ids)
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name in known or name.removesuffix(".scope").rpartition("-")[2] in known:
                yield f"cgroup: {folder}/{name}"


def _network(bridge: str) -> Iterator[str]:
    if os.path.exists(f"/sys/class/net/{bridge}"):
        yield f"bridge {bridge}"
    if os.geteuid() == 0 and shutil.which("nft"):
        rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, check=False)
        for line in rules.stdout.decode().splitlines():
            if bridge in line:
                yield f"nft: {line.strip()}"
