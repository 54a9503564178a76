"""Small things every floor uses: errors, ids, clock, units, atomic files, failpoints.

Standard library only, and little of it: the runtime imports this in every container.
Anything that knows a container, a system call or Docker does not belong here.
"""
