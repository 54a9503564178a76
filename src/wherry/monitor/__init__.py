"""The process that stands beside each container, and the daemon's handle on it.

`zygote` is started once by the daemon and forks a monitor per container; a monitor owns stdio, the
log, attached clients, execs and the exit code, and outlives both. `handle` and `zygote_handle` are
the daemon's (asyncio) side. All else here runs in the zygote and the monitors: standard library
only, single-threaded, imported before the first fork. Log readers (`logread`) run wherever a log
is read. What a container is (names, images, restart policies) does not belong here, nor do
namespaces and cgroups: those are the runtime's.
"""
