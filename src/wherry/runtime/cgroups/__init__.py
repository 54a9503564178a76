"""Where a container's processes are placed and what they may use: cgroup v1, v2, or none.

`placement.placement()` chooses; plans turn limits into writes and do no I/O. How cgroup
directories work is in `wherry.linux.cgroup`.
"""
