"""What an engine is opened with. Values only."""

import os
from typing import NamedTuple

from wherry.oci import platform
from wherry.oci.platform import Platform


class Folders(NamedTuple):
    """Every path the engine uses, derived from its two roots."""

    root: str
    exec_root: str

    @property
    def lock(self) -> str:
        """Held by flock while an engine has the root."""
        return os.path.join(self.root, "lock")

    @property
    def ledger(self) -> str:
        """The SQLite file."""
        return os.path.join(self.root, "ledger.db")

    @property
    def content(self) -> str:
        """The blob store."""
        return os.path.join(self.root, "content")

    @property
    def snapshots(self) -> str:
        """The snapshotter's own folder."""
        return os.path.join(self.root, "snapshots")

    @property
    def volumes(self) -> str:
        """Local volumes."""
        return os.path.join(self.root, "volumes")

    @property
    def net(self) -> str:
        """Run-time state of the network process."""
        return os.path.join(self.exec_root, "net")

    @property
    def filters(self) -> str:
        """Compiled seccomp filters."""
        return os.path.join(self.exec_root, "filters")

    def bundle(self, container: str) -> str:
        """A container's folder on disk: config.json, its files for /etc, its log."""
        return os.path.join(self.root, "containers", container)

    def log(self, container: str) -> str:
        """Where a container's log is written."""
        return os.path.join(self.bundle(container), f"{container}-json.log")

    def exec_dir(self, container: str) -> str:
        """A container's folder on tmpfs: monitor socket and exit file. Short: a socket's path
        has room for 107 bytes."""
        return os.path.join(self.exec_root, "c", container[:12])


class EngineSettings(NamedTuple):
    """Options of one engine."""

    root: str
    exec_root: str
    platform: Platform = platform.host()
    runtimes: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names of other OCI runtimes and their command lines."""
    default_runtime: str = "wherry"
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    bridge: str = "wherry0"
    """Name of the default bridge; empty for no default bridge."""
    bridge_subnet: str = ""
    """CIDR of the default bridge; empty: the first of Docker's pools that the host does not use."""
    engine_netns: int = -1
    """Descriptor of the network namespace that holds the bridges; -1: our own (root)."""
    labels: tuple[str, ...] = ()
    cdi_folders: tuple[str, ...] = ("/etc/cdi", "/var/run/cdi")
    """Where descriptions of devices are; later folders win."""
    log_max_size: int = 10 << 20
    """Bytes; Docker's json-file default is unbounded, ours is not."""
    log_max_files: int = 3

    @property
    def folders(self) -> Folders:
        """The paths."""
        return Folders(self.root, self.exec_root)
