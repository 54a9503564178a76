"""A guest with cgroup v2 under QEMU, for tests that this machine's own hierarchies cannot run."""
