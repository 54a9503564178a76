"""From a container's record to the runtime specification: pure functions on values.

`bundle.runtime_spec` is the entrance; the files beside it make one part each. No input or output:
what has to be looked up on the host (devices, users, kernel) comes in as facts.
"""
