"""Snapshots: the file trees of layers and containers, stacked by overlayfs or copied.

Returns `Mount` values and never mounts; knows no tar, no image and no container. A key or name is
the caller's word (a chain id, a container's id).
"""
