"""What an engine is told about registries."""

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """How to reach registries. The defaults are dockerd's."""

    mirrors: tuple[str, ...] = ()
    """Tried in turn before Docker Hub, and for it only."""
    insecure: tuple[str, ...] = ()
    """Hosts (with or without port) and networks where plain HTTP or a bad certificate will do.
    Loopback addresses always are."""
    certificates: str = "/etc/docker/certs.d"
    """Folder with a folder per registry: `*.crt` are authorities, `*.cert` + `*.key` are ours."""
    downloads: int = 3
    """Layers fetched at the same time per pull."""
    uploads: int = 5
    attempts: int = 5
    """How often one thing is tried while it makes no progress."""
    delay: float = 1.0
    """Seconds before the second attempt; doubled each time."""
    longest_delay: float = 60.0
    """Seconds; a registry that wants us to wait longer gets an error reported instead."""
    upload_chunk: int = 0
    """Bytes per PATCH; 0 sends each blob whole in one PUT."""
    connect_timeout: float = 30.0
    read_timeout: float = 60.0
    """Seconds without a byte after which a connection counts as dead."""
    agent: str = "wherry"
