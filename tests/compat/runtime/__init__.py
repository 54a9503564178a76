"""The runtime as a drop-in: Debian's podman and dockerd run their containers by it."""
